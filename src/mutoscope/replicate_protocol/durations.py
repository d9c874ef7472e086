"""The two headers of a create that speak of time: ``Cancel-After`` and ``Prefer: wait``."""

import re

from mutoscope.core.errors import InvalidRequest

CANCEL_AFTER_MINIMUM_S = 5
PREFER_WAIT_MAXIMUM_S = 60
_DURATION = re.compile(r"(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,6})s?)?")
_WAIT = re.compile(r"wait(?:\s*=\s*([0-9]+))?")


def parse_cancel_after(text: str) -> int:
    """Seconds in ``30s``, ``1m``, ``1h30m45s`` or a plain number of seconds. Replicate has no fractions.

    Raises:
        InvalidRequest: It is not a duration, or shorter than 5 s.
    """
    match = _DURATION.fullmatch(text.strip())
    hours, minutes, seconds = (int(part or 0) for part in match.groups()) if match else (0, 0, 0)
    total_s = hours * 3600 + minutes * 60 + seconds
    if total_s < CANCEL_AFTER_MINIMUM_S:
        raise InvalidRequest(
            f"Cancel-After must be at least {CANCEL_AFTER_MINIMUM_S} seconds, in whole numbers such as '30s', '5m' or "
            f"'1h30m45s'; {text[:40]!r} is not."
        )
    return total_s


def format_cancel_after(seconds: float) -> str:
    """The header for at least ``seconds``: rounded up to whole seconds, and never below the minimum of 5 s."""
    total_s = max(CANCEL_AFTER_MINIMUM_S, -int(-seconds // 1))
    hours, rest = divmod(total_s, 3600)
    minutes, rest = divmod(rest, 60)
    return "".join(f"{amount}{unit}" for amount, unit in ((hours, "h"), (minutes, "m"), (rest, "s")) if amount)


def parse_prefer_wait(text: str | None) -> int | None:
    """Seconds to hold the request open: ``wait`` is 60, ``wait=n`` is n from 1 to 60; ``None`` for other preferences.

    Raises:
        InvalidRequest: ``wait=n`` with n outside 1 to 60.
    """
    for preference in (text or "").split(","):
        match = _WAIT.fullmatch(preference.strip())
        if match is None:
            continue
        digits = (match[1] or str(PREFER_WAIT_MAXIMUM_S)).lstrip("0")
        if not 1 <= len(digits) <= 2 or int(digits) > PREFER_WAIT_MAXIMUM_S:
            shown = match[0][:40]
            raise InvalidRequest(f"Prefer: {shown} is not between 1 and {PREFER_WAIT_MAXIMUM_S} seconds.")
        return int(digits)
    return None
