"""The migrations make what the models say, once, however often and by however many they are run."""

import asyncio
import sys
from collections.abc import AsyncIterator
from importlib import import_module
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import CheckConstraint, Connection, inspect, text
from sqlalchemy.exc import DBAPIError

import mutoscope
from mutoscope.core.errors import ConfigurationError, Unavailable
from mutoscope.db import Base, Database
from mutoscope.db.migrate import current, head, upgrade
from tests.servers.postgres import PostgresServer

PROCESSES = 8

for _models in Path(mutoscope.__file__).parent.glob("*/models.py"):  # each declares its tables
    import_module(f"mutoscope.{_models.parent.name}.models")


@pytest.fixture(params=["sqlite", "postgres"])
async def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """The URL of a database in which there is nothing yet."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'deep' / 'mutoscope.db'}"
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    url = await server.create_database()
    yield url
    await server.drop_database(url)


async def _differences(url: str) -> list[object]:
    def compare(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        return list(compare_metadata(context, Base.metadata))

    database = Database(url)
    async with database.read() as session:
        found = await (await session.connection()).run_sync(compare)
    await database.aclose()
    return found


async def _checks(url: str) -> dict[str, set[str]]:
    """The names of all CHECK constraints, which ``compare_metadata`` does not look at."""

    def read(connection: Connection) -> dict[str, set[str]]:
        look = inspect(connection)
        return {name: {str(one["name"]) for one in look.get_check_constraints(name)} for name in Base.metadata.tables}

    database = Database(url)
    async with database.read() as session:
        found = await (await session.connection()).run_sync(read)
    await database.aclose()
    return found


async def test_a_fresh_database_is_what_the_models_say(empty_url: str) -> None:
    await upgrade(empty_url)
    assert await _differences(empty_url) == []
    declared = {
        name: {str(one.name) for one in table.constraints if isinstance(one, CheckConstraint)}
        for name, table in Base.metadata.tables.items()
    }
    assert await _checks(empty_url) == declared


async def test_the_comparison_would_see_a_difference(empty_url: str) -> None:
    await upgrade(empty_url)
    database = Database(empty_url)
    async with database.write() as session:
        await session.execute(text("DROP INDEX ix_credit_lots_expiry"))
        await session.execute(text("ALTER TABLE accounts ADD COLUMN nonsense INTEGER"))
    await database.aclose()
    assert len(await _differences(empty_url)) == 2


async def test_upgrading_again_keeps_what_is_there(empty_url: str) -> None:
    await upgrade(empty_url)
    database = Database(empty_url)
    async with database.write() as session:
        await session.execute(
            text(
                "INSERT INTO accounts (id, external_id, priority, metadata, created_at) "
                "VALUES ('acct_1', 'user-1', 0, '{}', '2026-01-01 00:00:00')"
            )
        )
    await upgrade(empty_url)
    async with database.read() as session:
        assert await session.scalar(text("SELECT count(*) FROM accounts")) == 1
    assert await current(database) == head()
    await database.aclose()


async def test_an_empty_database_has_no_revision(empty_url: str) -> None:
    database = Database(empty_url)
    assert await current(database) is None
    await database.aclose()


async def test_a_migration_that_fails_leaves_nothing_behind(empty_url: str) -> None:
    database = Database(empty_url)
    async with database.write() as session:
        await session.execute(text("CREATE TABLE output_files (id INTEGER)"))  # in the way of one of the last tables
    with pytest.raises((DBAPIError, Unavailable)):
        await upgrade(empty_url)
    async with database.write() as session:
        await session.execute(text("DROP TABLE output_files"))
    await database.aclose()
    await upgrade(empty_url)
    assert await _differences(empty_url) == []


FORK_AND_UPGRADE = """
import os, sys
from mutoscope.db.migrate import head, upgrade_sync

head()  # whatever is imported late is imported now, once
children = []
for _ in range(int(sys.argv[2])):
    child = os.fork()
    if child == 0:
        upgrade_sync(sys.argv[1])
        os._exit(0)
    children.append(child)
sys.exit(sum(os.waitpid(child, 0)[1] != 0 for child in children))
"""


async def test_eight_processes_may_upgrade_at_once(empty_url: str) -> None:
    argv = [sys.executable, "-c", FORK_AND_UPGRADE, empty_url, str(PROCESSES)]
    upgrading = await asyncio.create_subprocess_exec(*argv, stderr=asyncio.subprocess.PIPE)
    async with asyncio.timeout(90):
        _, errors = await upgrading.communicate()
    assert upgrading.returncode == 0, errors.decode()
    assert await _differences(empty_url) == []


async def test_a_purchase_that_was_granted_twice_stops_the_migration_until_it_is_cleared(empty_url: str) -> None:
    await upgrade(empty_url, revision="0002_output_order")
    database = Database(empty_url)
    async with database.write() as session:
        for name in ("a", "b"):
            await session.execute(text(AN_ACCOUNT), {"id": f"acct_{name}"})
            await session.execute(text(A_PURCHASE), {"id": f"lot_{name}", "account_id": f"acct_{name}"})
    with pytest.raises(ConfigurationError, match="pi_1"):
        await upgrade(empty_url)
    async with database.write() as session:
        await session.execute(text("UPDATE credit_lots SET source = 'adjustment' WHERE id = 'lot_b'"))
    await upgrade(empty_url)
    assert await current(database) == head()
    await database.aclose()


AN_ACCOUNT = (
    "INSERT INTO accounts (id, external_id, priority, metadata, created_at) "
    "VALUES (:id, :id, 0, '{}', '2026-01-01 00:00:00')"
)
A_PURCHASE = (
    "INSERT INTO credit_lots (id, account_id, credit_type, source, external_id, priority, amount, remaining, held, "
    "spent, expired, created_at) "
    "VALUES (:id, :account_id, 'images', 'purchase', 'pi_1', 0, 5, 5, 0, 0, 0, '2026-01-01 00:00:00')"
)
