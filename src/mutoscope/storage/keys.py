"""Which keys a store accepts: those that mean the same thing in a bucket, on a disk and in a URL."""

from mutoscope.core.errors import MutoscopeError
from mutoscope.core.setting_kinds import STORAGE_KEY

MAX_KEY_CHARS = 900  # S3 allows 1,024 bytes; a public base path may come before it.


class InvalidKey(MutoscopeError):
    """A key that could mean another place than it says, or that not every store can hold."""

    status, code, title = 422, "invalid_key", "The key is not valid"


def checked(key: str) -> str:
    """The key, if it is names of ``A-Z a-z 0-9 . _ -`` separated by ``/``, none of which begins with ``.`` or ``-``.

    Raises:
        InvalidKey: It is not; so ``..``, absolute paths, empty names and our own hidden folders cannot be reached.
    """
    if len(key) > MAX_KEY_CHARS or not STORAGE_KEY.fullmatch(key):
        raise InvalidKey(
            f"Not a storage key: {key[:80]!r}. Use names of A-Z a-z 0-9 . _ - separated by single slashes."
        )
    return key
