"""Ctrl-C at any moment: the command ends, says 130 or that it stopped, and leaves nothing behind."""

import asyncio
import json
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpx
import pytest

from tests.cli.processes import left_behind
from tests.cli.shell import Running, Shell

# Runs `mutoscope` and presses Ctrl-C when a module is about to be imported, from inside a finalizer: there an exception
# cannot go anywhere, and Python drops it. By chance that happens to any signal that comes while modules are imported.
PRESS = """
import os, signal, sys

moment = sys.argv.pop(1)

class Press:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(1000):
            pass

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == moment:
            sys.meta_path.remove(self)
            Press()

sys.meta_path.insert(0, Finder())
from mutoscope.cli import main
main()
"""
ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
COMMANDS = {
    "serve": ["serve", "--port", "0"],
    "worker": ["worker"],
    "runner": ["runner", "--port", "0"],
    "demo": ["demo"],
    "generate": ["generate", "echo", "--key", "none", "-i", "seconds=60"],
}


async def _pressed(shell: Shell, at: str, command: list[str]) -> int:
    """How a command ends when Ctrl-C is pressed at the import of ``at``."""
    async with shell.start(at, *command, program=("-c", PRESS)) as running:
        status = await asyncio.wait_for(running.process.wait(), 60)
        errors = await running.errors()
        assert "Exception ignored" not in errors
        assert "Traceback" not in errors
        return status


@ON_SQLITE
@pytest.mark.parametrize("command", COMMANDS)
async def test_while_modules_are_imported(command: str, shell: Shell) -> None:
    module = "mutoscope.cli.demo.command" if command == "demo" else f"mutoscope.cli.{command}"
    for at in ("mutoscope.cli.app", "typer", module):
        assert await _pressed(shell, at, COMMANDS[command]) == 130


@ON_SQLITE
@pytest.mark.parametrize(
    ("command", "at", "status"),
    [
        ("serve", "aiosqlite", 130),
        ("serve", "uvicorn.protocols.http.auto", 0),
        ("worker", "aiosqlite", 130),
        ("runner", "mutoscope.runner.server", 130),
        ("runner", "uvicorn.lifespan.off", 0),
        ("demo", "aiosqlite", 0),
        ("generate", "httpcore._async.http11", 130),
    ],
)
async def test_when_the_command_has_begun(command: str, at: str, status: int, shell: Shell) -> None:
    empty = Shell(shell.directory) if command == "demo" else shell
    assert await _pressed(empty, at, COMMANDS[command]) == status
    assert left_behind(shell) == []


@ON_SQLITE
async def test_what_was_accepted_is_canceled_however_early_it_comes(shell: Shell) -> None:
    async with shell.start("serve", "--port", "0") as serving:
        user = await shell.connected(serving)
        await shell.ok("accounts", "create", "user-1")
        await shell.ok("credits", "grant", "user-1", "100")
        headers = {"Authorization": f"Bearer {user.env['MUTOSCOPE_API_KEY']}", "Mutoscope-Account": "user-1"}
        async with httpx.AsyncClient(base_url=f"{user.env['MUTOSCOPE_URL']}/v1", headers=headers) as http:
            for number in range(5):
                async with user.start("generate", "echo", "--account", "user-1", "-i", "seconds=60") as given_up:
                    await _accepted(http, given_up, number + 1)
                    assert await given_up.stop(signal.SIGINT) == 130
                    assert "is asked to end" in await given_up.errors()
            await _all_canceled(http)


async def _accepted(http: httpx.AsyncClient, command: Running, number: int) -> None:
    """Until there are so many generations: the answer may not even have reached the command."""
    async with asyncio.timeout(60):
        while len((await http.get("generations")).json()["data"]) < number:
            assert command.process.returncode is None


async def _all_canceled(http: httpx.AsyncClient) -> None:
    async with asyncio.timeout(60):
        while {one["status"] for one in (await http.get("generations")).json()["data"]} != {"canceled"}:
            await asyncio.sleep(0.1)


@pytest.mark.parametrize("insists", [False, True])
async def test_a_service_that_does_not_answer_holds_nobody_up(empty: Shell, insists: bool) -> None:
    """The first asks for the id of what may have been accepted, but not for long; the second ends it."""
    generate = ("generate", "echo", "--key", "none")
    async with _mute_service() as (url, posted), empty.start(*generate, "--url", url) as command:
        assert command.process.stderr
        await asyncio.wait_for(posted.wait(), 60)
        command.process.send_signal(signal.SIGINT)
        assert b"Ctrl-C again" in await asyncio.wait_for(command.process.stderr.readline(), 30)
        if insists:
            command.process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(command.process.wait(), 30) == 130
        assert ("may have accepted" in await command.errors()) != insists


@asynccontextmanager
async def _mute_service() -> AsyncGenerator[tuple[str, asyncio.Event]]:
    """Shows its model, and never answers whoever asks for a generation."""
    posted = asyncio.Event()
    price = {"text": "", "per_run": 1, "per_output": 0, "per_predict_second": 0, "max_outputs": 1}
    model = json.dumps({"alias": "echo", "description": "", "credit_type": "any", "price": price}).encode()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(model), model))
        if await reader.read(4) == b"POST":
            posted.set()
            await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", posted
