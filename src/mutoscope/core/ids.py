"""Identifiers: a prefix that says what it names, and a ULID, so that ids sort by the time they were made."""

import secrets

from ulid import ULID


def new_id(prefix: str) -> str:
    """A fresh id such as ``gen_01jd9k2c5q0h3m8x7v6w4t2r1e`` (26 characters after the prefix)."""
    return f"{prefix}_{str(ULID()).lower()}"


def new_secret(nbytes: int = 24) -> str:
    """A random secret of ``nbytes`` bytes of entropy; letters and digits only, so a double click selects it whole."""
    alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    length = -(-nbytes * 8 * 1000 // 5954)
    return "".join(secrets.choice(alphabet) for _ in range(length))
