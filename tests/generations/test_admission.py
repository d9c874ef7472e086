"""Who is let in next, and how many: places, rates, fairness. On both databases, without a provider."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from mutoscope.accounts.service import Accounts
from mutoscope.catalog.service import Catalog
from mutoscope.core.clock import ManualClock
from mutoscope.core.killpoints import NoKillPoints
from mutoscope.core.model_settings import ModelSettings
from mutoscope.core.settings import AdmissionSettings, UploadSettings
from mutoscope.db.engine import Database
from mutoscope.generations import admission
from mutoscope.generations.admission import Limits
from mutoscope.generations.copies import Copies
from mutoscope.generations.inputs import InputFiles
from mutoscope.generations.models import Generation
from mutoscope.generations.placement import Placement
from mutoscope.generations.ports import SilentBell
from mutoscope.generations.service import Generations, NewGeneration
from mutoscope.generations.signals import Signals
from mutoscope.generations.states import Phase
from mutoscope.ledger import service as ledger
from mutoscope.providers.base import Rate
from mutoscope.storage.links import LinkSigner
from mutoscope.storage.memory import MemoryStore
from mutoscope.uploads.service import Uploads

SCHEMA = {"components": {"schemas": {"Input": {"type": "object", "properties": {"text": {"type": "string"}}}}}}
MODELS = {
    name: ModelSettings.model_validate({"reference": f"owner/{name}", "price": {"per_run": 1}})
    for name in ("quick", "slow")
}


async def _schema(_reference: str) -> dict[str, Any]:
    return SCHEMA


@dataclass
class Queue:
    database: Database
    clock: ManualClock
    service: Generations
    accounts: Accounts

    async def account(self, name: str, **settings: Any) -> str:
        account = await self.accounts.create(name, **settings)
        async with self.database.write() as session:
            await ledger.grant(
                session,
                account_id=account.id,
                credit_type="image_generation",
                amount=1000,
                source="plan",
                external_id="all",
                now=self.clock.now(),
            )
        return account.id

    async def ask(self, account_id: str, count: int, model: str = "quick") -> None:
        for number in range(count):
            await self.service.create(account_id, NewGeneration(model, {"text": f"{number}"}))
            self.clock.advance(timedelta(milliseconds=1))

    async def admit(self, limit: int = 1000, **limits: Any) -> Sequence[Generation]:
        per_model = limits.pop("per_model", {})
        settings = AdmissionSettings(**{"creates_per_minute": 60_000, "burst": 10_000, **limits})
        now = self.clock.now()
        async with self.database.write() as session:
            return await admission.admit(
                session, "replicate", Limits(settings, per_model), now=now, until=now + timedelta(30), limit=limit
            )


@pytest.fixture
async def queue(database_url: str) -> AsyncGenerator[Queue]:
    database, clock = Database(database_url), ManualClock(datetime(2026, 1, 1, tzinfo=UTC))
    catalog = Catalog(database, clock, MODELS, _schema)
    store = MemoryStore(LinkSigner(b"a secret for these tests", "http://localhost"))
    uploads = Uploads(database, clock, store, UploadSettings())
    inputs = InputFiles(uploads, Copies(database, clock, NoKillPoints()), public_links=False)
    placement = Placement({"replicate": 1})
    service = Generations(database, clock, catalog, SilentBell(), Signals(), inputs=inputs, placement=placement)
    yield Queue(database, clock, service, Accounts(database, clock))
    await database.aclose()


def _by_account(rows: Sequence[Generation]) -> dict[str, int]:
    return {row.account_id: sum(other.account_id == row.account_id for other in rows) for row in rows}


async def test_a_whale_does_not_keep_small_accounts_waiting(queue: Queue) -> None:
    whale = await queue.account("whale")
    await queue.ask(whale, 40)
    small = [await queue.account(f"small-{n}") for n in range(5)]
    for account in small:
        await queue.ask(account, 2)
    first = await queue.admit(limit=12, max_in_flight_per_account=40)
    assert _by_account(first) == {whale: 2, **dict.fromkeys(small, 2)}
    assert _by_account(await queue.admit(limit=12, max_in_flight_per_account=40)) == {whale: 12}


async def test_a_higher_priority_goes_first(queue: Queue) -> None:
    free, paid = await queue.account("free"), await queue.account("paid", priority=10)
    await queue.ask(free, 5)
    await queue.ask(paid, 5)
    assert _by_account(await queue.admit(limit=6)) == {paid: 5, free: 1}


async def test_no_account_takes_more_than_its_places(queue: Queue) -> None:
    plain, wide = await queue.account("plain"), await queue.account("wide", max_in_flight=7)
    await queue.ask(plain, 10)
    await queue.ask(wide, 10)
    assert _by_account(await queue.admit(max_in_flight_per_account=3)) == {plain: 3, wide: 7}
    assert await queue.admit(max_in_flight_per_account=3) == []


async def test_no_model_and_no_provider_takes_more_than_its_places(queue: Queue) -> None:
    account = await queue.account("one")
    await queue.ask(account, 10, "slow")
    await queue.ask(account, 10, "quick")
    limits: dict[str, Any] = {"max_in_flight_per_account": 100, "per_model": {"slow": 2}}
    models = [row.model for row in await queue.admit(max_in_flight=8, **limits)]
    assert (models.count("slow"), models.count("quick")) == (2, 6)
    assert await queue.admit(max_in_flight=8, **limits) == []
    assert len(await queue.admit(max_in_flight=9, **limits)) == 1


async def test_the_create_rate_is_kept_after_the_burst(queue: Queue) -> None:
    account = await queue.account("one")
    await queue.ask(account, 30)
    rate: dict[str, Any] = {"creates_per_minute": 60, "burst": 5, "max_in_flight_per_account": 100}
    assert len(await queue.admit(**rate)) == 5
    assert await queue.admit(**rate) == []
    queue.clock.advance(timedelta(seconds=3))
    assert len(await queue.admit(**rate)) == 3
    queue.clock.advance(timedelta(hours=1))
    assert len(await queue.admit(**rate)) == 5


async def test_nobody_is_let_in_while_the_provider_says_no(queue: Queue) -> None:
    account = await queue.account("one")
    await queue.ask(account, 2)
    assert len(await queue.admit(limit=1)) == 1
    until = queue.clock.now() + timedelta(seconds=10)
    async with queue.database.write() as session:
        await admission.close(session, "replicate", until=until)
        await admission.close(session, "replicate", until=until - timedelta(seconds=5))  # the later one holds
    queue.clock.advance(timedelta(seconds=9))
    assert await queue.admit() == []
    queue.clock.advance(timedelta(seconds=1))
    assert len(await queue.admit()) == 1


async def test_two_engines_together_let_in_what_one_would(queue: Queue) -> None:
    accounts = [await queue.account(f"account-{n}") for n in range(4)]
    for account in accounts:
        await queue.ask(account, 10)
    admitted = await asyncio.gather(*(queue.admit(limit=10, max_in_flight=13) for _ in range(6)))
    rows = [row for rows in admitted for row in rows]
    assert len(rows) == len({row.id for row in rows}) == 13
    assert sorted(_by_account(rows).values()) == [3, 3, 3, 4]


async def test_a_row_that_somebody_holds_is_not_admitted(queue: Queue) -> None:
    account = await queue.account("one")
    await queue.ask(account, 1)
    (row,) = await queue.admit()
    assert (row.phase, row.status, row.epoch) == ("submit", "processing", 1)
    assert await queue.admit() == []


async def test_a_rate_that_was_told_holds_and_then_lapses_step_by_step(queue: Queue) -> None:
    """As for an account with little credit: 6 a minute, one at a time."""
    account = await queue.account("ann", max_in_flight=10_000)
    await queue.ask(account, 200)
    assert len(await queue.admit(3)) == 3
    async with queue.database.write() as session:
        await admission.tell(session, "replicate", Rate(6, 1), now=queue.clock.now())
    let_in: list[int] = []
    for _ in range(6):  # a minute, ten seconds at a time
        queue.clock.advance(timedelta(seconds=10))
        let_in.append(len(await queue.admit(max_in_flight_per_account=10_000)))
    assert let_in == [1] * 6
    queue.clock.advance(admission.TOLD_FOR - timedelta(seconds=50))  # ten seconds after it has lapsed
    assert len(await queue.admit(max_in_flight_per_account=10_000)) == 2, "twice the burst, to feel the way back"
    queue.clock.advance(timedelta(minutes=admission.MAX_DOUBLINGS))
    assert len(await queue.admit(max_in_flight_per_account=10_000)) > 100, "its own rate again"


async def test_a_rate_that_is_told_is_never_above_our_own(queue: Queue) -> None:
    account = await queue.account("ann")
    await queue.ask(account, 5)
    assert len(await queue.admit(1, burst=2, creates_per_minute=60)) == 1
    async with queue.database.write() as session:
        await admission.tell(session, "replicate", Rate(6000, 100), now=queue.clock.now())
    assert len(await queue.admit(burst=2, creates_per_minute=60)) == 1


async def _let_in_one_by_one(queue: Queue, count: int, **limits: Any) -> list[str]:
    """Whose turn it is each time. Each prediction ends before the next is made, so nobody has more in flight."""
    let_in: list[str] = []
    for _ in range(count):
        (row,) = await queue.admit(**limits)
        let_in.append(row.account_id)
        async with queue.database.write() as session:
            await session.execute(update(Generation).where(Generation.id == row.id).values(phase=Phase.STORE))
        queue.clock.advance(timedelta(seconds=1))
    return let_in


@pytest.mark.parametrize("short_of", ["rate", "places", "places of the model"])
async def test_accounts_take_turns_where_predictions_end_at_once(queue: Queue, short_of: str) -> None:
    limits: dict[str, Any] = {
        "rate": {"creates_per_minute": 60, "burst": 1},
        "places": {"max_in_flight": 1},
        "places of the model": {"per_model": {"quick": 1}},
    }[short_of]
    whale = await queue.account("whale")
    await queue.ask(whale, 20)
    small, late = await queue.account("small"), await queue.account("late")
    await queue.ask(small, 4)
    assert await _let_in_one_by_one(queue, 4, **limits) == [whale, small, whale, small]
    await queue.ask(late, 2)
    assert await _let_in_one_by_one(queue, 6, **limits) == [whale, small, late, whale, small, late]
    assert await _let_in_one_by_one(queue, 2, **limits) == [whale, whale]
