"""The courier and a receiver that is slow, silent, broken or gone; and two couriers at once."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import update

from mutoscope.core.clock import SystemClock
from mutoscope.core.killpoints import NoKillPoints
from mutoscope.core.settings import WebhookSettings
from mutoscope.db import Database
from mutoscope.replicate_protocol.webhooks import verify
from mutoscope.webhooks import sending
from mutoscope.webhooks.courier import PER_ACCOUNT, Courier
from mutoscope.webhooks.models import WebhookDelivery
from mutoscope.webhooks.posting import Poster
from mutoscope.webhooks.secrets import WebhookSecrets
from mutoscope.webhooks.sending import Sender, retry_s
from tests.webhooks.conftest import People
from tests.webhooks.receiver import Answer, Receiver, receiver
from tests.webhooks.test_deliveries import Desk, owed

QUICK = {"timeout_s": 1, "retry_s": 0.05}


async def render(delivery: WebhookDelivery) -> bytes | None:
    match delivery.subject_id:
        case "nothing":
            return None
        case "huge":
            return bytes(sending.MAX_BODY_BYTES + 1)
        case other:
            return f'{{"status": "{other}"}}'.encode()


@asynccontextmanager
async def couriers(database: Database, count: int = 1, **settings: Any) -> AsyncGenerator[list[Courier]]:
    clock = SystemClock()
    chosen = WebhookSettings.model_validate(QUICK | settings)
    async with AsyncExitStack() as stack:
        poster = Poster(timeout_s=chosen.timeout_s, public_only=False)
        stack.push_async_callback(poster.aclose)
        sender = Sender(clock, WebhookSecrets(database, clock), poster, {"test": render})
        made = [Courier(database, clock, sender, chosen, NoKillPoints()) for _ in range(count)]
        tasks = [asyncio.create_task(one.run()) for one in made]
        yield made
        for one in made:
            one.stop()
        await asyncio.gather(*tasks)


@pytest.fixture
def desk(database: Database) -> Desk:
    return Desk(database, SystemClock())


async def settled(desk: Desk, timeout_s: float = 30) -> list[WebhookDelivery]:
    async with asyncio.timeout(timeout_s):
        while True:
            found = await desk.all()
            if all(one.state != "pending" for one in found):
                return found
            await asyncio.sleep(0.02)


async def test_a_message_is_delivered_once_and_signed_with_the_accounts_secrets(
    database: Database, desk: Desk, people: People, hook: Receiver
) -> None:
    clock = SystemClock()
    secrets = WebhookSecrets(database, clock)
    old, new = await secrets.current(people.ann), await secrets.rotate(people.ann)
    async with couriers(database) as (courier,):
        await desk.owe(owed(people.ann, "g1", url=hook.url))
        courier.ring()
        (delivery,) = await settled(desk)
    (taken,) = hook.taken
    assert taken.body == b'{"status": "g1"}'
    for secret in (old, new):
        assert verify([secret], taken.headers, taken.body, now=clock.now()) == delivery.message_id
    assert (delivery.state, delivery.last_status, delivery.attempts) == ("delivered", 204, 1)


@pytest.mark.parametrize("trouble", [500, 404, 302, "lost", "silent", "nonsense"])
async def test_trouble_is_tried_again_under_the_same_id(
    database: Database, desk: Desk, people: People, hook: Receiver, trouble: Answer
) -> None:
    hook.answers.extend([trouble, trouble])
    async with couriers(database):
        await desk.owe(owed(people.ann, "g1", url=hook.url))
        (delivery,) = await settled(desk)
    assert (delivery.state, delivery.attempts) == ("delivered", 3)
    assert {one.message_id for one in hook.taken} == {delivery.message_id}
    assert len(hook.taken) == 3


async def test_after_the_last_try_it_is_given_up_with_the_reason(
    database: Database, desk: Desk, people: People, hook: Receiver
) -> None:
    hook.usual = 503
    async with couriers(database):
        await desk.owe(owed(people.ann, "g1", url=hook.url))
        (delivery,) = await settled(desk)
    assert (delivery.state, delivery.attempts, len(hook.taken)) == ("given_up", 3, 3)
    assert (delivery.last_status, delivery.last_error) == (503, "the receiver answered 503")


async def test_who_says_that_it_is_gone_is_not_asked_again(
    database: Database, desk: Desk, people: People, hook: Receiver
) -> None:
    hook.usual = 410
    async with couriers(database):
        await desk.owe(owed(people.ann, "g1", url=hook.url))
        (delivery,) = await settled(desk)
    assert (delivery.state, len(hook.taken)) == ("given_up", 1)


async def test_what_need_not_be_told_and_what_is_too_large_is_not_sent(
    database: Database, desk: Desk, people: People, hook: Receiver
) -> None:
    async with couriers(database):
        await desk.owe(owed(people.ann, "nothing", url=hook.url), owed(people.ann, "huge", url=hook.url))
        found = {one.subject_id: one.state for one in await settled(desk)}
    assert found == {"nothing": "dropped", "huge": "given_up"}
    assert hook.taken == []


async def test_a_slow_receiver_delays_nobody_else(
    database: Database, desk: Desk, people: People, hook: Receiver
) -> None:
    """Ann's receiver swallows everything; more is owed to it than there are places for one account."""
    async with receiver() as swamp, couriers(database, timeout_s=60) as (courier,):
        swamp.usual = "silent"
        await desk.owe(*(owed(people.ann, f"a{n}", url=swamp.url) for n in range(3 * PER_ACCOUNT)))
        courier.ring()
        await swamp.until(lambda: len(swamp.taken) >= PER_ACCOUNT)
        await desk.owe(*(owed(people.bob, f"b{n}", url=hook.url) for n in range(20)))
        courier.ring()
        await hook.until(lambda: len(hook.taken) == 20)
        assert len(swamp.taken) == PER_ACCOUNT
        swamp.freed.set()


async def test_an_account_gets_only_the_places_that_it_has_left(
    database: Database, desk: Desk, people: People, hook: Receiver
) -> None:
    async with receiver() as swamp, couriers(database, timeout_s=60) as (courier,):
        swamp.usual = "silent"
        await desk.owe(*(owed(people.ann, f"a{n}", url=swamp.url) for n in range(PER_ACCOUNT - 1)))
        courier.ring()
        await swamp.until(lambda: len(swamp.taken) == PER_ACCOUNT - 1)
        await desk.owe(*(owed(people.ann, f"more{n}", url=swamp.url) for n in range(PER_ACCOUNT)))
        await desk.owe(owed(people.bob, "b", url=hook.url))
        courier.ring()
        await hook.until(lambda: len(hook.taken) == 1)
        started = [one for one in await desk.all() if one.account_id == people.ann and one.attempts]
        assert len(started) == PER_ACCOUNT
        swamp.freed.set()


async def test_two_couriers_send_each_message_once(
    database: Database, desk: Desk, people: People, hook: Receiver
) -> None:
    # A slow machine is no reason to send anything again.
    async with couriers(database, count=2, timeout_s=30, lease_margin_s=30) as both:
        for batch in range(5):
            people_in_turn = (people.ann, people.bob)
            await desk.owe(*(owed(people_in_turn[n % 2], f"g{batch}-{n}", url=hook.url) for n in range(20)))
            for one in both:
                one.ring()
        found = await settled(desk)
    assert len(hook.taken) == len({one.message_id for one in hook.taken}) == 100
    assert {one.state for one in found} == {"delivered"}


async def test_what_became_of_a_delivery_that_is_no_longer_its_own_is_not_for_a_courier_to_say(
    database: Database, desk: Desk, people: People, caplog: pytest.LogCaptureFixture
) -> None:
    async with receiver() as swamp, couriers(database, timeout_s=60) as (courier,):
        swamp.usual = "silent"
        await desk.owe(owed(people.ann, "g1", url=swamp.url, max_attempts=1), owed(people.bob, "g2", url=swamp.url))
        courier.ring()
        await swamp.until(lambda: len(swamp.taken) == 2)
        async with database.write() as session:  # as another does that takes it over
            mine = WebhookDelivery.subject_id == "g1"
            await session.execute(update(WebhookDelivery).where(mine).values(attempts=WebhookDelivery.attempts + 1))
        swamp.freed.set()
    assert [(one.subject_id, one.state) for one in await desk.all()] == [("g1", "pending"), ("g2", "pending")]
    assert "given up" not in caplog.text


async def test_a_stop_lets_a_try_end(database: Database, desk: Desk, people: People, hook: Receiver) -> None:
    async with couriers(database) as (courier,):
        await desk.owe(owed(people.ann, "g1", url=hook.url))
        courier.ring()
        await hook.until(lambda: len(hook.taken) == 1)
    (delivery,) = await desk.all()
    assert delivery.state == "delivered"


def test_the_pause_between_tries_doubles_up_to_an_hour() -> None:
    for attempts, most in ((1, 1), (2, 2), (5, 16), (12, 2048), (13, 3600), (40, 3600)):
        assert all(most / 2 <= retry_s(attempts, base_s=1) <= most for _ in range(20))


def test_with_the_defaults_the_last_try_is_two_to_four_hours_after_the_first() -> None:
    usual = WebhookSettings()
    for _ in range(20):
        pauses_s = [retry_s(attempts, base_s=usual.retry_s) for attempts in range(1, usual.max_attempts)]
        assert 2 <= sum(pauses_s) / 3600 <= 4.2
