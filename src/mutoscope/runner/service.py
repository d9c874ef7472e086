"""The runner's parts put together: accepts, shows, lists and cancels predictions."""

import asyncio
import base64
import binascii
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from mutoscope.core.errors import InvalidRequest, NotFound
from mutoscope.replicate_protocol.predictions import CreatePrediction, WebhookEvent
from mutoscope.replicate_protocol.references import ModelReference
from mutoscope.replicate_protocol.webhooks import new_webhook_secret
from mutoscope.runner.catalog import Catalog
from mutoscope.runner.config import RunnerConfig
from mutoscope.runner.execution.inline import Executor, Inline
from mutoscope.runner.execution.processes import Processes
from mutoscope.runner.faults import PREEMPTED, Dice, Faults
from mutoscope.runner.files import Files
from mutoscope.runner.hooks import Hooks
from mutoscope.runner.lifecycle import Lifecycle, interrupt
from mutoscope.runner.limiter import Limiter
from mutoscope.runner.models.base import Model
from mutoscope.runner.records import Live, Record, document, new_prediction_id
from mutoscope.runner.store import Store
from mutoscope.runner.uploads import Uploads
from mutoscope.runner.validation import InputCheck

PAGE_SIZE = 100
_DEFAULT_EVENTS: frozenset[WebhookEvent] = frozenset({"output", "completed"})


@dataclass(frozen=True, slots=True)
class Create:
    """One request for a prediction, understood but not yet accepted."""

    reference: ModelReference
    body: CreatePrediction
    cancel_after_s: int | None
    faults: Faults


@dataclass(slots=True)
class Spoilt:
    """What is still to go wrong with later requests about one prediction."""

    get_500: int
    get_timeout_s: float
    cancel_lost: int


class Runner:
    """One runner. ``base_url`` is known once the server listens; everything else is ready at once."""

    def __init__(self, config: RunnerConfig) -> None:
        config.state_dir.mkdir(parents=True, exist_ok=True)
        self.config = config
        self.webhook_secret = _webhook_secret(config)
        self.base_url = (config.public_url or f"http://{config.host}:{config.port}").rstrip("/")
        self.catalog = Catalog(config.models)
        self.store = Store(config.state_dir / "runner.db")
        self.files = Files(config.state_dir)
        self.uploads = Uploads(self.files, self.store, config.retention_s)
        self.dice = Dice(config.fault_plan)
        self.limiter = Limiter(config.create_limit)
        self.counts: Counter[str] = Counter()
        self.empty_lists = 0
        self.hooks = Hooks(
            self.webhook_secret,
            retry_s=config.webhook_retry_s,
            timeout_s=config.webhook_timeout_s,
            render=self.show,
            settled=self.store.settle_webhook,
        )
        self._executors = {model.full_name: _executor(model, config) for model in self.catalog.models}
        self._checks = {model.full_name: InputCheck(model) for model in self.catalog.models}
        self.lifecycle = Lifecycle(self.store, self.hooks, self.files, self._executors)
        self.spoilt: dict[str, Spoilt] = {}

    @property
    def output_url(self) -> str:
        """Base URL of output files."""
        return (self.config.output_url or f"{self.base_url}/files").rstrip("/")

    def recover(self) -> None:
        """Fail what an earlier process left unfinished, and send the terminal webhooks that it still owed."""
        for record in self.store.unfinished():
            interrupt(self.store, record, PREEMPTED)
        for record in self.store.owing():
            self.hooks.send(Live(record), "completed")

    async def aclose(self) -> None:
        """Stop everything; what is unfinished fails at the next start."""
        await self.lifecycle.aclose()
        await self.hooks.aclose()
        await asyncio.gather(*(executor.aclose() for executor in self._executors.values()))
        self.store.close()

    def show(self, record: Record) -> dict[str, Any]:
        """A prediction as clients see it."""
        return document(record, self.base_url, self.output_url)

    def accept(self, create: Create) -> Live:
        """Keep a new prediction and start on it.

        Raises:
            UnknownVersion: It is not offered here.
            InvalidInput: The input breaks the model's schema.
            Throttled: The rate limit is used up.
        """
        self.limiter.take()
        model = self.catalog.resolve(create.reference)
        completed_input = self._checks[model.full_name].complete(create.body.input)
        live = Live(self._record(create, model), create.faults)
        self.store.insert(live.record)
        self.counts["accepted"] += 1
        self._remember_faults(live)
        self.lifecycle.begin(live, model, completed_input, self.uploads.paths(completed_input, self.base_url))
        return live

    def _record(self, create: Create, model: Model) -> Record:
        now, body, kind = datetime.now(UTC), create.body, create.reference.kind
        after_s = create.cancel_after_s
        return Record(
            id=new_prediction_id(),
            folder=self.files.new_folder(),
            model=model.full_name,
            version="hidden" if kind == "official" else model.version,
            runs=model.version,
            created_at=now,
            input=body.input,
            deadline=None if after_s is None else now + timedelta(seconds=after_s),
            deployment=create.reference.model if kind == "deployment" else None,
            webhook=body.webhook,
            events=_DEFAULT_EVENTS if body.webhook_events_filter is None else frozenset(body.webhook_events_filter),
        )

    def _remember_faults(self, live: Live) -> None:
        faults = live.faults
        self.files.set_faults(live.record.folder, faults)
        self.empty_lists += faults.list_empty
        if faults.get_500 or faults.get_timeout_s or faults.cancel_lost:
            self.spoilt[live.record.id] = Spoilt(faults.get_500, faults.get_timeout_s, faults.cancel_lost)

    def find(self, prediction_id: str) -> Record:
        """One prediction. Raises ``NotFound``."""
        live = self.lifecycle.live.get(prediction_id)
        record = live.record if live else self.store.get(prediction_id)
        if record is None:
            raise NotFound("The requested resource could not be found.")
        return record

    def cancel(self, prediction_id: str) -> Record:
        """Cancel a prediction; one that has ended stays as it is. Raises ``NotFound``."""
        record = self.find(prediction_id)
        if live := self.lifecycle.live.get(prediction_id):
            self.lifecycle.cancel(live)
        return record

    def page(
        self, cursor: str | None, after: datetime | None, before: datetime | None
    ) -> tuple[list[Record], str | None]:
        """The newest predictions first, and the cursor of the next page. Raises ``InvalidRequest`` for a bad cursor."""
        records, last = self.store.page(before_seq=_position(cursor), after=after, before=before, limit=PAGE_SIZE)
        shown = [live.record if (live := self.lifecycle.live.get(one.id)) else one for one in records]
        return shown, None if last is None else base64.urlsafe_b64encode(str(last).encode()).decode()

    def stats(self) -> dict[str, Any]:
        """Counts since the start, and how many predictions are in which status now."""
        statuses = Counter(self.store.counts())
        for live in self.lifecycle.live.values():
            if live.record.status == "processing":
                statuses["starting"] -= 1
                statuses["processing"] += 1
        return {
            "creates": {"received": self.counts["received"], "accepted": self.counts["accepted"]},
            "predictions": {status: count for status, count in statuses.items() if count},
            "in_flight": len(self.lifecycle.live),
            "webhooks": {**self.hooks.counts, "pending": self.hooks.pending},
            "requests": {name: self.counts[name] for name in ("gets", "lists", "cancels", "files")},
        }


def _executor(model: Model, config: RunnerConfig) -> Executor:
    if isinstance(model.predictor, str):
        return Processes(model.predictor, config.workers.get(model.full_name, 1), config.cancel_grace_s)
    return Inline(model.predictor)


def _position(cursor: str | None) -> int | None:
    if cursor is None:
        return None
    try:
        return int(base64.urlsafe_b64decode(cursor.encode()))
    except (binascii.Error, ValueError) as error:
        raise InvalidRequest("The cursor is not valid; take it from the 'next' of a page.") from error


def _webhook_secret(config: RunnerConfig) -> str:
    """The secret that was given, or the one of this state directory."""
    if config.webhook_secret:
        return config.webhook_secret
    path = config.state_dir / "webhook_secret"
    if not path.exists() or not path.read_text().strip():
        path.touch(mode=0o600)
        path.write_text(new_webhook_secret())
    return path.read_text().strip()
