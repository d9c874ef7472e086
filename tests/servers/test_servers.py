"""The servers of the suite: they start, survive a crash, serve several processes and are never left behind."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from tests.servers.network import NetworkForbidden
from tests.servers.postgres import PostgresServer, postgres_server
from tests.servers.processes import Child, ServerFailed, wait_until
from tests.servers.shared import shared_server

ROOT = Path(__file__).parents[2]
USER = """
import sys, pathlib
from tests.servers.shared import shared_server
with shared_server("postgres", pathlib.Path(sys.argv[1])) as address:
    print(address["port"], flush=True)
    sys.stdin.read()
"""


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


async def read(dsn: str, statement: str) -> object:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


async def test_durable_postgres_keeps_what_it_confirmed_when_it_is_killed() -> None:
    with postgres_server(durable=True) as server:
        assert await read(server.dsn("postgres"), "SHOW fsync") == "on"
        assert await read(server.dsn("postgres"), "SHOW synchronous_commit") == "on"
        await server.execute("CREATE TABLE kept AS SELECT 42 AS value")
        server.restart(kill=True)
        assert await read(server.dsn("postgres"), "SELECT value FROM kept") == 42
    assert not listens(server.port)


async def test_postgres_refuses_a_wrong_password(postgres: PostgresServer) -> None:
    wrong = PostgresServer(postgres.port, "wrong")
    with pytest.raises(asyncpg.InvalidPasswordError):
        await wrong.execute("SELECT 1")


async def test_databases_are_copies_of_their_template_and_apart_from_each_other(postgres: PostgresServer) -> None:
    template = await postgres.create_database()
    plain = template.replace("+asyncpg", "")
    await read(plain, "CREATE TABLE notes AS SELECT 'from the template' AS text")
    one, other = await asyncio.gather(*(postgres.create_database(template.rpartition("/")[2]) for _ in range(2)))
    await read(one.replace("+asyncpg", ""), "DELETE FROM notes")
    assert await read(other.replace("+asyncpg", ""), "SELECT text FROM notes") == "from the template"
    for url in (one, other, template):
        await postgres.drop_database(url)
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await read(plain, "SELECT 1")


def test_a_shared_server_is_one_for_all_and_ends_after_the_last_user_however_that_one_dies(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", USER, str(tmp_path)]
    users = [
        subprocess.Popen(argv, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    try:
        ports = {int(user.stdout.readline()) for user in users if user.stdout is not None}
        with shared_server("postgres", tmp_path) as address:
            assert ports == {address["port"]}
        users[0].send_signal(signal.SIGKILL)
        users[0].wait()
        assert listens(address["port"])
    finally:
        for user in users:
            user.kill()
            user.communicate()
    wait_until(lambda: not listens(address["port"]), "PostgreSQL is gone")
    wait_until(lambda: not (tmp_path / "postgres.json").exists(), "its address is gone")


def test_a_child_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    script = """
import os, pathlib, signal, sys
from tests.servers.processes import Child
child = Child(["sleep", "600"], log=pathlib.Path(sys.argv[1]), orphan_signal=signal.SIGKILL)
print(child.process.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "log")], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == -signal.SIGKILL
    wait_until(lambda: not _runs(int(done.stdout)), "the child is gone")


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"


def test_a_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    child = Child(["sh", "-c", "echo no luck today; exit 3"], log=tmp_path / "log", orphan_signal=signal.SIGKILL)
    with pytest.raises(ServerFailed, match=r"ended with 3\nno luck today"):
        child.wait_until(lambda: False, "it starts")


def test_the_network_is_off() -> None:
    with pytest.raises(NetworkForbidden):
        socket.create_connection(("192.0.2.1", 80), timeout=1)
    with pytest.raises(NetworkForbidden):
        socket.getaddrinfo("example.org", 80)
    assert socket.getaddrinfo("localhost", 80)
