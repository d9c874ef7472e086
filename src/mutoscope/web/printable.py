"""Text that people and apps give things as names."""

import re

_PRINTABLE = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]{1,255}")


def is_printable(text: str) -> bool:
    """Whether ``text`` is 1 to 255 characters, none of them a control character."""
    return _PRINTABLE.fullmatch(text) is not None
