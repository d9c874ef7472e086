"""Fixtures that every room uses: real servers, a fresh database per test, and no network beyond this machine."""

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from mutoscope.db import Database
from tests.inngest.standin import standin_process
from tests.servers.network import forbid_network
from tests.servers.postgres import PostgresServer
from tests.servers.seaweedfs import SeaweedServer
from tests.servers.shared import locked, shared_server
from tests.servers.tls import Tls, make_tls

_TEMPLATE = "mutoscope_template"

forbid_network()

# A busy machine is slow, and that is no fault of the code under test.
settings.register_profile("mutoscope", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.load_profile("mutoscope")


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--matrix``: every engine on every database, for every outcome."""
    parser.addoption("--matrix", action="store_true", help="also what `make test` leaves out to end in time")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Slow tests first, so that no worker is left alone with them at the end."""
    items.sort(key=lambda item: "slow" not in item.keywords)
    if not config.getoption("--matrix"):
        items[:] = [item for item in items if not _is_rare(item)]


def _is_rare(item: pytest.Item) -> bool:
    """Of those that run with both engines: Inngest on SQLite, and all but the usual outcome of its crashes."""
    given = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
    if given.get("inngest_url") != "inngest":
        return False
    crashes = item.path.parent.name == "crash"
    return given.get("database_url") == "sqlite" or (crashes and given.get("name", "succeeded") != "succeeded")


@pytest.fixture(scope="session")
def session_dir(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """A folder of this test session, the same one for all its workers."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if hasattr(request.config, "workerinput") else base


@pytest.fixture(scope="session")
def postgres(session_dir: Path) -> Iterator[PostgresServer]:
    """A PostgreSQL server that all workers share: make databases on it, do not stop it."""
    with shared_server("postgres", session_dir) as address:
        yield PostgresServer(**address)


@pytest.fixture(scope="session")
def seaweedfs(session_dir: Path) -> Iterator[SeaweedServer]:
    """An S3 server that all workers share: make buckets on it, do not stop it."""
    with shared_server("seaweedfs", session_dir) as address:
        yield SeaweedServer(**address)


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    """A certificate for ``localhost`` that nobody trusts by himself."""
    return make_tls(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="session")
def inngest_standin() -> Iterator[str]:
    """Where something speaks Inngest's protocol."""
    with standin_process() as url:
        yield url


@pytest.fixture(params=["embedded", "inngest"])
def inngest_url(request: pytest.FixtureRequest) -> str | None:
    """For ``driven_by``: the test runs once with each engine."""
    return request.getfixturevalue("inngest_standin") if request.param == "inngest" else None


@pytest.fixture(params=["sqlite", "postgres"])
async def database_url(request: pytest.FixtureRequest, session_dir: Path, tmp_path: Path) -> AsyncIterator[str]:
    """The URL of a fresh, migrated database; the test runs once on each kind."""
    if request.param == "sqlite":
        yield await _sqlite_copy(session_dir, tmp_path / "mutoscope.db")
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    url = await _postgres_copy(server, session_dir)
    yield url
    await server.drop_database(url)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """The same database, opened; with connections enough for a race."""
    database = Database(database_url, pool_size=25)
    yield database
    await database.aclose()


async def _sqlite_copy(session_dir: Path, path: Path) -> str:
    from mutoscope.db.migrate import upgrade

    template = session_dir / "template.db"
    with locked(session_dir / "template.db.making"):
        if not template.exists():
            draft = session_dir / "template.draft.db"
            await upgrade(f"sqlite+aiosqlite:///{draft}")
            draft.rename(template)
    shutil.copyfile(template, path)
    return f"sqlite+aiosqlite:///{path}"


async def _postgres_copy(server: PostgresServer, session_dir: Path) -> str:
    from mutoscope.db.migrate import upgrade

    made = session_dir / f"template.postgres.{server.port}"  # of this server: it ends when nobody uses it for a moment
    with locked(session_dir / "template.postgres.making"):
        if not made.exists():
            await server.execute(f"DROP DATABASE IF EXISTS {_TEMPLATE}")
            await server.execute(f"CREATE DATABASE {_TEMPLATE}")
            await upgrade(server.url(_TEMPLATE))
            made.touch()
    return await server.create_database(_TEMPLATE)
