"""The runner's parts put together: accepts, shows, lists and cancels predictions and trainings."""

import asyncio
from collections import Counter
from datetime import datetime
from typing import Any

from mutoscope.core.errors import NotFound
from mutoscope.replicate_protocol.wire import PAGE_SIZE, position
from mutoscope.runner.admission import Create, new_prediction, new_training, webhook_secret
from mutoscope.runner.catalog import Catalog, Runnable, check_names, choose
from mutoscope.runner.cogs.inbox import Inbox
from mutoscope.runner.cogs.offered import Cogs
from mutoscope.runner.cogs.upstream import Surroundings
from mutoscope.runner.config import RunnerConfig
from mutoscope.runner.database import open_database, transaction
from mutoscope.runner.deletion import VersionDeletion
from mutoscope.runner.deployments import Deployments
from mutoscope.runner.documents import Addresses, document
from mutoscope.runner.execution.inline import Executor
from mutoscope.runner.faults import PREEMPTED, Dice
from mutoscope.runner.files import Files
from mutoscope.runner.hooks import Hooks
from mutoscope.runner.library import Library
from mutoscope.runner.lifecycle import Lifecycle, interrupt
from mutoscope.runner.limiter import Limiter
from mutoscope.runner.models.base import Job, Model
from mutoscope.runner.offers import Offer
from mutoscope.runner.predictors.describe import describe
from mutoscope.runner.records import Kind, Live, Record
from mutoscope.runner.shelf import Shelf
from mutoscope.runner.spoilt import Spoilt
from mutoscope.runner.store import Store
from mutoscope.runner.trainings import Train, Trainings
from mutoscope.runner.uploads import Uploads


class Runner:
    """One runner. ``base_url`` is where its clients find it."""

    def __init__(self, config: RunnerConfig) -> None:
        config.state_dir.mkdir(parents=True, exist_ok=True)
        self.config = config
        self.webhook_secret = webhook_secret(config)
        self.base_url = (config.public_url or f"http://{config.host}:{config.port}").rstrip("/")
        built_in = choose(config.models)
        names = [*config.predictors, *config.cogs, *config.cog_commands, *(one.full_name for one in built_in)]
        check_names(names, config.workers)
        own = [describe(name, reference) for name, reference in config.predictors.items()]
        offers = [Offer(model, config) for model in (*own, *built_in)]
        self._database = open_database(config.state_dir / "runner.db")
        self.store, self.shelf = Store(self._database), Shelf(self._database)
        self.files = Files(config.state_dir)
        self.uploads = Uploads(self.files, self.store, config.retention_s, self.webhook_secret)
        self.inbox = Inbox(self.base_url)
        self.cogs = Cogs(
            config,
            Surroundings(self.inbox, lambda url: self.uploads.open_link(url, self.base_url), config.cancel_grace_s),
        )
        self.catalog = Catalog(offers, self.shelf)
        self.run_counts = Counter(self.store.run_counts())
        self.library = Library(self.catalog, self.shelf, self.run_counts)
        self.deployments = Deployments(self.catalog, self.shelf)
        parts = (self._database, self.library, self.deployments, self.shelf, self.store, self.files)
        self.deletion = VersionDeletion(*parts)
        self.trainings = Trainings(self.catalog, self.shelf, self.files)
        self.dice = Dice(config.fault_plan)
        self.limiter = Limiter(config.create_limit)
        self.counts: Counter[str] = Counter()
        self.empty_lists = 0
        self.spoilt: dict[str, Spoilt] = {}
        self._retiring: set[asyncio.Task[None]] = set()
        self.hooks = Hooks(
            self.webhook_secret,
            retry_s=config.webhook_retry_s,
            timeout_s=config.webhook_timeout_s,
            render=self.show,
            settled=self.store.settle_webhook,
        )
        self.lifecycle = Lifecycle(self.hooks, self._keep)

    @property
    def addresses(self) -> Addresses:
        """Where clients find the API and the files of outputs."""
        return Addresses(self.base_url, (self.config.output_url or f"{self.base_url}/files").rstrip("/"))

    def recover(self) -> None:
        """Fail what an earlier process left unfinished, and send the terminal webhooks that it still owed."""
        for record in self.store.unfinished():
            interrupt(self.store, record, PREEMPTED)
        for record in self.store.owing():
            self.hooks.send(Live(record), "completed")

    async def open(self) -> None:
        """Offer the Cog servers too. Raises ``ConfigurationError`` for one that cannot be used."""
        for model in await self.cogs.open():
            self.catalog.replace(Offer(model, self.config))

    async def replace(self, model: Model) -> None:
        """Offer a model instead of the one of its name; what was accepted for that one still ends."""
        before = self.catalog.replace(Offer(model, self.config))
        if before:
            task = asyncio.create_task(before.retire())
            self._retiring.add(task)
            task.add_done_callback(self._retiring.discard)

    async def aclose(self) -> None:
        """Stop everything; what is unfinished fails at the next start."""
        await self.lifecycle.aclose()
        await self.hooks.aclose()
        await asyncio.gather(*self._retiring)
        await self.cogs.aclose()
        await asyncio.gather(*(offer.aclose() for offer in self.catalog.offers))
        self._database.close()

    def show(self, record: Record) -> dict[str, Any]:
        """A prediction or training as clients see it."""
        return document(record, self.addresses)

    def accept(self, create: Create, token: str) -> Live:
        """Keep a new prediction and start on it.

        Raises:
            UnknownVersion: It is not offered here.
            InvalidInput: The input breaks the model's schema.
            Throttled: The rate limit is used up.
        """
        self.limiter.take(token)
        found = self.catalog.resolve(create.reference)
        completed_input = found.offer.check.complete(create.body.input)
        live = Live(new_prediction(create, found, self.files.new_folder()), create.faults)
        self._remember_faults(live)
        self.run_counts[found.name] += 1
        self._start(live, found, found.offer, completed_input)
        return live

    def train(self, wanted: Train, token: str) -> Live:
        """Keep a new training and start on it. Raises as ``accept`` and ``Trainings.resolve`` do."""
        self.limiter.take(token)
        found, executor = self.trainings.resolve(wanted)
        completed_input = found.offer.training_check.complete(wanted.body.input)
        live = Live(new_training(wanted, found, self.files.new_folder()))
        self._start(live, found, executor, completed_input)
        return live

    def _start(self, live: Live, found: Runnable, executor: Executor, completed_input: dict[str, Any]) -> None:
        record = live.record
        job = Job(
            record.id,
            completed_input,
            self.files.directory(record.folder),
            record.folder,
            self._mentioned(found, completed_input),
            self.files.path(found.weights) if found.weights else None,
        )
        self.store.insert(record)  # when nothing is left that could fail: what is in the store runs
        self.counts["accepted"] += 1
        self.lifecycle.begin(live, executor, job)

    def _mentioned(self, found: Runnable, completed_input: dict[str, Any]) -> dict[str, str]:
        """The uploads that the inputs of files name. A text that names one is only a text."""
        given = {name: value for name, value in completed_input.items() if name in found.offer.files}
        return self.uploads.paths(given, self.base_url)

    def _keep(self, record: Record, owes_webhook: bool) -> None:
        """Write down how a run ended; a training that did well together with the version that it made."""
        with transaction(self._database):
            if record.kind == "training" and record.status == "succeeded":
                version = self.trainings.conclude(record)
                if version:
                    self.shelf.add_version(version)
            self.store.finish(record, owes_webhook=owes_webhook)

    def _remember_faults(self, live: Live) -> None:
        faults = live.faults
        self.files.set_faults(live.record.folder, faults)
        self.empty_lists += faults.list_empty
        if spoilt := Spoilt.by(faults):
            self.spoilt[live.record.id] = spoilt

    def find(self, run_id: str, kind: Kind = "prediction") -> Record:
        """One prediction or training. Raises ``NotFound``."""
        live = self.lifecycle.live.get(run_id)
        record = live.record if live else self.store.get(run_id)
        if record is None or record.kind != kind:
            raise NotFound("The requested resource could not be found.")
        return record

    def cancel(self, run_id: str, kind: Kind = "prediction") -> Record:
        """Cancel a run; one that has ended stays as it is. Raises ``NotFound``."""
        record = self.find(run_id, kind)
        if live := self.lifecycle.live.get(run_id):
            self.lifecycle.cancel(live)
        return record

    def page(
        self, kind: Kind, cursor: str | None, after: datetime | None = None, before: datetime | None = None
    ) -> tuple[list[Record], int | None]:
        """The newest of a kind first, and where the next page begins. Raises ``InvalidRequest`` for a bad cursor."""
        records, last = self.store.page(kind, before_seq=position(cursor), limit=PAGE_SIZE, after=after, before=before)
        return [live.record if (live := self.lifecycle.live.get(one.id)) else one for one in records], last

    def stats(self) -> dict[str, Any]:
        """Counts since the start, and how many predictions are in which status now."""
        statuses = Counter(self.store.counts())
        running = [live.record for live in self.lifecycle.live.values() if live.record.kind == "prediction"]
        for record in running:
            if record.status == "processing":
                statuses["starting"] -= 1
                statuses["processing"] += 1
        return {
            "creates": {"received": self.counts["received"], "accepted": self.counts["accepted"]},
            "predictions": {status: count for status, count in statuses.items() if count},
            "in_flight": len(running),
            "webhooks": {**self.hooks.counts, "pending": self.hooks.pending},
            "requests": {name: self.counts[name] for name in ("gets", "lists", "cancels", "files")},
        }
