"""Visit every string of a JSON value, and build the same value from what the visits give back."""

from collections.abc import Callable
from typing import Any, cast


def map_strings(value: Any, visit: Callable[[str], Any]) -> Any:
    """The same value with each string that is not a name of a member replaced by what ``visit`` makes of it."""
    if isinstance(value, str):
        return visit(value)
    if isinstance(value, list):
        return [map_strings(item, visit) for item in cast("list[Any]", value)]
    if isinstance(value, dict):
        return {name: map_strings(item, visit) for name, item in cast("dict[str, Any]", value).items()}
    return value
