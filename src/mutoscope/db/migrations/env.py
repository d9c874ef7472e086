"""Alembic's entry point: runs inside the connection and the transaction that ``db.migrate`` opened."""

from alembic import context
from sqlalchemy import Connection, text

LOCK = 0x6D75746F  # "muto": one migrator at a time on PostgreSQL; SQLite's own write lock does it there


def run() -> None:
    connection: Connection = context.config.attributes["connection"]
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({LOCK})"))
    context.configure(connection=connection, transactional_ddl=False, render_as_batch=True)
    context.run_migrations()


run()
