"""How predictions and trainings are shown to clients and in webhooks."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from mutoscope.replicate_protocol.wire import instant
from mutoscope.runner.models.base import FILE_SCHEME
from mutoscope.runner.records import Record

MAX_DEPTH = 100
"""How often lists and objects may be inside one another: less often than any library on the way takes."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where clients find this server: the API, and the files of outputs."""

    base: str
    files: str

    def link(self, text: str) -> str:
        """The text, or if it stands for a file of an output, the file's URL."""
        return f"{self.files}/{text.removeprefix(FILE_SCHEME)}" if text.startswith(FILE_SCHEME) else text


def document(record: Record, addresses: Addresses) -> dict[str, Any]:
    """The run as ``GET`` and webhooks show it. Times that have not come are left out, as the document says."""
    api = f"{addresses.base}/v1/{record.kind}s/{record.id}"
    shown: dict[str, Any] = {
        "id": record.id,
        "model": record.model,
        "version": record.version,
        "input": record.input,
        "logs": record.logs,
        "output": map_strings(record.output, addresses.link),
        "data_removed": record.data_removed,
        "error": record.error,
        "source": "api",
        "status": record.status,
        "created_at": instant(record.created_at),
        "urls": {"get": api, "cancel": f"{api}/cancel", "web": api},
        "metrics": _metrics(record),
    }
    for name in ("started_at", "completed_at", "deadline"):
        if at := getattr(record, name):
            shown[name] = instant(at)
    for name in ("deployment", "webhook", "destination"):
        if text := getattr(record, name):
            shown[name] = text
    if record.streams:
        shown["urls"]["stream"] = f"{addresses.base}/streams/{record.id}/{record.folder}"
    if record.kind == "training":
        del shown["data_removed"]
        if record.output is None:
            del shown["output"]
    return shown


def is_deeper(value: Any, depth: int) -> bool:
    """Whether lists and objects are inside one another more often than ``depth``."""
    if isinstance(value, dict):
        value = list(cast("dict[str, Any]", value).values())
    if not isinstance(value, list):
        return False
    return depth == 0 or any(is_deeper(item, depth - 1) for item in cast("list[Any]", value))


def map_strings(value: Any, change: Callable[[str], str]) -> Any:
    """The same JSON with every string (not the keys) changed."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [map_strings(item, change) for item in cast("list[Any]", value)]
    if isinstance(value, dict):
        return {key: map_strings(item, change) for key, item in cast("dict[str, Any]", value).items()}
    return value


def _metrics(record: Record) -> dict[str, float]:
    if record.completed_at is None:
        return {}
    metrics = {"total_time": (record.completed_at - record.created_at).total_seconds()}
    if record.started_at:
        metrics["predict_time"] = (record.completed_at - record.started_at).total_seconds()
    return metrics
