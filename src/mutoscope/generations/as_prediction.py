"""A generation as Replicate's API shows a prediction or a training, pure; and the webhooks' bodies that tell of it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from mutoscope.generations import outputs, telling
from mutoscope.generations.models import Generation, OutputFile
from mutoscope.generations.service import Generations
from mutoscope.generations.states import FINAL, Status
from mutoscope.replicate_protocol.predictions import Prediction
from mutoscope.replicate_protocol.references import parse_reference
from mutoscope.replicate_protocol.statuses import is_terminal
from mutoscope.replicate_protocol.trainings import Training
from mutoscope.storage.links import LinkSigner
from mutoscope.webhooks.models import WebhookDelivery

PATH = "/replicate"
_OF_THE_END = ("completed_at", "output")
_ENDED_EARLY = {
    "queue_deadline": "aborted",  # it was never started
    "provider_aborted": "aborted",
    "provider_canceled": "canceled",
}


def as_replicate_shows(row: Generation, files: Sequence[OutputFile], links: LinkSigner) -> dict[str, Any]:
    """The JSON of ``GET /v1/predictions/{id}``, or of ``GET /v1/trainings/{id}`` for a training."""
    common, target = _common(row, files, links), parse_reference(row.reference)
    if row.kind == "training":
        return Training(**common).shown()
    deployment = target.model if target.kind == "deployment" else None
    return Prediction(**common, deployment=deployment, deadline=row.deadline).shown()


def run_url(row: Generation, links: LinkSigner) -> str:
    """Where clients of Replicate find it."""
    return f"{links.base_url}{PATH}/v1/{row.kind}s/{row.id}"


def _common(row: Generation, files: Sequence[OutputFile], links: LinkSigner) -> dict[str, Any]:
    target, status, done = parse_reference(row.reference), status_of(row), row.status in FINAL
    api = run_url(row, links)
    urls = {file.number: output_url(file, links) for file in files}
    return {
        "id": row.id,
        "model": target.model or row.model,
        "version": target.version or "hidden",
        "input": row.input,
        "output": outputs.show_files(row.output, urls.get) if status == "succeeded" else None,
        "error": row.failure_detail if done and row.failure_code not in (None, "canceled_by_user") else None,
        "logs": row.logs or "",
        "status": status,
        "created_at": row.created_at,
        "started_at": row.started_at,
        "completed_at": row.completed_at if done else None,
        "metrics": _metrics(row),
        "source": "api",
        "webhook": row.webhook["url"] if row.webhook else None,
        "urls": {"get": api, "cancel": f"{api}/cancel", "web": api} | _stream(row, links),
    }


def status_of(row: Generation) -> str:
    """Replicate's word for where a generation is."""
    match Status(row.status):
        case Status.QUEUED:
            return "starting"
        case Status.PROCESSING:
            return "processing"
        case Status.COMPLETED:
            return "succeeded"
        case Status.CANCELED:
            return "canceled"
        case Status.FAILED if row.failure_code == "run_deadline":
            return "aborted" if row.prediction_status == "aborted" else "canceled"
        case Status.FAILED:
            return _ENDED_EARLY.get(row.failure_code or "", "failed")


def _stream(row: Generation, links: LinkSigner) -> dict[str, str]:
    if not row.stream:
        return {}
    return {"stream": f"{links.base_url}{PATH}/streams/{row.id}/{links.stand_for(stream_name(row.id))}"}


def stream_name(generation_id: str) -> str:
    """What the signature of a link to a stream stands for."""
    return f"stream/{generation_id}"


def output_url(file: OutputFile, links: LinkSigner) -> str:
    """Where a stored file can be read by whoever holds the link, for as long as it is kept."""
    suffix = PurePosixPath(file.key).suffix
    signature = links.stand_for(output_name(file.generation_id, file.number))
    return f"{links.base_url}{PATH}/outputs/{file.generation_id}/{signature}/{file.number}{suffix}"


def output_name(generation_id: str, number: int) -> str:
    """What the signature of such a link stands for."""
    return f"{generation_id}/{number}"


@dataclass(frozen=True, slots=True)
class PredictionBodies:
    """Makes the bodies of webhooks, of trainings too."""

    generations: Generations
    links: LinkSigner

    async def render(self, delivery: WebhookDelivery) -> bytes | None:
        """The prediction as it is now; as it began, for ``start``. ``None`` for progress of what has ended."""
        row = await self.generations.get(delivery.account_id, delivery.subject_id)
        files = await self.generations.files([row.id])
        shown = as_replicate_shows(row, files[row.id], self.links)
        if delivery.event == telling.PROGRESS and is_terminal(shown["status"]):
            return None
        if delivery.event == telling.START:
            shown = _at_start(shown, row.kind)
        return json.dumps(shown, ensure_ascii=False).encode()


def _at_start(shown: dict[str, Any], kind: str) -> dict[str, Any]:
    """A receiver that sees ``start`` after a quick end must not take it for the end, nor the other way round."""
    then: dict[str, Any] = {"status": "processing", "error": None, "logs": "", "metrics": {}}
    then |= {} if kind == "training" else {"output": None}  # a training's is left out until there is one
    return {name: value for name, value in (shown | then).items() if name in then or name not in _OF_THE_END}


def _metrics(row: Generation) -> dict[str, float]:
    if row.completed_at is None:
        return {}
    metrics = {"total_time": (row.completed_at - row.created_at).total_seconds()}
    return metrics | ({"predict_time": row.predict_time_s} if row.predict_time_s is not None else {})
