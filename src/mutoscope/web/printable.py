"""Text that people and apps give things as names."""

import re

from mutoscope.core.errors import InvalidRequest

ACCOUNT_HEADER = "Mutoscope-Account"

_PRINTABLE = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]{1,255}")


def is_printable(text: str) -> bool:
    """Whether ``text`` is 1 to 255 characters, none of them a control character."""
    return _PRINTABLE.fullmatch(text) is not None


def account_name(value: str) -> str:
    """Whom the header ``Mutoscope-Account`` names. Values of headers come as Latin-1; people send UTF-8.

    Raises:
        InvalidRequest: It is not UTF-8, or cannot be a name.
    """
    try:
        text = value.encode("latin-1").decode("utf-8").strip()
    except UnicodeError as error:
        raise InvalidRequest(f"The header {ACCOUNT_HEADER} is not UTF-8.") from error
    if not is_printable(text):
        raise InvalidRequest(f"The header {ACCOUNT_HEADER} must be 1 to 255 printable characters.")
    return text
