"""Pages for other people: what one of them asks for again and again costs the provider, and the others, little."""

import asyncio
import json
import math
from collections.abc import AsyncIterator, Awaitable
from datetime import UTC, datetime, timedelta

import pytest

from mutoscope.core.clock import ManualClock
from mutoscope.providers.base import ProviderError, Throttled
from mutoscope.providers.kept_pages import Page
from mutoscope.providers.pages import (
    AT_ONCE,
    AT_ONCE_EACH,
    KEEP_FOR,
    KEEP_OFFERED_FOR,
    RATE,
    RATE_EACH,
    ProviderPages,
)
from mutoscope.providers.replicate import Replicate
from mutoscope.replicate_protocol.references import parse_reference
from tests.compat.upstream import Upstream, upstream


@pytest.fixture
async def theirs() -> AsyncIterator[Upstream]:
    async with upstream() as one:
        yield one


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2026, 1, 1, tzinfo=UTC))


@pytest.fixture
async def pages(theirs: Upstream, clock: ManualClock) -> AsyncIterator[ProviderPages]:
    main = Replicate(theirs.url, "a-token", webhook_secrets=[])
    one = ProviderPages({"main": main}, lambda _: "main", theirs.url, clock)
    yield one
    await one.aclose()
    await main.aclose()


async def asked(theirs: Upstream, count: int) -> None:
    async with asyncio.timeout(20):
        while theirs.waiting < count:
            await asyncio.sleep(0.01)


def reading(pages: ProviderPages, *paths: str, asker: str = "ann") -> list[asyncio.Task[Page]]:
    return [asyncio.create_task(pages.read(path, {}, asker=asker)) for path in paths]


async def refusal(reading: Awaitable[object]) -> ProviderError | None:
    try:
        await reading
    except ProviderError as error:
        return error
    return None


async def test_who_asks_for_the_same_at_the_same_time_gets_the_same_answer(
    theirs: Upstream, pages: ProviderPages
) -> None:
    theirs.pages = {"hardware": []}
    theirs.let_go.clear()
    first, *others = reading(pages, *["hardware"] * 5)
    await asked(theirs, 1)
    first.cancel()
    theirs.let_go.set()
    assert {(one.status, one.body) for one in await asyncio.gather(*others)} == {(200, b"[]")}
    assert theirs.paths() == ["hardware"]


async def test_few_are_asked_for_at_once(theirs: Upstream, pages: ProviderPages) -> None:
    theirs.let_go.clear()
    tasks = [
        one
        for asker in ("ann", "bob", "cleo", "dan")
        for one in reading(pages, *(f"models/{asker}/{n}" for n in range(AT_ONCE)), asker=asker)
    ]
    await asked(theirs, AT_ONCE)
    theirs.let_go.set()
    await asyncio.gather(*tasks)
    assert (theirs.most, len(theirs.asked)) == (AT_ONCE, 4 * AT_ONCE)


async def test_slow_pages_of_one_leave_places_to_the_others(theirs: Upstream, pages: ProviderPages) -> None:
    theirs.let_go.clear()
    anns = reading(pages, *(f"models/ann/{n}" for n in range(3 * AT_ONCE)))
    await asked(theirs, AT_ONCE_EACH)
    bobs = reading(pages, "models/bob/1", asker="bob")
    await asked(theirs, AT_ONCE_EACH + 1)
    assert theirs.paths()[AT_ONCE_EACH:] == ["models/bob/1"]
    theirs.let_go.set()
    await asyncio.gather(*anns, *bobs)
    assert len(theirs.asked) == 3 * AT_ONCE + 1


async def test_who_gets_no_place_is_told_so_and_gives_up_none(theirs: Upstream, pages: ProviderPages) -> None:
    theirs.let_go.clear()
    tasks = reading(pages, *(f"models/a/{n}" for n in range(AT_ONCE_EACH + 1)))
    _, waiting = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    (late,) = set(tasks) - waiting
    assert isinstance(late.exception(), Throttled)
    theirs.let_go.set()
    await asyncio.gather(*waiting)
    assert len(theirs.asked) == AT_ONCE_EACH
    assert (await pages.read("models/a/again", {}, asker="ann")).status == 404


async def test_there_is_an_end_to_what_is_asked_for_in_a_minute(
    theirs: Upstream, pages: ProviderPages, clock: ManualClock
) -> None:
    for number in range(RATE.burst):
        await pages.read("search", {"query": str(number)}, asker=f"account {number}")
    with pytest.raises(Throttled) as refused:
        await pages.read("search", {"query": "one more"}, asker="ann")
    assert refused.value.retry_after_s == pytest.approx(60 / RATE.per_minute)
    await pages.read("search", {"query": "0"}, asker="ann")  # which is kept
    assert len(theirs.asked) == RATE.burst
    clock.advance(timedelta(seconds=refused.value.retry_after_s))
    await pages.read("search", {"query": "one more"}, asker="ann")


async def test_what_is_refused_uses_nothing_up(theirs: Upstream, pages: ProviderPages, clock: ManualClock) -> None:
    for number in range(RATE.burst):
        await pages.read("search", {"query": str(number)}, asker=f"account {number}")
    for _ in range(2 * RATE_EACH.burst):
        with pytest.raises(Throttled):
            await pages.read("search", {"query": "too early"}, asker="ann")
    clock.advance(timedelta(seconds=RATE_EACH.burst * 60 / RATE.per_minute))
    for number in range(RATE_EACH.burst):
        await pages.read("search", {"query": f"ann's {number}"}, asker="ann")
    assert len(theirs.asked) == RATE.burst + RATE_EACH.burst


async def test_an_account_leaves_something_to_the_others(
    theirs: Upstream, pages: ProviderPages, clock: ManualClock
) -> None:
    for number in range(RATE_EACH.burst):
        await pages.read("search", {"query": str(number)}, asker="ann")
    with pytest.raises(Throttled) as refused:
        await pages.read("search", {"query": "one more"}, asker="ann")
    assert refused.value.retry_after_s == pytest.approx(60 / RATE_EACH.per_minute)
    await pages.read("search", {"query": "one more"}, asker="bob")
    clock.advance(timedelta(seconds=refused.value.retry_after_s))
    await pages.read("search", {"query": "yet another"}, asker="ann")
    assert len(theirs.asked) == RATE_EACH.burst + 2


async def test_all_that_is_offered_comes_in_the_end_however_much_it_is(
    theirs: Upstream, pages: ProviderPages, clock: ManualClock
) -> None:
    offered = [parse_reference(f"deployments/acme/d{n}") for n in range(RATE.burst + RATE.per_minute + 20)]
    theirs.pages = {str(one): {"name": one.name} for one in offered}
    found: list[Page] = []
    began = clock.now()
    while not found:
        try:
            found = await pages.offered(offered, asker="ann")
        except Throttled as refused:
            clock.advance(timedelta(seconds=math.ceil(refused.retry_after_s)))
    assert clock.now() - began > KEEP_FOR, "by now a page of anybody would be read again"
    assert [json.loads(page.body)["name"] for page in found] == [one.name for one in offered]
    assert theirs.paths() == [str(one) for one in offered], "each was read once"
    clock.advance(KEEP_OFFERED_FOR)
    await pages.offered(offered[:1], asker="bob")
    assert len(theirs.asked) == len(offered) + 1


async def test_a_list_of_what_is_offered_is_one_call_of_who_asks(
    theirs: Upstream, pages: ProviderPages, clock: ManualClock
) -> None:
    offered = [parse_reference(f"deployments/acme/d{n}") for n in range(RATE.burst - RATE_EACH.burst + 1)]
    theirs.pages = {str(one): {} for one in offered}
    await pages.offered(offered, asker="ann")
    for _ in range(2 * RATE_EACH.burst):
        await pages.offered(offered, asker="ann")  # which are kept
    for number in range(RATE_EACH.burst - 1):
        await pages.read("search", {"query": str(number)}, asker="ann")
    with pytest.raises(Throttled):
        await pages.read("search", {"query": "one more"}, asker="ann")


async def test_a_list_that_always_fails_leaves_something_to_the_others(theirs: Upstream, pages: ProviderPages) -> None:
    theirs.known = "another token"
    offered = [parse_reference("deployments/acme/fast")]
    errors = [await refusal(pages.offered(offered, asker="ann")) for _ in range(RATE.burst)]
    assert sum(isinstance(one, Throttled) for one in errors) == RATE.burst - RATE_EACH.burst
    theirs.known, theirs.pages = None, {"hardware": []}
    assert (await pages.read("hardware", {}, asker="bob")).status == 200


async def test_an_error_is_everybodys_and_is_not_kept(theirs: Upstream, pages: ProviderPages) -> None:
    theirs.known = "another token"
    theirs.let_go.clear()
    tasks = reading(pages, "hardware", "hardware")
    await asked(theirs, 1)
    theirs.let_go.set()
    errors = await asyncio.gather(*tasks, return_exceptions=True)
    assert [str(one) for one in errors] == [str(errors[0])] * 2
    assert theirs.paths() == ["hardware"]
    theirs.known, theirs.pages = None, {"hardware": []}
    assert (await pages.read("hardware", {}, asker="ann")).status == 200


async def test_what_is_being_read_ends_with_the_service(theirs: Upstream, pages: ProviderPages) -> None:
    theirs.let_go.clear()
    (task,) = reading(pages, "hardware")
    await asked(theirs, 1)
    await pages.aclose()
    with pytest.raises(asyncio.CancelledError):
        await task
    theirs.let_go.set()
