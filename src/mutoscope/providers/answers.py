"""Reads Replicate's answers: what a refusal says, for how long a 429 shuts the door, and JSON that may be anything."""

import math
import re
from collections.abc import Mapping
from typing import Any, cast

import httpx

from mutoscope.providers.base import ProviderDown, Rate, Throttled

MAX_RETRY_AFTER_S = 300.0
_REDUCED = re.compile(r"reduced to (\d{1,5}) requests? per minute(?: with a burst of (\d{1,5}))?", re.IGNORECASE)
_RESETS_IN = re.compile(r"resets in ~?(\d+(?:\.\d+)?)\s*s")


def raise_if_throttled(answer: httpx.Response) -> None:
    """429, by the provider's own clock: the header, else the body's field, else its sentence."""
    if answer.status_code != 429:
        return
    said_in_words = detail(answer)
    found = _RESETS_IN.search(said_in_words)
    said = (answer.headers.get("retry-after"), body(answer).get("retry_after"), found and found[1])
    seconds = next((s for s in map(_seconds, said) if s is not None), 5.0)
    seconds = min(max(seconds, 0.1), MAX_RETRY_AFTER_S)
    raise Throttled(f"Replicate throttles us: {said_in_words}", retry_after_s=seconds, rate=told_rate(said_in_words))


def told_rate(text: str) -> Rate | None:
    """The rate that a refusal speaks of: accounts with little credit are "reduced to 6 requests per minute"."""
    found = _REDUCED.search(text)
    return Rate(max(int(found[1]), 1), max(int(found[2] or 1), 1)) if found else None


def document(answer: httpx.Response) -> dict[str, Any]:
    """The object of an answer that must have one. Raises ``ProviderDown``."""
    if not (found := body(answer)):
        raise ProviderDown(f"Replicate's answer to {answer.request.url.path} is not what it says it would be")
    return found


def body(answer: httpx.Response) -> dict[str, Any]:
    """The object of an answer; empty if it is none."""
    try:
        found = answer.json()
    except (ValueError, RecursionError):
        return {}
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def member(parent: Mapping[str, Any], name: str) -> dict[str, Any]:
    """An object inside an object; empty if it is none."""
    value = parent.get(name)
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def detail(answer: httpx.Response) -> str:
    """What an answer says in words, shortened."""
    found = body(answer)
    return str(found.get("detail") or found.get("title") or answer.text)[:500]


def words(error: Exception) -> str:
    """An error of the transport in words."""
    return f"{type(error).__name__} {error}".strip()


def _seconds(value: object) -> float | None:
    try:
        seconds = float(cast("str", value))
    except (TypeError, ValueError):
        return None
    return seconds if math.isfinite(seconds) else None
