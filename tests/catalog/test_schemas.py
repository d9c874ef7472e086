"""Schemas are fetched once, kept, refreshed behind and used while the provider is down."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from mutoscope.catalog.schema import InvalidInput
from mutoscope.catalog.schema_source import SchemaSource
from mutoscope.catalog.schemas import Schemas
from mutoscope.catalog.service import Catalog
from mutoscope.core.clock import ManualClock
from mutoscope.core.errors import Unavailable
from mutoscope.db import Database
from mutoscope.providers.base import CreateRefused
from mutoscope.replicate_protocol.references import parse_reference
from tests.catalog.documents import paint
from tests.catalog.provider import MODELS, PINNED, Provider


async def _eventually(catalog: Catalog, alias: str, document: dict[str, Any]) -> None:
    async with asyncio.timeout(10):
        while await catalog.schema(alias) != document:
            await asyncio.sleep(0.005)


async def _asked(provider: Provider, count: int) -> None:
    async with asyncio.timeout(20):
        while len(provider.asked) < count:
            await asyncio.sleep(0.005)


async def test_a_schema_is_fetched_once_for_all_who_ask(catalog: Catalog, provider: Provider) -> None:
    found = await asyncio.gather(*(catalog.schema("paint") for _ in range(10)), catalog.schema("paint-too"))
    assert all(one == paint() for one in found)
    assert provider.asked == ["owner/paint"]


async def test_who_asks_for_the_same_at_first_is_told_the_same(catalog: Catalog, provider: Provider) -> None:
    provider.down = True
    provider.open.clear()
    gone, *others = [asyncio.create_task(catalog.schema("paint")) for _ in range(5)]
    await _asked(provider, 1)
    gone.cancel()
    provider.open.set()
    assert {type(one) for one in await asyncio.gather(*others, return_exceptions=True)} == {Unavailable}
    assert provider.asked == ["owner/paint"]
    provider.down = False
    assert await catalog.schema("paint") == paint(), "that it was down is not remembered"


async def test_that_there_is_no_such_model_is_remembered_for_a_minute(
    catalog: Catalog, clock: ManualClock, provider: Provider
) -> None:
    there = provider.documents.pop("owner/paint")
    for _ in range(3):
        with pytest.raises(CreateRefused, match="no owner/paint"):
            await catalog.validate("paint", {"prompt": "a cat"})
    assert provider.asked == ["owner/paint"]
    await catalog.schema("deployed")
    provider.documents["owner/paint"] = there
    clock.advance(timedelta(minutes=1))
    assert await catalog.schema("paint") == there


async def test_closing_ends_what_is_read_at_first(catalog: Catalog, provider: Provider) -> None:
    provider.open.clear()
    task = asyncio.create_task(catalog.schema("paint"))
    await _asked(provider, 1)
    await catalog.aclose()
    await asyncio.wait({task}, timeout=10)
    assert task.cancelled()


async def test_a_schema_outlives_the_process_and_the_provider(
    catalog: Catalog, database: Database, clock: ManualClock, provider: Provider
) -> None:
    await catalog.schema("paint")
    provider.down = True
    clock.advance(timedelta(days=9))
    another = Catalog(database, clock, MODELS, provider.fetch)
    await another.validate("paint", {"prompt": "a cat"})
    with pytest.raises(Unavailable):
        await another.schema("deployed")
    await another.aclose()


async def test_an_old_schema_is_used_while_a_newer_is_fetched_behind_it(
    catalog: Catalog, clock: ManualClock, provider: Provider
) -> None:
    await catalog.schema("paint")
    newer = paint(steps={"type": "integer"})
    provider.documents["owner/paint"] = newer
    clock.advance(timedelta(minutes=59))
    assert await catalog.schema("paint") == paint()
    provider.open.clear()
    clock.advance(timedelta(minutes=1))
    for _ in range(5):
        assert await catalog.schema("paint") == paint()
    provider.open.set()
    await _eventually(catalog, "paint", newer)
    assert provider.asked == ["owner/paint"] * 2
    await catalog.validate("paint", {"prompt": "a cat", "steps": 3})


async def test_what_a_model_takes_by_now_is_not_refused_by_an_older_schema(
    catalog: Catalog, database: Database, clock: ManualClock, provider: Provider
) -> None:
    await catalog.schema("paint")
    provider.documents["owner/paint"] = paint(steps={"type": "integer"})
    for _ in range(3):  # it was read a moment ago
        with pytest.raises(InvalidInput):
            await catalog.validate("paint", {"prompt": "a cat", "steps": 3})
    assert provider.asked == ["owner/paint"]
    clock.advance(timedelta(minutes=1))
    await catalog.validate("paint", {"prompt": "a cat", "steps": 3})
    assert provider.asked == ["owner/paint"] * 2
    for _ in range(3):  # and what is wrong all the same is asked about once a minute
        with pytest.raises(InvalidInput):
            await catalog.validate("paint", {"prompt": "a cat", "stepps": 3})
    assert provider.asked == ["owner/paint"] * 2
    provider.documents["owner/paint"] = paint(stepps={"type": "integer"})
    clock.advance(timedelta(minutes=1))
    restarted = Catalog(database, clock, MODELS, provider.fetch)
    await restarted.validate("paint", {"prompt": "a cat", "stepps": 3})
    await restarted.aclose()


async def test_all_who_wait_for_a_newer_schema_get_it(catalog: Catalog, clock: ManualClock, provider: Provider) -> None:
    await catalog.schema("paint")
    provider.documents["owner/paint"] = paint(steps={"type": "integer"})
    clock.advance(timedelta(minutes=1))
    provider.open.clear()
    tasks = [asyncio.create_task(catalog.validate("paint", {"prompt": "a cat", "steps": 3})) for _ in range(5)]
    await _asked(provider, 2)
    provider.open.set()
    await asyncio.gather(*tasks)
    assert provider.asked == ["owner/paint"] * 2


async def test_what_another_process_read_a_while_ago_is_not_the_newest(
    catalog: Catalog, database: Database, clock: ManualClock, provider: Provider
) -> None:
    another = Catalog(database, clock, MODELS, provider.fetch)
    await catalog.schema("paint")
    await another.schema("paint")
    clock.advance(timedelta(minutes=50))
    with pytest.raises(InvalidInput):
        await catalog.validate("paint", {"prompt": "a cat", "steps": 3})
    assert provider.asked == ["owner/paint"] * 2, "the table has one of this minute now"
    clock.advance(timedelta(minutes=10))
    provider.documents["owner/paint"] = paint(steps={"type": "integer"})
    # Each finds an hour old one, and begins to look in the table for one that is good enough to go on with.
    await asyncio.gather(*(another.validate("paint", {"prompt": "a cat", "steps": 3}) for _ in range(5)))
    assert provider.asked == ["owner/paint"] * 3
    await another.aclose()


async def test_a_minute_lies_between_two_questions_whoever_asked_the_first(
    catalog: Catalog, clock: ManualClock, provider: Provider
) -> None:
    await catalog.schema("paint")
    provider.down = True
    clock.advance(timedelta(hours=1))
    await catalog.schema("paint")
    await _asked(provider, 2)
    for _ in range(3):
        with pytest.raises(InvalidInput):
            await catalog.validate("paint", {"prompt": 3})
    assert provider.asked == ["owner/paint"] * 2
    clock.advance(timedelta(minutes=1))
    with pytest.raises(InvalidInput):
        await catalog.validate("paint", {"prompt": 3})
    assert provider.asked == ["owner/paint"] * 3


async def test_a_provider_that_is_down_or_silent_leaves_the_schema_as_it_is(
    catalog: Catalog, clock: ManualClock, provider: Provider
) -> None:
    await catalog.schema("paint")
    provider.down = True
    clock.advance(timedelta(minutes=1))
    for _ in range(3):
        with pytest.raises(InvalidInput):
            await catalog.validate("paint", {"prompt": 3})
    assert provider.asked == ["owner/paint"] * 2
    provider.open.clear()
    clock.advance(timedelta(minutes=1))
    async with asyncio.timeout(30):
        with pytest.raises(InvalidInput):
            await catalog.validate("paint", {"prompt": 3})


async def test_memory_holds_the_schemas_used_last(database: Database, clock: ManualClock, provider: Provider) -> None:
    schemas = Schemas(SchemaSource(database, clock, provider.fetch, "replicate"), clock, most=2)
    for reference in ("owner/paint", PINNED, "owner/paint", "deployments/owner/paint", "owner/paint", PINNED):
        await schemas.load(parse_reference(reference))
    assert len(schemas._loaded) == 2
    assert len(provider.asked) == 3, "what is no longer in memory is in the database"


async def test_a_refresh_that_fails_is_tried_again_after_a_while(
    catalog: Catalog, clock: ManualClock, provider: Provider
) -> None:
    await catalog.schema("paint")
    provider.down = True
    clock.advance(timedelta(hours=2))
    async with asyncio.timeout(10):
        while len(provider.asked) < 2:
            assert await catalog.schema("paint") == paint()
            await asyncio.sleep(0.005)
    await catalog.schema("paint")
    assert len(provider.asked) == 2
    provider.down = False
    provider.documents["owner/paint"] = paint(steps={"type": "integer"})
    clock.advance(timedelta(minutes=1))
    await _eventually(catalog, "paint", provider.documents["owner/paint"])


async def test_what_another_process_fetched_is_not_fetched_again(
    catalog: Catalog, database: Database, clock: ManualClock, provider: Provider
) -> None:
    another = Catalog(database, clock, MODELS, provider.fetch)
    await asyncio.gather(catalog.schema("paint"))
    await another.schema("paint")
    assert provider.asked == ["owner/paint"]
    clock.advance(timedelta(hours=1))
    provider.documents["owner/paint"] = paint(steps={"type": "integer"})
    await _eventually(catalog, "paint", provider.documents["owner/paint"])
    await _eventually(another, "paint", provider.documents["owner/paint"])
    assert provider.asked == ["owner/paint"] * 2
    await another.aclose()


async def test_a_pinned_version_is_never_fetched_again(
    catalog: Catalog, clock: ManualClock, provider: Provider
) -> None:
    await catalog.schema("pinned")
    provider.documents[PINNED] = paint(steps={"type": "integer"})
    clock.advance(timedelta(days=900))
    for _ in range(3):
        assert await catalog.schema("pinned") == paint()
    assert provider.asked == [PINNED]


async def test_a_broken_schema_is_not_kept(catalog: Catalog, provider: Provider) -> None:
    provider.documents["owner/paint"] = paint(prompt={"type": "nonsense"})
    with pytest.raises(Unavailable):
        await catalog.schema("paint")
    provider.documents["owner/paint"] = paint()
    assert await catalog.schema("paint") == paint()


async def test_closing_ends_what_is_being_fetched(catalog: Catalog, clock: ManualClock, provider: Provider) -> None:
    await catalog.schema("paint")
    clock.advance(timedelta(hours=2))
    provider.open.clear()
    await catalog.schema("paint")
    async with asyncio.timeout(10):
        await catalog.aclose()
