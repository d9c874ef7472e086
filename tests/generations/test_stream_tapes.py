"""The tape that readers share: one owner at a time, taken over when that one ends, dies or is slow."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from mutoscope.bootstrap import Runtime, open_runtime
from mutoscope.core.settings import Settings
from mutoscope.engines.chores import forget_streams
from mutoscope.generations.models import Generation, StreamPiece, StreamTape
from mutoscope.generations.service import NewGeneration
from mutoscope.generations.states import Phase
from mutoscope.generations.streams import tapes
from tests.generations.listening import MODELS, all_of, ask, follow, has_text, output, text
from tests.providers.servers import answer, scripted_server
from tests.world import RunnerProcess, World, settings_for, until, world


@pytest.fixture
def settings(database_url: str, tmp_path: Path, runner: RunnerProcess) -> Settings:
    streams = {"max_readers_per_account": 3, "keep_alive_s": 0.2}
    return settings_for(database_url, tmp_path, runner, models=MODELS, streams=streams)


@pytest.fixture
async def here(settings: Settings, runner: RunnerProcess) -> AsyncGenerator[World]:
    async with world(settings, runner) as one:
        yield one


async def test_two_processes_share_one_tape_and_one_goes_on_when_the_other_ends(
    here: World, settings: Settings
) -> None:
    async with open_runtime(settings) as other:
        row = await ask(here, tokens=150, per_second=20)
        first = asyncio.create_task(follow(here.runtime, row, most=60))
        await until(lambda: has_text(here.runtime))
        (tape,) = await all_of(other, StreamTape)
        second = asyncio.create_task(follow(other, row))
        begun = await first
        await until(lambda: _goes_on(other, tape.owner, len(text(begun))))
        heard = await second
        assert text(heard) == await output(here, row)
        assert text(heard).startswith(text(begun))


async def _goes_on(runtime: Runtime, without: str, behind: int) -> bool:
    (tape,) = await all_of(runtime, StreamTape)
    return tape.owner not in (None, without) and tape.chars > behind


@pytest.mark.parametrize("owner", ["here", "dead"])
async def test_a_text_whose_events_have_no_ids_is_never_repeated(here: World, owner: str) -> None:
    async with scripted_server() as server:
        server.will(answer(200, b"event: output\ndata: we\n\n", Content_Type="text/event-stream"))
        new = NewGeneration("echo", {"text": "well", "seconds": 6}, stream=True)
        row = await here.runtime.generations.create(here.account_id, new)
        await until(lambda: _awaits(here, row))
        row = await here.runtime.generations.get(here.account_id, row.id)
        async with here.runtime.database.write() as session:
            await session.execute(update(Generation).values(stream_url=f"{server.url}/stream"))
            if owner == "dead":
                long_ago = here.runtime.clock.now() - tapes.LIFE * 2
                tape = await tapes.take(session, row, "dead", now=long_ago)
                assert tape
                await tapes.append(session, tape, "we", last_event_id=None, ended=False, now=long_ago)
        heard = await follow(here.runtime, row)
        assert [one.text for one in heard if one.kind in ("output", "restart")] == ["we", "ll"]
        assert len(server.asked) == (owner == "here")


async def test_a_dead_owners_tape_is_taken_over(here: World) -> None:
    row = await ask(here, tokens=60, per_second=50)
    await until(lambda: _runs(here, row))
    current = await here.runtime.generations.get(here.account_id, row.id)
    now = here.runtime.clock.now()
    async with here.runtime.database.write() as session:
        assert await tapes.take(session, current, "pump_that_died", now=now - tapes.LIFE * 0.8)
        assert await tapes.take(session, current, "pump_too_early", now=now - tapes.LIFE * 0.5) is None
    heard = await follow(here.runtime, row)
    assert text(heard) == await output(here, row)


async def test_an_owner_that_was_slow_writes_no_more(here: World) -> None:
    row = await here.finish(await ask(here))
    now = here.runtime.clock.now()
    async with here.runtime.database.write() as session:
        mine = await tapes.take(session, row, "mine", now=now)
        assert mine
        mine = await tapes.append(session, mine, "some", last_event_id="1", ended=False, now=now)
        session.expunge(mine)
        theirs = await tapes.take(session, row, "theirs", now=now + tapes.LIFE * 2)
        assert theirs
        assert (theirs.chars, theirs.last_event_id) == (4, "1")
        with pytest.raises(tapes.TapeLost):
            await tapes.append(session, mine, "more", last_event_id="2", ended=False, now=now)


async def test_old_tapes_are_forgotten_and_the_output_stays(here: World) -> None:
    row = await ask(here)
    heard = await follow(here.runtime, row)
    clock = _Later(here.runtime.clock.now())
    await forget_streams(here.runtime.database, clock)()
    assert await all_of(here.runtime, StreamTape) == []
    assert await all_of(here.runtime, StreamPiece) == []
    middle = replace(heard[-1].position, chars=7)
    again = await follow(here.runtime, row, middle)
    assert text(again) == text(heard)[7:]


class _Later:
    """A clock two hours ahead."""

    def __init__(self, now: datetime) -> None:
        self._now = now + timedelta(hours=2)

    def now(self) -> datetime:
        return self._now


async def _awaits(here: World, row: Generation) -> bool:
    return (await here.runtime.generations.get(here.account_id, row.id)).phase == Phase.AWAIT


async def _runs(here: World, row: Generation) -> bool:
    return (await here.runtime.generations.get(here.account_id, row.id)).stream_url is not None
