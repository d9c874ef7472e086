"""The names that a Cog-style predictor imports, for machines where ``cog`` itself is not installed.

``from mutoscope.runner.cog import BasePredictor, Input, Path`` works everywhere; a file that imports from ``cog`` gets
these when there is no ``cog``. They follow Cog's Python reference (https://github.com/replicate/cog, docs/python.md).
"""

import pathlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

Item = TypeVar("Item")


class BaseRunner:
    """A model: ``setup`` loads it once, ``run`` (or ``predict``) answers one input."""

    def setup(self) -> None:
        """Load what every prediction needs; called once in each process."""


class BasePredictor(BaseRunner):
    """The older name."""


class BaseModel:
    """An output of several named parts: a dataclass."""

    def __init_subclass__(cls) -> None:
        """Make each one a dataclass."""
        super().__init_subclass__()
        dataclass(cls)


@dataclass(frozen=True, slots=True)
class FieldInfo:
    """What ``Input`` says about one input."""

    default: Any = None
    description: str | None = None
    ge: float | None = None
    le: float | None = None
    min_length: int | None = None
    max_length: int | None = None
    regex: str | None = None
    choices: list[Any] | None = None


def Input(default: Any = None, **rules: Any) -> Any:  # noqa: N802 - Cog's name
    """The default of an input and the rules it must keep; without a default it is required, unless it may be None.

    Args:
        default: The value when it is left out.
        **rules: ``description``, ``ge``, ``le``, ``min_length``, ``max_length``, ``regex`` and ``choices``.
    """
    known = {name: rule for name, rule in rules.items() if name in FieldInfo.__slots__}
    return FieldInfo(default, **known)


class Path(pathlib.PosixPath):
    """A file: as an input it has been fetched, as an output it is kept and served."""


class Secret(str):
    """A text that does not show itself."""

    __slots__ = ()

    def get_secret_value(self) -> str:
        """The text."""
        return str.__str__(self)

    def __repr__(self) -> str:
        return "Secret('**********')"


class ConcatenateIterator(Iterator[Item]):
    """Text that comes in pieces."""


class AsyncConcatenateIterator(AsyncIterator[Item]):
    """Text that comes in pieces, from a coroutine."""


class CancelationException(Exception):
    """Raised in a prediction that somebody cancelled."""
