"""What JSON from outside may be, so that every database, client and provider on the way carries it unchanged."""

import math
from typing import Any, NamedTuple, cast

from mutoscope.core.canonical import canonical_json

MAX_DEPTH = 32
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
# Beyond this a JSON number is rounded by JavaScript and by whoever else reads numbers as doubles (RFC 7493).
MAX_INTEGER = 2**53 - 1


class Fault(NamedTuple):
    """What is wrong: a JSON Pointer to it, and a sentence."""

    path: str
    message: str


def find_fault(value: object, *, max_bytes: int, max_depth: int = MAX_DEPTH) -> Fault | None:
    """The first thing in ``value`` that cannot be kept, or ``None``.

    Args:
        value: What a JSON parser returned.
        max_bytes: The size of its canonical JSON, at most.
        max_depth: Objects and arrays inside one another, at most.
    """
    waiting: list[tuple[str, object, int]] = [("", value, 0)]
    while waiting:
        path, node, depth = waiting.pop()
        if message := _fault_of(node):
            return Fault(path[:200], message)
        inside = _inside(node)
        if inside and depth == max_depth:
            return Fault(path[:200], f"is nested deeper than {max_depth}")
        for key, item in inside:
            if message := _fault_of_key(key):
                return Fault(path[:200], message)
            waiting.append((f"{path}/{pointer_part(key)}", item, depth + 1))
    if len(canonical_json(value)) > max_bytes:
        return Fault("", f"is larger than {max_bytes} bytes")
    return None


def keepable(value: Any) -> Any:
    """What a model returned, made fit for every database: no NUL, no half surrogates, no NaN. Changes nothing else."""
    match value:
        case str():
            return value.replace("\x00", REPLACEMENT).encode("utf-8", "replace").decode()
        case float():
            return value if math.isfinite(value) else None
        case list():
            return [keepable(item) for item in cast("list[Any]", value)]
        case dict():
            return {str(keepable(key)): keepable(item) for key, item in cast("dict[str, Any]", value).items()}
        case _:
            return value


def pointer_part(key: object) -> str:
    """One step of a JSON Pointer (RFC 6901)."""
    return str(key).replace("~", "~0").replace("/", "~1")


def _inside(node: object) -> list[tuple[Any, object]]:
    if isinstance(node, dict):
        return list(cast("dict[Any, object]", node).items())
    if isinstance(node, list):
        return list(enumerate(cast("list[object]", node)))
    return []


def _fault_of(node: object) -> str | None:
    match node:
        case None | bool() | dict() | list():
            return None
        case str():
            return _fault_of_text(node)
        case int():
            return None if abs(node) <= MAX_INTEGER else "is an integer that JSON does not carry exactly"
        case float():
            return None if math.isfinite(node) else "is not a number that JSON has"
        case _:
            return "is not JSON"


def _fault_of_key(key: object) -> str | None:
    if isinstance(key, str):
        return "has a name with a character that cannot be kept" if _fault_of_text(key) else None
    return None if isinstance(key, int) else "has a name that is not text"


def _fault_of_text(text: str) -> str | None:
    # PostgreSQL's JSON has no NUL; half a surrogate pair is not text in any encoding.
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text if not character.isascii()):
        return "has a character that cannot be kept (NUL, or half a surrogate pair)"
    return None
