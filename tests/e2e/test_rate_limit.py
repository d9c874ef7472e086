"""2,000 generations against a provider that limits creates: none lost or doubled, hardly a 429, and fair to the small.

Six times as fast as in life: 3,600 creates a minute for Replicate's 600. Fairness is a matter of whose turn it is, so
it is judged by how many creates came between a request and its own, which does not depend on how busy the machine is.
"""

import asyncio
import json
import math
import sys
from bisect import bisect
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import ColumnElement, func, select

from mutoscope.bootstrap import open_runtime
from mutoscope.generations.models import Attempt, Generation
from mutoscope.generations.states import Phase, Status
from tests.world import PRICE, RunnerProcess, World, grant, runner_process, settings_for, until, world

WHALE, SMALL, EACH = 1900, 10, 10
PER_MINUTE = 3600
BURST = 20
# Larger than ours by what is on its way: the first create takes longer to arrive than those after it.
PROVIDERS_BURST = 60
ADMISSION = {
    "creates_per_minute": PER_MINUTE,
    "burst": BURST,
    "max_in_flight": 1000,
    "max_in_flight_per_account": 500,
    "net_polls_per_minute": 1200,
}


@contextmanager
def _limited_runner(directory: Path) -> Generator[RunnerProcess]:
    directory.mkdir()
    config = directory / "config.json"
    config.write_text(json.dumps({"create_limit": {"per_minute": PER_MINUTE, "burst": PROVIDERS_BURST}}))
    with runner_process(directory / "state", "--config", str(config), "--log-level", "ERROR") as runner:
        yield runner


@pytest.mark.slow
@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)  # SQLite has one worker, and is slower than this
async def test_a_whale_and_ten_small_accounts(database_url: str, tmp_path: Path) -> None:
    with _limited_runner(tmp_path / "runner") as runner:
        settings = settings_for(database_url, tmp_path, runner, admission=ADMISSION, engine={"concurrency": 64})
        async with world(settings, runner, credits=WHALE * PRICE, webhooks=True) as whale:
            small = [await _open_account(whale, f"small-{n}") for n in range(SMALL)]
            alone = await _waits(whale, await _queue(small, EACH))
        async with open_runtime(settings) as runtime:  # its engine does not run
            await _queue([replace(whale, runtime=runtime)], WHALE)
        async with world(settings, runner, credits=WHALE * PRICE, webhooks=True) as whale:
            small = [replace(one, runtime=whale.runtime) for one in small]
            crowded = await _waits(whale, await _queue(small, EACH))
            behind = await _count(whale, Generation.phase == Phase.QUEUED)
            await until(lambda: _all_ended(whale), 200)
            refused = await _refused_when_nothing_is_lost_or_doubled(whale, small)
    figures = f"p95 alone {p95(alone)}, beside a whale {p95(crowded)} creates; {behind} behind; {refused} refused"
    sys.stdout.write(f"{figures}\n")
    assert behind > SMALL * EACH, "the whale's queue must outlast theirs"
    # Who comes alone finds a full bucket; a whale has emptied it.
    assert p95(crowded) <= 2 * p95(alone) + BURST, figures
    assert refused < 0.01 * (WHALE + 2 * SMALL * EACH), figures


async def _open_account(whale: World, name: str) -> World:
    account = await whale.runtime.accounts.create(name)
    await grant(whale.runtime, account.id, 2 * EACH * PRICE, external_id=name)
    return replace(whale, account_id=account.id)


async def _queue(accounts: Sequence[World], each: int) -> list[tuple[World, Generation]]:
    """Accept ``each`` generations of every account; all accounts side by side."""
    places = asyncio.Semaphore(16)

    async def one(account: World, number: int) -> tuple[World, Generation]:
        async with places:
            return account, await account.make(f"number {number}", output="text")

    return await asyncio.gather(*(one(account, number) for number in range(each) for account in accounts))


async def _waits(here: World, queued: Sequence[tuple[World, Generation]]) -> list[int]:
    """How many creates there were from accepting each of them to the one that made its prediction."""
    await asyncio.gather(*(account.finish(row, 60) for account, row in queued))
    async with here.runtime.database.read() as session:
        creates = sorted(await session.scalars(select(Attempt.created_at)))
        own = (
            select(Generation.created_at, Attempt.created_at)
            .join(Attempt, Attempt.generation_id == Generation.id)
            .where(Generation.id.in_([row.id for _, row in queued]), Attempt.prediction_id.is_not(None))
        )
        waits = [bisect(creates, asked) - bisect(creates, accepted) for accepted, asked in await session.execute(own)]
    assert len(waits) == len(queued)
    return waits


def p95(waits: Sequence[int]) -> int:
    return sorted(waits)[math.ceil(0.95 * len(waits)) - 1]


async def _count(here: World, *which: ColumnElement[bool]) -> int:
    async with here.runtime.database.read() as session:
        return await session.scalar(select(func.count()).select_from(Generation).where(*which)) or 0


async def _all_ended(here: World) -> bool:
    async with here.runtime.database.read() as session:
        return await session.scalar(select(Generation.id).where(Generation.phase != Phase.DONE).limit(1)) is None


async def _refused_when_nothing_is_lost_or_doubled(whale: World, small: Sequence[World]) -> int:
    """How many creates were answered with 429; every other one is the only one of its generation, and paid once."""
    asked = WHALE + 2 * SMALL * EACH
    assert await _count(whale, Generation.status == Status.COMPLETED) == asked
    stats = whale.runner.stats()
    assert stats["creates"]["accepted"] == asked
    assert stats["predictions"] == {"succeeded": asked}
    refused: int = stats["creates"]["received"] - asked
    async with whale.runtime.database.read() as session:
        states = await session.execute(select(Attempt.state, func.count()).group_by(Attempt.state))
        found = {str(state): int(count) for state, count in states}
    assert found == {"ended": asked} | ({"refused": refused} if refused else {})
    assert await whale.balance() == (0, 0, WHALE * PRICE)
    assert {await one.balance() for one in small} == {(0, 0, 2 * EACH * PRICE)}
    assert await whale.audit() == []
    return refused
