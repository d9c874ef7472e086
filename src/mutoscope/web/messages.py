"""What pydantic finds wrong, in words for people who see the API and not the code."""

from collections.abc import Mapping
from typing import Any

MAX_CHARS = 300
# Pydantic names our classes, and types of Python, where JSON has only objects.
_OBJECT_WANTED = frozenset({"dict_type", "model_type", "model_attributes_type", "mapping_type", "dataclass_type"})


def said_plainly(error: Mapping[str, Any]) -> str:
    """The message of one of ``ValidationError.errors()``."""
    if error["type"] in _OBJECT_WANTED:
        return "must be a JSON object"
    return str(error["msg"])[:MAX_CHARS]
