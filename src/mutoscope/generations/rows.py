"""A generation's row as a plain value, for reading: the columns as they were at one moment, free of any session.

It reads like a ``Generation`` and costs a fifth of one. Steps and answers need no more than that: nothing is ever
written through it.
"""

from collections.abc import Mapping
from typing import Any, cast

from sqlalchemy import Label, RowMapping, inspect

from mutoscope.generations.models import Generation

COLUMNS: tuple[Label[Any], ...] = tuple(
    attribute.columns[0].label(attribute.key) for attribute in inspect(Generation).column_attrs
)
"""What to select or return for ``seen``."""


class _Seen:
    """Attributes out of a mapping."""

    __slots__ = ("values",)

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values

    def __getattr__(self, name: str) -> Any:
        try:
            return self.values[name]
        except KeyError:
            raise AttributeError(f"a generation has no {name!r}") from None

    def __repr__(self) -> str:
        return f"<generation {self.values['id']} in phase {self.values['phase']}>"


def seen(row: RowMapping) -> Generation:
    """The generation of a row that was selected as ``COLUMNS``."""
    return cast("Generation", _Seen({str(name): value for name, value in row.items()}))


def changed(row: Generation, values: Mapping[str, Any]) -> Generation:
    """The row with some values as they are now."""
    return cast("Generation", _Seen({**cast("_Seen", row).values, **values}))
