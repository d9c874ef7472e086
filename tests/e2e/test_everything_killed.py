"""Pull the plug on everything in the middle of 100 generations, plug it in again, and count the money.

The service, the runner and (where there is one) PostgreSQL are real processes and are all killed with -9.
"""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mutoscope.client import AsyncClient
from tests.servers.postgres import postgres_server
from tests.world import CREDITS, RunnerProcess, runner_process

MANY = 100
PRICE = 2
MODELS = f"""
doubt_window_s = 10
[engine]
lease_s = 2
[admission]
max_in_flight_per_account = 40
[models.echo]
reference = "mutoscope/echo"
price = {{ per_run = {PRICE} }}
"""


class Service:
    """``mutoscope`` as a user starts it."""

    def __init__(self, directory: Path, database_url: str, runner: RunnerProcess, port: int) -> None:
        (directory / "mutoscope.toml").write_text(MODELS)
        self.url = f"http://127.0.0.1:{port}"
        self._port = port
        self._directory = directory
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith("MUTOSCOPE_")} | {
            "DATABASE_URL": database_url,
            "REPLICATE_BASE_URL": runner.url,
            "REPLICATE_API_TOKEN": "test",
            "REPLICATE_WEBHOOK_SECRET": runner.secret,
            "MUTOSCOPE_PUBLIC_URL": self.url,
            "MUTOSCOPE_DATA_DIR": str(directory / "data"),
        }

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "mutoscope", *arguments],
            cwd=self._directory,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    @contextmanager
    def running(self) -> Generator[subprocess.Popen[str]]:
        command = [sys.executable, "-m", "mutoscope", "serve", "--port", str(self._port)]
        with subprocess.Popen(
            command, cwd=self._directory, env=self._environment, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout
            while (line := process.stdout.readline()) and "serves" not in line:
                pass
            assert line, "the service did not start"
            try:
                yield process
            finally:
                process.kill()
                process.wait()


def _free_port() -> int:
    from tests.servers.processes import free_ports

    return free_ports(1)[0]


async def _accept_all(client: AsyncClient) -> list[str]:
    inputs = [{"text": f"plug {n}", "output": "file", "seconds": n % 3} for n in range(MANY)]
    made = await asyncio.gather(*(client.generate("echo", one, wait=False) for one in inputs))
    return [one.id for one in made]


async def _count(client: AsyncClient, ids: list[str], *statuses: str) -> int:
    rows = await asyncio.gather(*(client.get(one) for one in ids))
    return sum(row.status in statuses for row in rows)


async def _until_ended(client: AsyncClient, ids: list[str], at_least: int, timeout_s: float) -> None:
    async with asyncio.timeout(timeout_s):
        while await _count(client, ids, "completed", "failed", "canceled") < at_least:
            await asyncio.sleep(0.2)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
async def test_nothing_is_lost(kind: str, tmp_path: Path) -> None:
    if kind == "sqlite":
        await _pull_the_plug(tmp_path, f"sqlite:///{tmp_path}/mutoscope.db", None)
        return
    with postgres_server(durable=True) as server:
        url = await server.create_database()

        def power_cut() -> None:
            server.stop(kill=True)
            server.start()

        await _pull_the_plug(tmp_path, url, power_cut)


async def _pull_the_plug(directory: Path, database_url: str, cut_database: object) -> None:
    with runner_process(directory / "runner") as runner:
        service = Service(directory, database_url, runner, _free_port())
        assert service.command("migrate").returncode == 0
        account = json.loads(service.command("accounts", "create", "user-1", "--json").stdout)["id"]
        granted = service.command("credits", "grant", account, str(MANY * PRICE), "--type", CREDITS)
        assert granted.returncode == 0, granted.stderr
        key = json.loads(service.command("keys", "create", "--account", account, "--json").stdout)["secret"]
        with service.running() as process:
            async with AsyncClient(service.url, key) as client:
                ids = await _accept_all(client)
                await _until_ended(client, ids, 10, 60)
            process.kill()
        runner.kill()
    if callable(cut_database):
        cut_database()
    port = runner.url.rsplit(":", 1)[1]
    with runner_process(directory / "runner", "--port", port), service.running():
        async with AsyncClient(service.url, key) as client:
            await _until_ended(client, ids, MANY, 200)
            assert await _count(client, ids, "completed") == MANY
            (balance,) = await client.credits()
            assert (balance.available, balance.held, balance.spent) == (0, 0, MANY * PRICE)
        audit = service.command("audit", "--json")
        assert audit.returncode == 0, audit.stdout
