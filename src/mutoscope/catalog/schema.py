"""Checks an input against a model's schema before anything is charged, and says all that is wrong with it.

Defaults are not filled in: the provider does that, and the input is kept as the user wrote it.
"""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from jsonschema_rs import Draft4Validator, Draft202012Validator, ValidationError, ValidationErrorKind

from mutoscope.core.errors import InvalidRequest, Unavailable
from mutoscope.core.json_limits import find_fault, pointer_part
from mutoscope.replicate_protocol.schemas import JsonSchema, gives_files, input_properties, input_schema

MAX_INPUT_BYTES = 1024 * 1024
MAX_ERRORS = 20
MAX_TEXT = 200

Problem = dict[str, str]


class InvalidInput(InvalidRequest):
    """The input does not fit the model. ``extra["errors"]``: a list of ``path`` (JSON Pointer) and ``message``."""

    code, title = "invalid_input", "The input does not fit the model"


class InputSchema:
    """The compiled ``Input`` of one model.

    Args:
        openapi_schema: The document that the provider publishes for the model.

    Raises:
        Unavailable: The document is broken or points elsewhere, so that no input can be checked.
    """

    def __init__(self, openapi_schema: Mapping[str, Any]) -> None:
        self.json_schema: JsonSchema = input_schema(openapi_schema) or {"type": "object"}
        self.properties = input_properties(openapi_schema)
        self.gives_files = gives_files(openapi_schema)
        self._open = not self.properties or bool(self.json_schema.get("additionalProperties", False))
        self._validator = _compile(self.json_schema)

    def check(self, value: Mapping[str, Any], *, max_bytes: int = MAX_INPUT_BYTES) -> None:
        """Accept ``value``, or say everything that is wrong with it.

        Raises:
            InvalidInput: With at most ``MAX_ERRORS`` errors, none of which repeats what was sent at length.
        """
        problems = self._problems(value, max_bytes)
        if problems:
            said = "; ".join(f"{one['path'] or 'input'} {one['message']}" for one in problems[:3])
            raise InvalidInput(f"The input does not fit the model's schema: {said[:500]}", errors=problems)

    def _problems(self, value: Mapping[str, Any], max_bytes: int) -> list[Problem]:
        if fault := find_fault(value, max_bytes=max_bytes):
            return [_problem(fault.path, fault.message)]
        problems = list(self._unknown(value))[:MAX_ERRORS]
        for error in self._validator.iter_errors(value):
            for one in _plain(error):
                if len(problems) == MAX_ERRORS:
                    return problems
                path = "".join(f"/{pointer_part(part)}" for part in one.instance_path)
                problems.append(_problem(path, one.message.removeprefix("value ")))
        return problems

    def _unknown(self, value: Mapping[str, Any]) -> Iterator[Problem]:
        if self._open:
            return
        for name in value:
            if name not in self.properties:
                near = get_close_matches(name[:100], self.properties, n=1)
                yield _problem(
                    f"/{pointer_part(name)}",
                    f"is not an input of this model; did you mean {near[0]!r}?" if near else
                    f"is not an input of this model; its inputs are {', '.join(self.properties)}",
                )  # fmt: skip


def _compile(schema: JsonSchema) -> Draft202012Validator | Draft4Validator:
    try:
        return Draft202012Validator(schema, offline=True, mask="value")
    except ValueError:
        # OpenAPI 3.0 took `exclusiveMinimum: true` from JSON Schema's draft 4.
        try:
            return Draft4Validator(schema, offline=True, mask="value", validate_formats=False)  # as in later drafts
        except ValueError as error:
            raise Unavailable("The model's own schema is broken, so its input cannot be checked") from error


def _plain(error: ValidationError) -> list[ValidationError]:
    """For a value that may be null: what is wrong with it as a value, rather than that no choice fits."""
    if isinstance(error.kind, ValidationErrorKind.AnyOf):
        branches = [branch for branch in error.kind.context if not _wants_null(branch)]
        if len(branches) == 1:
            return branches[0]
    return [error]


def _wants_null(branch: list[ValidationError]) -> bool:
    return any(one.message.endswith('is not of type "null"') for one in branch)


def _problem(path: str, message: str) -> Problem:
    return {"path": path[:MAX_TEXT], "message": message if len(message) <= MAX_TEXT else message[: MAX_TEXT - 1] + "…"}
