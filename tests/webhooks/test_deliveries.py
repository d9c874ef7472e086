"""What is owed: once, in order, fairly, and never by two senders at the same time."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from mutoscope.core.clock import Clock, ManualClock
from mutoscope.db import Database
from mutoscope.webhooks import deliveries
from mutoscope.webhooks.deliveries import PROGRESS_EVERY, ClaimLimits, Owed
from mutoscope.webhooks.models import WebhookDelivery
from tests.webhooks.conftest import People
from tests.world import until, waits_for_lock

LEASE = timedelta(seconds=30)


def owed(
    account_id: str, subject: str, event: str = "completed", *, url: str = "https://example.com/", max_attempts: int = 3
) -> Owed:
    return Owed(f"{subject}:{event}", account_id, "test", subject, event, url, max_attempts)


class Desk:
    """Each call is a transaction of its own."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self.database, self.clock = database, clock

    async def owe(self, *what: Owed) -> None:
        async with self.database.write() as session:
            for one in what:
                await deliveries.owe(session, one, now=self.clock.now())

    async def progress(self, what: Owed) -> None:
        async with self.database.write() as session:
            await deliveries.owe_progress(session, what, now=self.clock.now())

    async def replace(self, key: str, later: Owed) -> None:
        async with self.database.write() as session:
            await deliveries.drop(session, key, now=self.clock.now())
            await deliveries.owe(session, later, now=self.clock.now())

    async def claim(
        self, *, total: int = 100, per_account: int = 100, under_way: Mapping[str, int] | None = None
    ) -> list[WebhookDelivery]:
        limits = ClaimLimits(LEASE, total, per_account, under_way or {})
        async with self.database.write() as session:
            return list(await deliveries.claim(session, limits, now=self.clock.now()))

    async def write(self, tried: WebhookDelivery, **values: Any) -> bool:
        async with self.database.write() as session:
            return await deliveries.write(session, tried, **values)

    async def end(self, tried: WebhookDelivery) -> bool:
        return await self.write(tried, state="delivered", due_at=None, ended_at=self.clock.now())

    async def all(self) -> list[WebhookDelivery]:
        async with self.database.read() as session:
            return list(await session.scalars(select(WebhookDelivery).order_by(WebhookDelivery.key)))


def subjects(found: Sequence[WebhookDelivery]) -> list[str]:
    return sorted(one.subject_id for one in found)


async def test_the_same_thing_is_owed_once(database: Database, clock: ManualClock, people: People) -> None:
    desk = Desk(database, clock)
    await desk.owe(owed(people.ann, "g1"))
    (first,) = await desk.all()
    await desk.owe(owed(people.ann, "g1", url="https://elsewhere.example/"))
    (second,) = await desk.all()
    assert (second.message_id, second.url) == (first.message_id, first.url)


async def test_nothing_is_owed_when_the_transaction_fails(
    database: Database, clock: ManualClock, people: People
) -> None:
    desk = Desk(database, clock)
    try:
        async with database.write() as session:
            await deliveries.owe(session, owed(people.ann, "g1"), now=clock.now())
            raise RuntimeError("power cut")
    except RuntimeError:
        assert await desk.all() == []


async def test_many_who_claim_at_once_never_get_the_same(
    database: Database, clock: ManualClock, people: People
) -> None:
    desk = Desk(database, clock)
    await desk.owe(*(owed(people.ann, f"g{n}") for n in range(40)))
    found: list[WebhookDelivery] = []
    while len(found) < 40:
        for some in await asyncio.gather(*(desk.claim(total=5) for _ in range(6))):
            found += some
    assert len({one.key for one in found}) == len(found) == 40
    assert await desk.claim() == []


async def test_a_try_that_never_ended_is_made_again_under_the_same_id(
    database: Database, clock: ManualClock, people: People
) -> None:
    desk = Desk(database, clock)
    await desk.owe(owed(people.ann, "g1"))
    (first,) = await desk.claim()
    clock.advance(LEASE - timedelta(seconds=1))
    assert await desk.claim() == []
    clock.advance(timedelta(seconds=1))
    (second,) = await desk.claim()
    assert (second.message_id, first.attempts, second.attempts) == (first.message_id, 1, 2)
    assert not await desk.end(first), "it is another's now"
    assert await desk.end(second)
    assert not await desk.end(second)
    clock.advance(timedelta(days=1))
    assert await desk.claim() == []


async def test_messages_about_one_subject_go_in_order(database: Database, clock: ManualClock, people: People) -> None:
    desk = Desk(database, clock)
    await desk.owe(owed(people.ann, "g1", "start"))
    clock.advance(timedelta(milliseconds=5))
    await desk.owe(owed(people.ann, "g1"), owed(people.ann, "g2"))
    first = await desk.claim()
    assert [one.event for one in first if one.subject_id == "g1"] == ["start"]
    assert subjects(first) == ["g1", "g2"]
    assert await desk.claim() == []
    await desk.end(next(one for one in first if one.event == "start"))
    (then,) = await desk.claim()
    assert (then.subject_id, then.event) == ("g1", "completed")


async def test_no_account_takes_all_the_places(database: Database, clock: ManualClock, people: People) -> None:
    desk = Desk(database, clock)
    await desk.owe(*(owed(people.ann, f"a{n}") for n in range(50)))
    clock.advance(timedelta(seconds=1))
    await desk.owe(owed(people.bob, "b1"), owed(people.bob, "b2"))
    found = await desk.claim(total=4, per_account=3)
    assert sorted(one.account_id for one in found) == sorted([people.ann] * 2 + [people.bob] * 2)
    rest = await desk.claim(under_way={people.bob: 2, people.ann: 2}, per_account=5)
    assert {one.account_id for one in rest} == {people.ann}
    assert len(rest) == 3
    assert await desk.claim(under_way={people.ann: 5}, per_account=5) == []


async def test_progress_is_gathered_and_told_at_most_every_half_second(
    database: Database, clock: ManualClock, people: People
) -> None:
    desk = Desk(database, clock)
    news = owed(people.ann, "g1", "progress", max_attempts=1)
    for _ in range(5):
        await desk.progress(news)
    (first,) = await desk.claim()
    assert await desk.claim() == []
    await desk.progress(news)  # while the first is being told
    assert not await desk.end(first), "there is something newer to tell"
    assert await desk.claim() == []
    clock.advance(PROGRESS_EVERY)
    (second,) = await desk.claim()
    assert second.message_id != first.message_id
    assert await desk.end(second)
    clock.advance(timedelta(seconds=5))
    await desk.progress(news)
    (third,) = await desk.claim()
    assert len({first.message_id, second.message_id, third.message_id}) == 3


async def test_newer_news_waits_until_the_post_under_way_has_ended(
    database: Database, clock: ManualClock, people: People
) -> None:
    desk, news = Desk(database, clock), owed(people.ann, "g1", "progress", max_attempts=1)
    await desk.progress(news)
    (first,) = await desk.claim()
    for _ in range(3):
        clock.advance(PROGRESS_EVERY)
        await desk.progress(news)
        assert await desk.claim() == [], "two posts at a time could arrive in any order"
    assert not await desk.end(first)
    (second,) = await desk.claim()
    assert second.message_id != first.message_id
    assert await desk.end(second)
    assert await desk.claim() == []


async def test_newer_news_is_told_though_the_sender_before_it_died(
    database: Database, clock: ManualClock, people: People
) -> None:
    desk, news = Desk(database, clock), owed(people.ann, "g1", "progress", max_attempts=1)
    await desk.progress(news)
    (first,) = await desk.claim()
    await desk.progress(news)
    clock.advance(LEASE)
    (again,) = await desk.claim()
    assert again.attempts > again.max_attempts
    assert not await desk.end(first)
    assert not await desk.write(again, state="given_up", due_at=None, ended_at=clock.now())
    clock.advance(PROGRESS_EVERY)
    (newer,) = await desk.claim()
    assert (newer.attempts, newer.message_id == first.message_id) == (1, False)
    assert await desk.end(newer)


async def test_the_end_waits_for_the_progress_that_is_being_told_and_not_for_more(
    database: Database, clock: ManualClock, people: People
) -> None:
    desk, news = Desk(database, clock), owed(people.ann, "g1", "progress", max_attempts=1)
    await desk.progress(news)
    (progress,) = await desk.claim()
    await desk.progress(news)
    clock.advance(PROGRESS_EVERY)
    await desk.replace(news.key, owed(people.ann, "g1"))
    assert await desk.claim() == []
    assert await desk.end(progress)
    (end,) = await desk.claim()
    assert end.event == "completed"
    assert await desk.end(end)
    assert await desk.claim() == []


async def test_two_senders_never_tell_of_one_subject_at_the_same_time(
    database: Database, clock: ManualClock, people: People
) -> None:
    desk, news = Desk(database, clock), owed(people.ann, "g1", "progress", max_attempts=1)
    under_way: list[str] = []
    told: list[str] = []

    async def send() -> None:
        while len(told) < 20:
            for one in await desk.claim():
                under_way.append(one.message_id)
                for _ in range(3):
                    await desk.progress(news)
                    clock.advance(PROGRESS_EVERY)
                assert under_way == [one.message_id]
                told.append(under_way.pop())
                await desk.end(one)

    await desk.progress(news)
    async with asyncio.timeout(60):
        await asyncio.gather(send(), send())
    assert len(set(told)) == len(told) >= 20


async def test_what_is_dropped_is_not_sent_nor_waited_for(
    database: Database, clock: ManualClock, people: People
) -> None:
    desk = Desk(database, clock)
    await desk.progress(owed(people.ann, "g1", "progress"))
    clock.advance(timedelta(milliseconds=1))
    await desk.replace("g1:progress", owed(people.ann, "g1"))
    (only,) = await desk.claim()
    assert only.event == "completed"


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_what_a_sender_is_writing_at_this_moment_is_dropped_too(
    database: Database, clock: ManualClock, people: People
) -> None:
    desk, news = Desk(database, clock), owed(people.ann, "g1", "progress", max_attempts=1)
    await desk.progress(news)
    (progress,) = await desk.claim()
    await desk.progress(news)
    async with database.write() as session:
        assert not await deliveries.write(session, progress, state="delivered", due_at=None, ended_at=clock.now())
        ended = asyncio.create_task(desk.replace(news.key, owed(people.ann, "g1")))
        await until(lambda: waits_for_lock(database))
    await ended
    assert {one.event: one.state for one in await desk.all()} == {"progress": "dropped", "completed": "pending"}


async def test_what_ended_is_forgotten_in_time(database: Database, clock: ManualClock, people: People) -> None:
    desk = Desk(database, clock)
    await desk.owe(owed(people.ann, "g1"), owed(people.ann, "g2"))
    (one, _) = await desk.claim()
    await desk.end(one)
    clock.advance(timedelta(days=8))
    async with database.write() as session:
        await deliveries.forget(session, before=clock.now() - timedelta(days=7))
    assert len(await desk.all()) == 1, "what is still owed is kept"
