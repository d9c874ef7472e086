"""Text with carriage returns, which no event can carry: it streams, goes on anywhere, and is never begun anew."""

from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import httpx
import pytest

from mutoscope.generations.streams.positions import Position, parse_position
from tests.api.service import Person, Service, service
from tests.api.sse import read, text
from tests.compat.door import Door
from tests.world import RunnerProcess, runner_process, settings_for

TYPIST = Path(__file__).parents[1] / "runner" / "predictors" / "typist.py"
PIECES = ["line1\r\nline2 ", "line3\rline4", "\r", "\nline5", "\r\n", "\n\r end"]
ARRIVES = "line1\nline2 line3\nline4\n\nline5\n\n\n end"


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunnerProcess]:
    with runner_process(tmp_path_factory.mktemp("typist"), "--model", f"{TYPIST}:Typist") as one:
        yield one


@pytest.fixture
async def here(database_url: str, tmp_path: Path, runner: RunnerProcess) -> AsyncGenerator[Service]:
    typist = {"reference": "local/typist", "price": {"per_run": 3}, "stream": True}
    settings = settings_for(database_url, tmp_path, runner, models={"typist": typist})
    async with service(settings, runner, webhooks=True) as one:
        yield one


async def _goes_on_anywhere(http: httpx.AsyncClient, url: str) -> None:
    live = await read(http, url)
    assert {one.event for one in live} == {"output", "done"}
    assert len(live) > 2, "it came while it was made"
    assert text(live) == ARRIVES
    end = parse_position(live[-1].id)
    assert end.chars == len(ARRIVES)
    for chars in range(1, end.chars + 1):
        again = await read(http, url, str(Position(end.attempt, chars)))
        assert {one.event for one in again} <= {"output", "done"}
        assert text(again) == ARRIVES[chars:]


async def test_at_the_front_door(anns: Door) -> None:
    body = {"input": {"text": "|".join(PIECES)}}
    made = (await anns.http.post("models/local/typist/predictions", json=body)).json()
    async with httpx.AsyncClient(timeout=60) as http:
        await _goes_on_anywhere(http, made["urls"]["stream"])
    assert (await anns.get(made["id"]))["output"] == PIECES


async def test_in_our_own_api(ann: Person) -> None:
    body = {"model": "typist", "input": {"text": "|".join(PIECES)}}
    made = (await ann.http.post("/v1/generations", json=body)).json()
    await _goes_on_anywhere(ann.http, made["stream"])
    assert (await ann.http.get(f"/v1/generations/{made['id']}")).json()["output"] == PIECES
