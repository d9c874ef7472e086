"""The ledger under real parallel connections: several engines at once, as several processes would have."""

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from mutoscope.core.errors import Conflict
from mutoscope.db import Database
from mutoscope.ledger.errors import GrantConflict, InsufficientCredits
from mutoscope.ledger.records import Hold
from tests.ledger.bank import Bank

ENGINES = 5


@pytest.fixture
async def banks(bank: Bank, database_url: str) -> AsyncIterator[list[Bank]]:
    """The same ledger through engines that share nothing, so that only the database keeps them apart."""
    databases = [Database(database_url, pool_size=10) for _ in range(ENGINES)]
    yield [Bank(database, now=bank.now) for database in databases]
    for database in databases:
        await database.aclose()


async def _reserve_or_none(bank: Bank, amount: int, key: str) -> Hold | None:
    try:
        return await bank.reserve(amount, key)
    except InsufficientCredits:
        return None


async def test_fifty_at_once_on_seven_credits_are_exactly_seven(bank: Bank, banks: list[Bank]) -> None:
    for days in (1, 2, 3):
        await bank.grant(days + (days == 3), days=days)  # 1 + 2 + 4
    held = await asyncio.gather(*(_reserve_or_none(banks[n % ENGINES], 1, f"gen_{n}") for n in range(50)))
    assert sum(hold is not None for hold in held) == 7
    assert await bank.figures() == (0, 7, 0, 0)
    assert await bank.findings() == []


async def test_the_same_key_at_once_is_one_hold(bank: Bank, banks: list[Bank]) -> None:
    await bank.grant(100)
    holds = await asyncio.gather(*(banks[n % ENGINES].reserve(3, "gen_1") for n in range(20)))
    assert len({hold.id for hold in holds}) == 1
    assert await bank.figures() == (97, 3, 0, 0)
    assert await bank.findings() == []


async def test_twenty_settlements_at_once_are_one(bank: Bank, banks: list[Bank]) -> None:
    await bank.grant(4, days=1)
    await bank.grant(6)
    for attempt in range(3):
        hold = await bank.reserve(3, f"gen_{attempt}")
        spent_before = (await bank.figures())[2]
        tries = [
            banks[n % ENGINES].void(hold.id) if n % 4 == 0 else banks[n % ENGINES].post(hold.id, n % 4)
            for n in range(20)
        ]
        settled = await asyncio.gather(*tries)
        assert len(set(settled)) == 1
        assert settled[0].state != "pending"
        assert (await bank.figures())[1:3] == (0, spent_before + settled[0].posted)
        assert await bank.findings() == []


async def test_many_holds_on_the_same_lots_are_settled_at_once(bank: Bank, banks: list[Bank]) -> None:
    await bank.grant(45, days=1)
    await bank.grant(45)
    holds = [await bank.reserve(3, f"gen_{n}") for n in range(30)]
    more = [_reserve_or_none(banks[n % ENGINES], 2, f"more_{n}") for n in range(10)]
    await asyncio.gather(*(banks[n % ENGINES].post(hold.id, 3 - (n % 5 == 0)) for n, hold in enumerate(holds)), *more)
    available, held, spent, expired = await bank.figures()
    assert (available + held, spent, expired) == (6, 84, 0)
    assert await bank.findings() == []


async def test_grants_at_once_into_an_account_that_never_had_any(bank: Bank, banks: list[Bank]) -> None:
    same = [banks[n % ENGINES].grant(5, external_id="pi_1") for n in range(10)]
    other = [banks[n % ENGINES].grant(1, external_id=f"other-{n}") for n in range(10)]
    lots = await asyncio.gather(*same, *other)
    assert len({lot.id for lot in lots}) == 11
    assert await bank.figures() == (15, 0, 0, 0)
    assert await bank.findings() == []


async def test_refunds_at_once_never_give_back_more_than_was_spent(bank: Bank, banks: list[Bank]) -> None:
    await bank.grant(5)
    hold = await bank.reserve(5, "gen_1")
    await bank.post(hold.id, 5)

    async def refund(number: int) -> bool:
        try:
            await banks[number % ENGINES].refund(hold.id, 2, f"key_{number % 10}")
        except Conflict:
            return False
        return True

    done = await asyncio.gather(*(refund(number) for number in range(20)))
    assert sum(done) == 4  # two keys, each asked twice
    assert await bank.figures() == (4, 0, 1, 0)
    assert await bank.findings() == []


async def test_expiry_on_several_machines_takes_each_lot_once(bank: Bank, banks: list[Bank]) -> None:
    for number in range(30):
        await bank.grant(1 + number % 3, days=1)
    for one in banks:
        one.now += timedelta(days=2)

    async def until_done(one: Bank) -> int:
        count = 0
        while True:
            taken = await one.expire(limit=7)
            count += taken
            if not taken and (await one.figures())[0] == 0 and not await _overdue(one):
                return count

    async with asyncio.timeout(60):
        assert sum(await asyncio.gather(*(until_done(one) for one in banks))) == 30
    assert await bank.findings() == []


async def _overdue(bank: Bank) -> bool:
    return any(remaining for remaining, *_ in (await bank.lots()).values())


async def test_everything_at_once_neither_deadlocks_nor_loses_a_credit(bank: Bank, banks: list[Bank]) -> None:
    accounts = ["acct_a", "acct_b", "acct_c"]
    for account_id in accounts[1:]:
        await bank.open_account(account_id)
    chance = random.Random(7)

    async def work(database: Database, seed: int) -> None:
        one, mine = Bank(database, now=bank.now), random.Random(seed)
        for step in range(8):
            account_id = mine.choice(accounts)
            days = mine.choice([None, 0.5, 1.5])
            await one.grant(mine.randint(1, 9), account_id=account_id, external_id=f"{seed}-{step}", days=days)
            try:
                hold = await one.reserve(mine.randint(1, 6), f"{seed}-{step}", account_id=account_id)
            except InsufficientCredits:
                continue
            if mine.random() < 0.3:
                one.now += timedelta(days=1)
            posted = mine.randint(0, hold.amount)
            settled = await asyncio.gather(
                one.post(hold.id, posted), one.void(hold.id, grace_s=0), one.expire(limit=5), one.post(hold.id, 1)
            )
            if settled[0].posted:
                await one.refund(hold.id, 1, f"{seed}-{step}")

    async with asyncio.timeout(60):
        await asyncio.gather(*(work(banks[n % ENGINES].database, chance.randrange(10**6)) for n in range(10)))
    assert await bank.findings() == []
    for account_id in accounts:
        assert (await bank.figures(account_id))[1] == 0


async def test_a_purchase_granted_to_many_accounts_at_once_is_one_accounts(bank: Bank, banks: list[Bank]) -> None:
    accounts = [f"acct_{n}" for n in range(10)]
    for account_id in accounts:
        await bank.open_account(account_id)

    async def buy(number: int) -> str | None:
        account_id = accounts[number % len(accounts)]
        try:
            lot = await banks[number % ENGINES].grant(5, account_id=account_id, source="purchase", external_id="pi_1")
        except GrantConflict as conflict:
            assert not [name for name in accounts if name in conflict.detail]  # not whose it is
            return None
        return lot.account_id

    owners = [owner for owner in await asyncio.gather(*(buy(n) for n in range(20))) if owner]
    assert len(owners) == 2  # the owner asked twice
    assert len(set(owners)) == 1
    assert await bank.figures(owners[0]) == (5, 0, 0, 0)
    assert await bank.findings() == []


async def test_a_reader_never_sees_a_lot_expire_twice_or_not_at_all(bank: Bank, banks: list[Bank]) -> None:
    """A balance shows expired lots as expired before they are swept, and the sweep may come while it is read."""
    for _ in range(40):
        await bank.grant(1, days=1)
    for one in banks:
        one.now += timedelta(days=2)

    async def sweep() -> None:
        while await banks[0].expire(limit=1):
            pass

    sweeping = asyncio.create_task(sweep())
    seen: set[tuple[int, int, int, int]] = set()
    while not sweeping.done():
        seen.update(await asyncio.gather(*(one.figures() for one in banks[1:])))
    await sweeping
    assert seen == {(0, 0, 0, 40)}
    assert await bank.findings() == []
