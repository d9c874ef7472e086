"""``INSERT … ON CONFLICT`` for whichever of the two databases a session talks to."""

from collections.abc import Callable
from functools import cache
from typing import Any

from sqlalchemy import Executable, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession


def upsert(session: AsyncSession, table: Table[Any]) -> postgresql.Insert:
    """An insert with ``on_conflict_do_nothing`` and ``on_conflict_do_update``.

    Both dialects spell these alike, so the PostgreSQL type stands for both.
    """
    return _insert(session.get_bind().dialect.name, table)


def built_once(table: Table[Any], build: Callable[[postgresql.Insert], Executable]) -> Callable[[AsyncSession], Any]:
    """The same for a hot path: ``build`` is called once for each dialect, and its statement used again and again.

    Building a statement costs more than sending it.
    """

    @cache
    def statement(dialect: str) -> Executable:
        return build(_insert(dialect, table))

    return lambda session: statement(session.get_bind().dialect.name)


def _insert(dialect: str, table: Table[Any]) -> postgresql.Insert:
    if dialect == "sqlite":
        return sqlite.insert(table)  # pyright: ignore[reportReturnType] - same methods, another class
    return postgresql.insert(table)
