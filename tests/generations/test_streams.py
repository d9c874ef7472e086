"""Text while it is made: never more, less or other than the output, whatever is cut, lost, slow or taken over."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from sqlalchemy import select

from mutoscope.core.errors import NotFound
from mutoscope.core.settings import Settings
from mutoscope.generations.models import Generation, StreamPiece, StreamTape
from mutoscope.generations.service import NewGeneration
from mutoscope.generations.streams.positions import Position
from mutoscope.generations.streams.service import NotStreamed, TooManyReaders
from tests.generations.listening import MODELS, all_of, ask, follow, has_text, output, text
from tests.world import RunnerProcess, World, settings_for, until, world


@pytest.fixture
def settings(database_url: str, tmp_path: Path, runner: RunnerProcess) -> Settings:
    streams = {"max_readers_per_account": 3, "keep_alive_s": 0.2}
    return settings_for(database_url, tmp_path, runner, models=MODELS, streams=streams)


@pytest.fixture
async def here(settings: Settings, runner: RunnerProcess) -> AsyncGenerator[World]:
    async with world(settings, runner) as one:
        yield one


async def test_a_reader_gets_the_text_as_it_is_made_and_it_is_the_output(here: World) -> None:
    row = await ask(here, per_second=10)
    heard = await follow(here.runtime, row)
    assert text(heard) == await output(here, row) != ""
    pieces = [one for one in heard if one.kind == "output"]
    assert len(pieces) > 2, "it came in pieces, while it was made"
    assert all(one.kind != "restart" for one in heard)
    assert (heard[-1].kind, heard[-1].text) == ("done", "completed")
    assert await here.balance() == (997, 0, 3)
    assert await here.audit() == []


async def test_a_reader_may_go_on_anywhere(here: World) -> None:
    row = await ask(here)
    first = await follow(here.runtime, row, most=30)
    rest = await follow(here.runtime, row, first[-1].position)
    whole = await output(here, row)
    assert text(first) + text(rest) == whole
    for position in (Position(), first[0].position, first[-1].position, rest[-2].position, rest[-1].position):
        again = await follow(here.runtime, row, position)
        assert whole[: position.chars] + text(again) == whole
        assert again[-1].kind == "done"


async def test_many_readers_hear_the_same_from_one_connection(here: World) -> None:
    row = await ask(here)
    heard = await asyncio.gather(*(follow(here.runtime, row) for _ in range(3)))
    assert {text(one) for one in heard} == {await output(here, row)}


@pytest.mark.parametrize("every", [1, 3])
async def test_a_stream_that_is_cut_loses_nothing_and_costs_nothing(
    here: World, runner: RunnerProcess, every: int
) -> None:
    runner.plan({"do": {"stream_cut": every}, "when": {"model": "mutoscope/scribe"}})
    row = await ask(here, tokens=12)
    heard = await follow(here.runtime, row)
    assert text(heard) == await output(here, row)
    assert await here.balance() == (997, 0, 3)
    assert (await here.finish(row)).attempt == 1


async def test_a_second_attempt_begins_anew(here: World, runner: RunnerProcess) -> None:
    runner.plan({"do": {"preempt": True, "start_delay_s": 0.5}, "when": {"model": "mutoscope/scribe"}, "count": 1})
    row = await ask(here)
    heard = await follow(here.runtime, row)
    assert text(heard) == await output(here, row)
    assert heard[-1].position.attempt == 2
    (tape,) = await all_of(here.runtime, StreamTape)
    assert tape.attempt == 2  # whether it ended too depends on who was first: the row's end or the tape's


async def test_what_was_had_of_another_text_is_void(here: World) -> None:
    """The reader is told so, and gets the output from its beginning."""
    row = await ask(here)
    whole = await output(here, row)
    attempt = (await here.finish(row)).attempt
    for had in (Position(attempt + 1, 5), Position(attempt, len(whole) + 1), Position(9, 1)):
        heard = await follow(here.runtime, row, had)
        assert heard[0].kind == "restart"
        assert text(heard) == whole


async def test_a_tape_that_says_other_than_the_output_is_not_believed(here: World) -> None:
    row = await ask(here)
    await follow(here.runtime, row)
    async with here.runtime.database.write() as session:
        piece = (await session.scalars(select(StreamPiece).order_by(StreamPiece.start))).first()
        assert piece
        piece.text = "x" * len(piece.text)
    heard = await follow(here.runtime, row, Position((await here.finish(row)).attempt, 3))
    assert [heard[0].kind, text(heard)] == ["restart", await output(here, row)]


async def test_a_cancelled_stream_ends_as_such(here: World) -> None:
    row = await ask(here, tokens=2000, per_second=20)
    reading = asyncio.create_task(follow(here.runtime, row))
    await until(lambda: has_text(here.runtime))
    await here.runtime.generations.cancel(here.account_id, row.id)
    heard = await reading
    assert (heard[-1].kind, heard[-1].text) == ("done", "canceled")
    assert text(heard)
    assert await here.balance() == (1000, 0, 0)


async def test_a_failure_says_why(here: World) -> None:
    new = NewGeneration("echo", {"text": "x", "fail": "index out of range"}, stream=True)
    row = await here.runtime.generations.create(here.account_id, new)
    heard = await follow(here.runtime, row)
    assert [(one.kind, one.code) for one in heard[-2:]] == [("error", "provider_failed"), ("done", "")]
    assert (heard[-2].text, heard[-1].text) == ("index out of range", "failed")


async def test_a_model_without_a_stream_gives_its_text_at_the_end(here: World) -> None:
    new = NewGeneration("echo", {"text": "hello", "seconds": 0.6}, stream=True)
    row = await here.runtime.generations.create(here.account_id, new)
    heard = await follow(here.runtime, row)
    assert text(heard) == "hello"
    assert "nothing" in {one.kind for one in heard}, "a reader that waits is told that we live"


async def test_only_what_was_asked_for_is_streamed_and_only_to_its_account(here: World) -> None:
    row = await ask(here, stream=False)
    with pytest.raises(NotStreamed):
        await here.runtime.streams.open(here.account_id, row.id)
    other = await here.runtime.accounts.create("somebody else")
    with pytest.raises(NotFound):
        await here.runtime.streams.open(other.id, (await ask(here)).id)


async def test_readers_are_counted(here: World) -> None:
    row = await ask(here, tokens=400, per_second=50)
    readers = [asyncio.create_task(follow(here.runtime, row)) for _ in range(3)]
    await until(lambda: _refused(here, row))
    for one in readers:
        one.cancel()
    await asyncio.gather(*readers, return_exceptions=True)
    assert await here.runtime.streams.open(here.account_id, row.id)
    await here.runtime.generations.cancel(here.account_id, row.id)


async def _refused(here: World, row: Generation) -> bool:
    try:
        await here.runtime.streams.open(here.account_id, row.id)
    except TooManyReaders:
        return True
    return False


async def test_without_readers_nothing_is_fetched(here: World) -> None:
    row = await ask(here)
    await here.finish(row)
    assert await all_of(here.runtime, StreamTape) == []
    assert text(await follow(here.runtime, row)) == await output(here, row)
