"""When to look again, pure apart from what was learnt: polling intervals, back-off, and progress from logs."""

import random
import re

MIN_POLL_S = 0.25
MAX_POLL_S = 30.0
WEBHOOK_POLL_S = 15.0
DISTRUST_S = 300.0
MAX_LOG_CHARS = 64 * 1024
_BAR = re.compile(r"\s*([0-9]{1,9})%\s*\|[^\u2028\u2029]+?\|\s*[0-9]+/[0-9]+")


class Pace:
    """How often to look: learnt from how long each model runs, and held below the provider's limit on reads.

    Where webhooks come, polling is only the net below them, and has a much lower limit of its own: very many waiting
    predictions then cost next to nothing. Once an end was found that no webhook had told of, the net becomes the way
    until ``DISTRUST_S`` have passed without another.

    Args:
        polls_per_minute: The most that this process asks for; Replicate allows 3,000 a minute to an account.
        net_polls_per_minute: The most while webhooks come.
    """

    def __init__(self, polls_per_minute: int = 2400, net_polls_per_minute: int = 120) -> None:
        self._mean_s: dict[str, float] = {}
        self._slots = _Slots(60 / polls_per_minute)
        self._net_slots = _Slots(60 / net_polls_per_minute)
        self._distrust_until_s = 0.0

    def learn(self, model: str, seconds: float) -> None:
        """Take one more duration into account."""
        self._mean_s[model] = 0.8 * self._mean_s.get(model, seconds) + 0.2 * seconds

    def expected_s(self, model: str) -> float | None:
        """The usual duration, or ``None`` if none was seen yet."""
        return self._mean_s.get(model)

    def missed(self, *, now_s: float) -> None:
        """An end was found that a webhook should have told of."""
        self._distrust_until_s = now_s + DISTRUST_S

    def wait_s(self, model: str, elapsed_s: float, *, now_s: float, webhook: bool) -> float:
        """Seconds until a running prediction is asked for again; longer where very many are asked for.

        Args:
            model: Which model runs.
            elapsed_s: How long it has been running.
            now_s: Any clock that goes forward.
            webhook: Whether a webhook is expected, so that polling is only the net below it.
        """
        trusted = webhook and now_s >= self._distrust_until_s
        slots = self._net_slots if trusted else self._slots
        return max(next_poll_s(elapsed_s, self.expected_s(model), webhook=webhook), slots.take(now_s) - now_s)


class _Slots:
    """Times that are handed out one after another, each at least an interval after the one before."""

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._next_s = 0.0

    def take(self, now_s: float) -> float:
        slot_s = max(self._next_s, now_s)
        self._next_s = slot_s + self._interval_s
        return slot_s


def next_poll_s(elapsed_s: float, expected_s: float | None, *, webhook: bool) -> float:
    """Seconds until a running prediction is asked for again.

    Without a webhook: at about the expected end, then a tenth of what has passed. With one, polling is only the net
    below it: well after the expected end, then ever more slowly.
    """
    if webhook:
        patience = max(WEBHOOK_POLL_S, 2 * (expected_s or 0))
        return max(patience - elapsed_s, min(elapsed_s / 4, 60.0), MIN_POLL_S)
    remaining = (expected_s or 0) - elapsed_s
    if remaining > MIN_POLL_S:
        return min(remaining, MAX_POLL_S)
    return min(max(elapsed_s / 10, MIN_POLL_S), MAX_POLL_S)


def backoff_s(failures: int, *, base_s: float = 0.5, cap_s: float = 60.0) -> float:
    """Exponential back-off with full jitter on its upper half: 0.5, 1, 2 … up to ``cap_s`` seconds."""
    ceiling = min(cap_s, base_s * 2 ** min(failures, 16))
    return ceiling * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, keeps no secret


def percent_done(logs: str | None) -> int | None:
    """The percentage of the last line that begins with a progress bar (``40%|████ | 4/10``), or ``None``.

    As ``parseProgressFromLogs`` of replicate-javascript reads it, so that our number is what its users see; besides, a
    bar that was drawn over itself with carriage returns counts as it was drawn last.
    """
    for line in reversed(re.split(r"[\r\n]", (logs or "")[-MAX_LOG_CHARS:])):
        if found := _BAR.match(line):
            return min(int(found[1]), 100)
    return None
