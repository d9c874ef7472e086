"""A prediction as the runner keeps it, what surrounds it while it runs, and how it is shown."""

import asyncio
import base64
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

from pydantic import BaseModel

from mutoscope.replicate_protocol.predictions import WebhookEvent
from mutoscope.replicate_protocol.statuses import TERMINAL_STATUSES
from mutoscope.runner.faults import Faults
from mutoscope.runner.models.base import FILE_SCHEME


class Record(BaseModel):
    """One prediction. ``version`` is what clients see (``hidden`` for an official model), ``runs`` what runs."""

    id: str
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
    data_removed: bool = False
    webhook: str | None = None
    events: frozenset[WebhookEvent] = frozenset()

    @property
    def terminal(self) -> bool:
        """Whether it has ended."""
        return self.status in TERMINAL_STATUSES


@dataclass(slots=True, eq=False)
class Live:
    """A prediction that has not ended, or whose webhooks have not all been sent."""

    record: Record
    faults: Faults = field(default_factory=Faults)
    finished: asyncio.Event = field(default_factory=asyncio.Event)
    hooked: asyncio.Event = field(default_factory=asyncio.Event)
    completed_sent: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None
    last_delivery: asyncio.Task[None] | None = None
    next_update_at: float = 0.0
    pending_update: asyncio.TimerHandle | None = None
    forged: bool = False


def new_prediction_id() -> str:
    """26 lower-case letters and digits, as Replicate's ids look."""
    return base64.b32encode(secrets.token_bytes(16)).decode().rstrip("=").lower()


def iso(at: datetime) -> str:
    """The time as Replicate writes it, in UTC with milliseconds."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def map_strings(value: Any, change: Callable[[str], str]) -> Any:
    """The same JSON with every string (not the keys) changed."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [map_strings(item, change) for item in cast("list[Any]", value)]
    if isinstance(value, dict):
        return {key: map_strings(item, change) for key, item in cast("dict[str, Any]", value).items()}
    return value


def document(record: Record, base_url: str, output_url: str) -> dict[str, Any]:
    """The prediction as ``GET`` and webhooks show it. Times that have not come are left out, as the document says."""
    api = f"{base_url}/v1/predictions/{record.id}"
    shown: dict[str, Any] = {
        "id": record.id,
        "model": record.model,
        "version": record.version,
        "input": record.input,
        "logs": record.logs,
        "output": map_strings(record.output, lambda text: _link(text, output_url)),
        "data_removed": record.data_removed,
        "error": record.error,
        "source": "api",
        "status": record.status,
        "created_at": iso(record.created_at),
        "urls": {"get": api, "cancel": f"{api}/cancel", "web": api},
        "metrics": _metrics(record),
    }
    for name in ("started_at", "completed_at", "deadline"):
        if at := getattr(record, name):
            shown[name] = iso(at)
    for name in ("deployment", "webhook"):
        if text := getattr(record, name):
            shown[name] = text
    return shown


def _link(text: str, output_url: str) -> str:
    return f"{output_url}/{text.removeprefix(FILE_SCHEME)}" if text.startswith(FILE_SCHEME) else text


def _metrics(record: Record) -> dict[str, float]:
    if record.completed_at is None:
        return {}
    metrics = {"total_time": (record.completed_at - record.created_at).total_seconds()}
    if record.started_at:
        metrics["predict_time"] = (record.completed_at - record.started_at).total_seconds()
    return metrics
