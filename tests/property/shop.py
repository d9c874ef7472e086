"""A whole Mutoscope on a real database, whose time, provider, store and workers are in the hands of a test."""

import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, TypeVar

from sqlalchemy import event, select

from mutoscope.accounts.service import Accounts
from mutoscope.catalog.service import Catalog
from mutoscope.core.clock import ManualClock
from mutoscope.core.model_settings import ModelSettings
from mutoscope.core.settings import AdmissionSettings, UploadSettings
from mutoscope.db.engine import Database
from mutoscope.engines.chores import expire_lots
from mutoscope.generations import admission, callbacks, transitions
from mutoscope.generations.admission import Limits
from mutoscope.generations.advance import advance
from mutoscope.generations.copies import Copies
from mutoscope.generations.inputs import InputFiles
from mutoscope.generations.machine import Machine, Policy
from mutoscope.generations.models import Generation
from mutoscope.generations.placement import Placement
from mutoscope.generations.service import Generations, NewGeneration
from mutoscope.generations.signals import Signals
from mutoscope.ledger import service as ledger
from mutoscope.providers.fake import ANY_INPUT, FakeProvider
from mutoscope.storage.links import LinkSigner
from mutoscope.storage.memory import MemoryStore
from mutoscope.uploads.service import Uploads
from tests.property.power import Files, FlakyStore, HeldProvider, Power, PowerCut, Worker, passes, working

T = TypeVar("T")
START = datetime(2026, 1, 1, tzinfo=UTC)
LEASE = timedelta(seconds=30)
PROVIDER = "fake"
LIMITS = Limits(AdmissionSettings(max_in_flight=4, max_in_flight_per_account=3, creates_per_minute=60, burst=4), {})

MODELS = {
    alias: ModelSettings.model_validate({"run_timeout_s": 60, "credit_type": "coins", **values})
    for alias, values in {
        "picture": {"reference": "acme/picture", "price": {"per_run": 3}},
        "pictures": {
            "reference": f"acme/pictures:{'a' * 64}",
            "price": {"per_run": 1, "per_output": 2, "max_outputs": 3},
            "charge_canceled": "used_seconds",
        },
        "film": {
            "reference": "deployments/acme/film",
            "price": {"per_run": 1, "per_predict_second": 1, "max_predict_seconds": 6},
            "charge_canceled": "used_seconds",
            "max_attempts": 2,
        },
        "strict": {
            "reference": "b" * 64,
            "price": {"per_run": 2},
            "charge_canceled": "everything",
            "max_attempts": 1,
            "max_files": 2,
            "media_types": ["image/*"],
            "queue_timeout_s": 90,
            "store_timeout_s": 20,
        },
    }.items()
}


class Shop:
    """The services, put together as ``bootstrap`` does, around a clock that stands still until it is moved."""

    def __init__(self, runner: asyncio.Runner, database_url: str, *, webhooks: bool) -> None:
        self.runner = runner
        self.clock = ManualClock(START)
        self.database = Database(database_url)
        if self.database.is_sqlite:
            # A crash is a rollback here, not a power cut of the disk; so nothing needs to be flushed.
            event.listen(self.database.engine.sync_engine, "connect", _do_not_flush)
        self.fake = FakeProvider(self.clock, {m.reference: ANY_INPUT for m in MODELS.values()}, name=PROVIDER)
        self.store = FlakyStore(MemoryStore(LinkSigner(b"s" * 16, "https://us.example"), clock=self.clock))
        self.files, self.power = Files(), Power()
        self.machine = self._machine(webhooks=webhooks)
        catalog = Catalog(self.database, self.clock, MODELS, self.fake.openapi_schema, PROVIDER)
        self.generations = Generations(
            self.database,
            self.clock,
            catalog,
            self.machine.bell,
            Signals(),
            self.power,
            inputs=self.machine.inputs,
            placement=Placement({PROVIDER: 1}),
        )
        self.held: list[Worker] = []
        self._names = count(1)

    def _machine(self, *, webhooks: bool) -> Machine:
        return Machine(
            database=self.database,
            clock=self.clock,
            providers={PROVIDER: HeldProvider(self.fake)},
            store=self.store,
            open_source=self.files.open,
            is_file=self.files.is_file,
            bell=Signals(),
            policy=Policy(
                lease=LEASE,
                doubt_window=timedelta(seconds=40),
                unreachable_grace=timedelta(minutes=10),
                expiry_grace_s=3600,
                storage_prefix="kept",
                webhook_attempts=16,
                webhook_url=(lambda name, ref: f"https://us.example/callbacks/{name}?ref={ref}") if webhooks else None,
            ),
            kill=self.power,
            inputs=self._inputs(),
        )

    def _inputs(self) -> InputFiles:
        uploads = Uploads(self.database, self.clock, self.store, UploadSettings())
        return InputFiles(uploads, Copies(self.database, self.clock, self.power), public_links=True)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run to the end; a worker that is held stays where it is."""
        return self.runner.run(asyncio.wait_for(work, 60))

    async def open_account(self, external_id: str) -> str:
        return (await Accounts(self.database, self.clock).create(external_id)).id

    async def grant(self, account_id: str, amount: int, expires_at: datetime | None) -> None:
        async with self.database.write() as session:
            await ledger.grant(
                session,
                account_id=account_id,
                credit_type="coins",
                amount=amount,
                source="purchase",
                external_id=f"purchase-{next(self._names)}",
                expires_at=expires_at,
                now=self.clock.now(),
            )

    async def ask(self, account_id: str, model: str, inputs: dict[str, Any], key: str | None) -> Generation:
        return await self.generations.create(account_id, NewGeneration(model, inputs, idempotency_key=key))

    async def expire(self) -> None:
        await expire_lots(self.database, self.clock)()

    async def webhook(self, ref: str | None, headers: dict[str, str], body: bytes) -> None:
        await callbacks.receive(self.machine, PROVIDER, ref=ref, headers=headers, body=body)

    async def admit(self, limit: int) -> Sequence[Generation]:
        """As the engine does."""
        now = self.clock.now()
        async with self.machine.commit("admit") as session:
            return await admission.admit(session, PROVIDER, LIMITS, now=now, until=now + LEASE, limit=limit)

    async def claim(self, generation_id: str) -> Generation | None:
        async with self.machine.commit("claim") as session:
            return await transitions.claim_one(session, generation_id, now=self.clock.now(), lease=LEASE)

    async def claim_due(self) -> Sequence[Generation]:
        async with self.machine.commit("claim") as session:
            return await transitions.claim_due(session, now=self.clock.now(), lease=LEASE, limit=100)

    async def work(self, row: Generation, *, hold_at: int = 0) -> str:
        """Advance a claimed row until it is parked, or held at an outside call, or the power is cut."""
        worker = Worker(f"worker {next(self._names)}", row)
        token = working.set(worker)
        worker.task = asyncio.create_task(self._advance(row))
        working.reset(token)
        self.held.append(worker)
        return await self.go_on(worker, hold_at=hold_at)

    async def _advance(self, row: Generation) -> datetime | None:
        await passes("before its first step")
        return await advance(self.machine, row)

    async def go_on(self, worker: Worker, *, hold_at: int = 0) -> str:
        """Let a held worker go on; says how that ended."""
        try:
            ended = await worker.run(hold_at=hold_at)
        except PowerCut as cut:
            self.held.remove(worker)
            return f"{worker.name} dies at {cut}"
        if not ended:
            return f"{worker.name} is held {worker.held_in}"
        self.held.remove(worker)
        return f"{worker.name} is through"

    async def kill(self, worker: Worker) -> None:
        self.held.remove(worker)
        await worker.die()

    async def next_time(self) -> datetime | None:
        """When something is to be done next, if nothing happens before."""
        async with self.database.read() as session:
            rows = (await session.scalars(select(Generation).where(Generation.due_at.is_not(None)))).all()
            opens = await admission.opens_at(session, PROVIDER, LIMITS, now=self.clock.now())
        times = [max(filter(None, (row.due_at, row.lease_until))) for row in rows]
        if any(row.phase == "queued" for row in rows):
            times.append(opens or self.clock.now() + timedelta(seconds=1))
        return min(times, default=None)

    async def aclose(self) -> None:
        for worker in [*self.held]:
            await self.kill(worker)
        await self.generations.catalog.aclose()
        with suppress(Exception):
            await self.database.aclose()


def _do_not_flush(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA synchronous=OFF")
    cursor.close()
