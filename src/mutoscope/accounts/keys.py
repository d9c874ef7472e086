"""The form of an API key: ``mk_op_<ulid>_<secret><checksum>`` for operators, ``mk_ac_…`` for accounts.

The ULID finds the key's row; the secret has 192 bits, so a plain SHA-256 of the whole key is safe to keep. The last six
characters are a CRC-32 in base 62: a key with a typo is refused without asking the database, and scanners for leaked
secrets can tell a key from other text.
"""

import re
import zlib
from dataclasses import dataclass
from hashlib import sha256
from hmac import compare_digest

from mutoscope.accounts.principal import Scope
from mutoscope.core.ids import new_id, new_secret

_PREFIX: dict[Scope, str] = {"operator": "mk_op", "account": "mk_ac"}
_KEY = re.compile(r"(mk_op|mk_ac)_([0-9a-hjkmnp-tv-z]{26})_([0-9A-Za-z]{33})([0-9A-Za-z]{6})", re.ASCII)
_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class NewKey:
    """A fresh key: what is kept of it, and the key itself, which is shown once."""

    key_id: str
    token: str
    hint: str
    token_sha256: str


def make_key(scope: Scope) -> NewKey:
    """A key that never was before."""
    key_id = new_id("key")
    head = f"{_PREFIX[scope]}_{key_id.removeprefix('key_')}_"
    secret = new_secret(24)
    token = f"{head}{secret}{_checksum(head + secret)}"
    return NewKey(key_id, token, hint=f"{head}{secret[:4]}", token_sha256=digest(token))


def key_id_of(token: str) -> str | None:
    """The id of the row that a key names; ``None`` for text that cannot be a key, such as one with a typo."""
    match = _KEY.fullmatch(token)
    if match is None or _checksum(token[:-6]) != match[4]:
        return None
    return f"key_{match[2]}"


def digest(token: str) -> str:
    """What is kept of a key: its SHA-256, in hexadecimal."""
    return sha256(token.encode()).hexdigest()


def is_same(token: str, token_sha256: str) -> bool:
    """Whether this is the key whose digest was kept; takes as long for a near miss as for a wild one."""
    return compare_digest(digest(token), token_sha256)


def _checksum(text: str) -> str:
    left, digits = zlib.crc32(text.encode()), ""
    for _ in range(6):
        left, digit = divmod(left, 62)
        digits = _BASE62[digit] + digits
    return digits
