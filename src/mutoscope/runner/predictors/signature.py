"""Reads a predictor's typed signature and writes the schema that Cog would."""

import enum
import inspect
import pathlib
import types
import typing
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, is_dataclass
from typing import Any, Literal, Union, cast

import pydantic

from mutoscope.core.errors import ConfigurationError
from mutoscope.runner.models.cog_schema import REQUIRED, TEXT_ITERATOR, Field, openapi_schema

_TYPES = {str: "string", int: "integer", float: "number", bool: "boolean"}
_OBJECTS = {dict, Any, inspect.Parameter.empty}


@dataclass(frozen=True, slots=True)
class Parameter:
    """One input: its type without ``None``, whether ``None`` was in it, and how often it comes."""

    name: str
    kind: Any
    optional: bool
    repeated: bool
    rules: Any

    @property
    def is_file(self) -> bool:
        """Whether it is given as a URL, and to the predictor as a path."""
        return inspect.isclass(self.kind) and issubclass(self.kind, pathlib.PurePath)

    @property
    def default(self) -> Any:
        """Its default, or ``REQUIRED``."""
        value = self.rules.default if hasattr(self.rules, "default") else self.rules
        if value is inspect.Parameter.empty or value is None:
            return None if self.optional else REQUIRED
        return value.value if isinstance(value, enum.Enum) else value


def parameters(function: Callable[..., Any]) -> list[Parameter]:
    """The inputs in the order of the signature. Raises ``ConfigurationError`` for one without a usable type."""
    hints = typing.get_type_hints(function)
    found: list[Parameter] = []
    for name, one in inspect.signature(function).parameters.items():
        if one.kind in {one.VAR_POSITIONAL, one.VAR_KEYWORD}:
            raise ConfigurationError(f"*{name} cannot be an input: name each one.")
        if name not in hints:
            raise ConfigurationError(f"The input {name!r} has no type.")
        kind, optional = _without_none(hints[name])
        repeated = typing.get_origin(kind) is list or kind is list
        item = (typing.get_args(kind) or (Any,))[0] if repeated else kind
        found.append(Parameter(name, item, optional, repeated, one.default))
    return found


def schema(function: Callable[..., Any]) -> dict[str, Any]:
    """The whole document of a predictor. Raises ``ConfigurationError``, which names the input that is wrong."""
    fields = tuple(_field(one) for one in parameters(function))
    return openapi_schema(fields, _output(typing.get_type_hints(function).get("return", Any)))


def _without_none(kind: Any) -> tuple[Any, bool]:
    if typing.get_origin(kind) not in {Union, types.UnionType}:
        return kind, False
    others = [one for one in typing.get_args(kind) if one is not type(None)]
    return (others[0] if len(others) == 1 else Any), len(others) < len(typing.get_args(kind))


def _field(one: Parameter) -> Field:
    rules = one.rules if hasattr(one.rules, "default") else None
    choices = tuple(getattr(rules, "choices", None) or _choices(one.kind))
    kind = _json_type(one, choices)
    return Field(
        name=one.name,
        type="array" if one.repeated else kind,
        description=getattr(rules, "description", None) or "",
        default=one.default,
        minimum=getattr(rules, "ge", None),
        maximum=getattr(rules, "le", None),
        min_length=getattr(rules, "min_length", None),
        max_length=getattr(rules, "max_length", None),
        pattern=getattr(rules, "regex", None),
        choices=() if one.repeated else choices,
        format="uri" if one.is_file and not one.repeated else None,
        items=_item(one, kind) if one.repeated else None,
    )


def _item(one: Parameter, kind: str | None) -> dict[str, Any]:
    return {**({"type": kind} if kind else {}), **({"format": "uri"} if one.is_file else {})}


def _choices(kind: Any) -> tuple[Any, ...]:
    if typing.get_origin(kind) is Literal:
        return typing.get_args(kind)
    if inspect.isclass(kind) and issubclass(kind, enum.Enum):
        return tuple(member.value for member in kind)
    return ()


def _json_type(one: Parameter, choices: tuple[Any, ...]) -> str | None:
    if one.is_file:
        return "string"
    if choices:
        return _TYPES.get(cast("type[Any]", type(choices[0])))
    if one.kind in _OBJECTS or typing.get_origin(one.kind) is dict:
        return "object" if one.kind is dict or typing.get_origin(one.kind) is dict else None
    for known in (bool, int, float, str):
        if inspect.isclass(one.kind) and issubclass(one.kind, known):
            return _TYPES[known]
    if getattr(one.kind, "__name__", "") == "Secret":
        return "string"
    raise ConfigurationError(f"The input {one.name!r} has the type {one.kind!r}, which cannot come as JSON.")


def _output(kind: Any) -> dict[str, Any]:
    kind, _ = _without_none(kind)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if inspect.isclass(origin) and issubclass(origin, Iterator | AsyncIterator):
        item = _output(arguments[0] if arguments else Any)
        concatenated = "Concatenate" in origin.__name__
        display = {"x-cog-array-display": "concatenate"} if concatenated else {}
        return {"type": "array", "items": item, "x-cog-array-type": TEXT_ITERATOR["x-cog-array-type"], **display}
    if origin is list:
        return {"type": "array", "items": _output(arguments[0] if arguments else Any)}
    if not inspect.isclass(kind):
        return {}
    return _plain_output(kind)


def _plain_output(kind: type[Any]) -> dict[str, Any]:
    if issubclass(kind, pathlib.PurePath):
        return {"type": "string", "format": "uri"}
    if issubclass(kind, pydantic.BaseModel) or is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        return {"type": "object", "properties": {name: _output(one) for name, one in hints.items()}}
    if issubclass(kind, dict):
        return {"type": "object"}
    return {"type": _TYPES[kind]} if kind in _TYPES else {}
