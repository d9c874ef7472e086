"""kill -9 while text is written down: what the reader had been told stands, and it goes on where it was."""

import asyncio
import json
import multiprocessing
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from mutoscope.bootstrap import Runtime, open_runtime, running
from mutoscope.core.settings import Settings
from mutoscope.generations.models import Generation
from mutoscope.generations.service import NewGeneration
from mutoscope.generations.streams.positions import parse_position, text_of
from tests.crash.outcomes import STREAM_POINTS
from tests.crash.victim import DEADLINE_S
from tests.world import PRICE, RunnerProcess, grant, runner_process, settings_for, world

POINTS = [*STREAM_POINTS, *(f"{point}@6" for point in STREAM_POINTS)]
NEW = NewGeneration(
    "scribe", {"prompt": "coin", "max_tokens": 60, "tokens_per_second": 30}, idempotency_key="the-one", stream=True
)


@pytest.fixture(scope="session")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunnerProcess]:
    with runner_process(tmp_path_factory.mktemp("crash-streams-runner")) as server:
        yield server


@pytest.mark.slow
@pytest.mark.parametrize("point", POINTS)
async def test_a_reader_outlives_the_process(
    point: str, database_url: str, tmp_path: Path, runner: RunnerProcess
) -> None:
    models = {"scribe": {"reference": "mutoscope/scribe", "price": {"per_run": PRICE}}}
    settings = settings_for(database_url, tmp_path, runner, models=models, engine={"lease_s": 1, "sweep_s": 0.1})
    async with open_runtime(settings) as runtime:
        account = await runtime.accounts.create("user-1")
        await grant(runtime, account.id, 100)
    heard = tmp_path / "heard"
    heard.touch()

    assert _run_until_killed(settings.model_dump() | {"kill_at": point}, account.id, heard) == -9

    told = [json.loads(line) for line in heard.read_text().splitlines()]
    async with world(settings, runner, credits=100) as after:
        row = await after.runtime.generations.create(account.id, NEW)
        rest = await _follow(after.runtime, row, told[-1]["id"] if told else None)
        ended = await after.runtime.generations.wait(account.id, row.id, timeout_s=DEADLINE_S)
        assert {one["kind"] for one in rest} <= {"output", "done"}, "nothing that was told is taken back"
        assert "".join(one["text"] for one in (*told, *rest) if one["kind"] == "output") == text_of(ended.output)
        assert (ended.status, ended.attempt) == ("completed", 1)
        assert await after.audit() == []


def _run_until_killed(settings: dict[str, Any], account_id: str, heard: Path) -> int | None:
    context = multiprocessing.get_context("forkserver")
    process = context.Process(target=_main, args=(settings, account_id, heard))
    process.start()
    process.join(DEADLINE_S)
    process.kill()
    process.join()
    return process.exitcode


def _main(settings: dict[str, Any], account_id: str, heard: Path) -> None:
    asyncio.run(_serve(Settings.model_validate(settings), account_id, heard))


async def _serve(settings: Settings, account_id: str, heard: Path) -> None:
    async with open_runtime(settings) as runtime, running(runtime):
        row = await runtime.generations.create(account_id, NEW)
        await _follow(runtime, row, None, heard)


async def _follow(runtime: Runtime, row: Generation, last: str | None, heard: Path | None = None) -> list[Any]:
    """What a reader is told until the end; each piece of text is also written to ``heard`` at once."""
    told: list[Any] = []
    opened = await runtime.streams.open(row.account_id, row.id)
    async with asyncio.timeout(DEADLINE_S):
        async for news in runtime.streams.follow(opened, parse_position(last), asyncio.Event()):
            one = {"kind": news.kind, "id": str(news.position), "text": news.text}
            if news.kind != "nothing":
                told.append(one)
            if heard and news.kind == "output":
                with heard.open("a") as file:
                    file.write(json.dumps(one) + "\n")
    return told
