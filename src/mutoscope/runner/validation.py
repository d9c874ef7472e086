"""Checks an input against a model's schema and says what is wrong the way Replicate does."""

from typing import Any

import jsonschema_rs

from mutoscope.replicate_protocol.schemas import component, input_defaults, input_properties, input_schema
from mutoscope.runner.problems import InvalidInput

_MAX_SHOWN = 20


class InputCheck:
    """The compiled schema of one model's inputs, or of its trainings'."""

    def __init__(self, openapi_schema: dict[str, Any]) -> None:
        self._validator = jsonschema_rs.validator_for(input_schema(openapi_schema) or {})
        self._defaults = input_defaults(openapi_schema)
        self._names = frozenset(input_properties(openapi_schema))
        self._takes_anything = (component(openapi_schema, "Input") or {}).get("additionalProperties") is True

    def complete(self, given: dict[str, Any]) -> dict[str, Any]:
        """The input as the model gets it: checked, defaults filled in, unknown names dropped as Cog drops them.

        Where the schema says that there are more inputs than it names, all are kept.

        Raises:
            InvalidInput: With one entry in ``invalid_fields`` per fault.
        """
        fields: list[dict[str, str]] = []
        for error in self._validator.iter_errors(given):
            path = ".".join(["input", *(str(part) for part in error.instance_path)])
            kind = str(error.schema_path[-1]) if error.schema_path else "invalid"
            fields.append({"type": kind, "field": path, "description": error.message[:300]})
            if len(fields) == _MAX_SHOWN:
                break
        if fields:
            detail = "".join(f"- {one['field']}: {one['description']}\n" for one in fields)
            raise InvalidInput(detail, invalid_fields=fields)
        known = given if self._takes_anything else {name: one for name, one in given.items() if name in self._names}
        return {**self._defaults, **known}
