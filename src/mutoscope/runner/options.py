"""Reads what both command lines say: the file of ``--config``, and models of your own."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from mutoscope.core.errors import ConfigurationError
from mutoscope.runner.account import OWNER
from mutoscope.runner.config import RunnerConfig
from mutoscope.runner.predictors.describe import default_name


def read_config(path: Path | None) -> dict[str, Any]:
    """The fields in the file of ``--config``, if there is one. Raises ``ConfigurationError``."""
    try:
        fields: object = json.loads(path.read_bytes()) if path else {}
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path} is not a JSON file that can be read: {error}.") from error
    if not isinstance(fields, dict):
        raise ConfigurationError(f"{path} must hold a JSON object.")
    return cast("dict[str, Any]", fields)


def configured(fields: Mapping[str, Any]) -> RunnerConfig:
    """The configuration of these fields. Raises ``ConfigurationError``, which names the first that is wrong."""
    try:
        return RunnerConfig.model_validate(dict(fields))
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden" and field in fields:
            known = ", ".join(RunnerConfig.model_fields)
            raise ConfigurationError(f"The runner has no field {field!r}; it has {known}.") from error
        raise ConfigurationError(f"The runner's field {field!r} is not valid: {first['msg']}.") from error


def predictors(values: Sequence[str]) -> dict[str, str]:
    """``[NAME=]PATH.py[:CLASS]`` by full name; without a name it is the file's, or a ``predict.py``'s folder's."""
    named: dict[str, str] = {}
    for value in values:
        name, equals, reference = value.partition("=")
        _put(named, full_name(name) if equals else default_name(value), reference if equals else value)
    return named


def upstreams(values: Sequence[str]) -> dict[str, str]:
    """``NAME=URL`` or ``NAME=COMMAND`` by full name. Raises ``ConfigurationError``."""
    named: dict[str, str] = {}
    for value in values:
        name, equals, place = value.partition("=")
        if not equals or not place:
            raise ConfigurationError(f"{value!r} must be NAME=URL or NAME=COMMAND.")
        _put(named, full_name(name), place)
    return named


def full_name(name: str) -> str:
    """``owner/name``; a name alone belongs to this runner's account."""
    return name if "/" in name else f"{OWNER}/{name}"


def _put(named: dict[str, str], name: str, value: str) -> None:
    if name in named:
        raise ConfigurationError(f"There are two models of the name {name!r}.")
    named[name] = value
