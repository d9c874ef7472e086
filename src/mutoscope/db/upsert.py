"""``INSERT … ON CONFLICT`` for whichever of the two databases a session talks to."""

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession


def upsert(session: AsyncSession, table: Table) -> postgresql.Insert:
    """An insert with ``on_conflict_do_nothing`` and ``on_conflict_do_update``.

    Both dialects spell these alike, so the PostgreSQL type stands for both.
    """
    if session.get_bind().dialect.name == "sqlite":
        return sqlite.insert(table)  # pyright: ignore[reportReturnType] - same methods, another class
    return postgresql.insert(table)
