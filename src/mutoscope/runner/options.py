"""Reads what both command lines say about models of your own."""

from collections.abc import Sequence

from mutoscope.core.errors import ConfigurationError
from mutoscope.runner.account import OWNER
from mutoscope.runner.predictors.describe import default_name


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
