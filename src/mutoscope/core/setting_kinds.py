"""Kinds of settings: each says in one line what it must be, so that what cannot work is refused at the start."""

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, AliasChoices, Field, SecretStr

STORAGE_NAME = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}"
"""One name in a storage key: the same thing in a bucket, on a disk and in a URL."""
STORAGE_KEY = re.compile(rf"{STORAGE_NAME}(/{STORAGE_NAME})*", re.ASCII)
# The account, the generation, the number and the extension come after it in a key.
MAX_PREFIX_CHARS = 512
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_ALIAS = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", re.ASCII)

Seconds = Annotated[float, Field(gt=0, le=7 * 86400)]


def named(*names: str) -> AliasChoices:
    """The names of a setting: its own in the file, ours and the standard ones in the environment."""
    field, *standard = names
    return AliasChoices(field, f"MUTOSCOPE_{field.upper()}", *standard)


def _storage_prefix(text: str) -> str:
    if len(text) > MAX_PREFIX_CHARS or not STORAGE_KEY.fullmatch(text):
        raise ValueError(
            f"must be names of A-Z a-z 0-9 . _ - separated by single slashes, none beginning with . or -, at most "
            f"{MAX_PREFIX_CHARS} characters, such as generations"
        )
    return text


def _web_address(text: str) -> str:
    if not _is_web_address(text):
        raise ValueError("must be http:// or https:// with a host, and no query, such as https://app.example.com")
    return text


def _is_web_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:  # a bracket or a port that is none
        return False
    plain = text.isprintable() and not any(mark in text for mark in " ?#")
    return plain and parts.scheme in ("http", "https") and bool(host)


def _alias(text: str) -> str:
    if not _ALIAS.fullmatch(text):
        raise ValueError("an alias is 1 to 100 of A-Z a-z 0-9 . _ -, and begins with a letter or a digit")
    return text


def _log_level(text: str) -> str:
    if text.upper() not in LOG_LEVELS:
        raise ValueError(f"must be one of {', '.join(LOG_LEVELS)}")
    return text.upper()


def is_token(text: str) -> bool:
    """Whether a text can be sent as a token at all, in a header; not whether anybody knows it."""
    return bool(text) and text.isascii() and text.isprintable() and " " not in text


def _api_token(token: SecretStr) -> SecretStr:
    if not is_token(token.get_secret_value()):
        raise ValueError("a token is printable ASCII without spaces; copy it again")
    return token


ApiToken = Annotated[SecretStr, AfterValidator(_api_token)]
WebAddress = Annotated[str, AfterValidator(_web_address)]
Alias = Annotated[str, AfterValidator(_alias)]
LogLevel = Annotated[str, AfterValidator(_log_level)]
StoragePrefix = Annotated[str, AfterValidator(_storage_prefix)]
