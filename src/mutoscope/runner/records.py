"""A prediction or training as the runner keeps it, and what surrounds it while it runs."""

import asyncio
import base64
import secrets
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel

from mutoscope.replicate_protocol.predictions import WebhookEvent
from mutoscope.replicate_protocol.statuses import TERMINAL_STATUSES
from mutoscope.runner.faults import Faults

Kind = Literal["prediction", "training"]


class Record(BaseModel):
    """One run. ``version`` is what clients see (``hidden`` for an official model), ``runs`` what runs.

    ``folder`` names its files; it cannot be guessed, so that who knows it may read the files and the stream.
    """

    id: str
    kind: Kind = "prediction"
    folder: str
    model: str
    version: str
    runs: str
    created_at: datetime
    input: dict[str, Any]
    status: str = "starting"
    output: Any = None
    error: str | None = None
    logs: str = ""
    started_at: datetime | None = None
    completed_at: datetime | None = None
    deadline: datetime | None = None
    deployment: str | None = None
    destination: str | None = None
    streams: bool = False
    data_removed: bool = False
    webhook: str | None = None
    events: frozenset[WebhookEvent] = frozenset()

    @property
    def terminal(self) -> bool:
        """Whether it has ended."""
        return self.status in TERMINAL_STATUSES


@dataclass(slots=True, eq=False)
class Live:
    """A run that has not ended, or whose webhooks have not all been sent."""

    record: Record
    faults: Faults = field(default_factory=Faults)
    finished: asyncio.Event = field(default_factory=asyncio.Event)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    hooked: asyncio.Event = field(default_factory=asyncio.Event)
    completed_sent: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None
    last_delivery: asyncio.Task[None] | None = None
    next_update_at: float = 0.0
    pending_update: asyncio.TimerHandle | None = None
    forged: bool = False

    def notify(self) -> None:
        """Wake who waits for the next change; whoever wants the one after it must take ``changed`` anew."""
        event, self.changed = self.changed, asyncio.Event()
        event.set()


def new_prediction_id() -> str:
    """26 lower-case letters and digits, as Replicate's ids look."""
    return base64.b32encode(secrets.token_bytes(16)).decode().rstrip("=").lower()
