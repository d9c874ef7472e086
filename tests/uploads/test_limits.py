"""Slow senders: given up in time, few at once, and in the way of nobody else."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from mutoscope.core.settings import UploadSettings
from mutoscope.uploads.limits import Places, TooManyUploads, UploadTooSlow, timely
from mutoscope.uploads.service import Description
from tests.servers.seaweedfs import SeaweedServer
from tests.storage.streams import MIB, collected, stream, stuck
from tests.world import RunnerProcess, runner_process, settings_for, world


async def drip(every_s: float) -> AsyncGenerator[bytes]:
    """A byte every so often, for ever."""
    while True:
        await asyncio.sleep(every_s)
        yield b"x"


async def test_a_body_that_stops_is_given_up() -> None:
    settings = UploadSettings(stalled_s=0.05)
    with pytest.raises(UploadTooSlow, match=r"0\.05 s"):
        await collected(timely(stuck(b"begun", reached=asyncio.Event()), settings))


async def test_a_body_that_never_stops_and_never_ends_is_given_up_too() -> None:
    with pytest.raises(UploadTooSlow):
        await asyncio.wait_for(collected(timely(drip(0.01), UploadSettings(stalled_s=20, max_s=0.1))), 20)


async def test_what_comes_in_time_comes_as_it_was() -> None:
    assert await collected(timely(stream(b"a", b"", b"b"), UploadSettings())) == b"ab"


def test_places_are_counted_and_given_back() -> None:
    places, settings = Places(), UploadSettings(max_parallel=3, max_parallel_per_account=2)
    with places.one("ann", settings), places.one("ann", settings):
        with pytest.raises(TooManyUploads, match="This account"), places.one("ann", settings):
            pass
        with places.one("bob", settings), pytest.raises(TooManyUploads), places.one("cid", settings):
            pass
        with places.one("cid", settings):
            pass
    with places.one("ann", settings), places.one("ann", settings):
        pass


@pytest.fixture(scope="session")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with runner_process(tmp_path_factory.mktemp("uploads-runner")) as server:
        yield server


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_stalled_uploads_hold_up_no_result_and_no_other_account(
    database_url: str, tmp_path: Path, runner: RunnerProcess, seaweedfs: SeaweedServer
) -> None:
    """In a real bucket, where each transfer needs a permit."""
    settings = settings_for(
        database_url,
        tmp_path,
        runner,
        **seaweedfs.new_bucket(),
    )
    async with world(settings, runner) as here:
        uploads, other = here.runtime.uploads, await here.runtime.accounts.create("somebody else")
        reached = [asyncio.Event() for _ in range(settings.uploads.max_parallel_per_account)]
        stalled = [
            asyncio.create_task(uploads.create(here.account_id, stuck(bytes(MIB), reached=one), described))
            for one in reached
        ]
        await asyncio.wait_for(asyncio.gather(*(one.wait() for one in reached)), 30)
        with pytest.raises(TooManyUploads):
            await uploads.create(here.account_id, stream(b"one more"), described)
        assert (await here.run("a result", size_bytes=100_000)).status == "completed"
        assert (await uploads.create(other.id, stream(b"his own"), described)).size_bytes == 7
        for one in stalled:
            one.cancel()
        await asyncio.gather(*stalled, return_exceptions=True)
        assert (await uploads.create(here.account_id, stream(b"now"), described)).size_bytes == 3


async def described() -> Description:
    return Description()
