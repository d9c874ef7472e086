"""A generation as the API shows it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from mutoscope.accounts.principal import Principal
from mutoscope.api.texts import Name
from mutoscope.bootstrap import Runtime
from mutoscope.generations import outputs
from mutoscope.generations.models import Generation, OutputFile
from mutoscope.generations.states import FINAL, Status

MAX_METADATA_BYTES = 16 * 1024
LOG_CHARS = 2000

StatusName = Literal["queued", "processing", "completed", "failed", "canceled"]


class GenerationCreate(BaseModel):
    """What is asked for."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"model": "painter", "input": {"prompt": "a lighthouse at dusk"}}},
    )

    model: Name = Field(description="An alias from `GET /v1/models`.")
    input: dict[str, Any] = Field(description="The model's input, as its schema says.")
    metadata: dict[str, Any] = Field(default={}, description="Your own notes, given back as they are; at most 16 KiB.")
    destination: Name | None = Field(
        default=None, description="Of a training, and only of one: `owner/name` of the model that gets the new version."
    )
    stream: bool | None = Field(
        default=None, description="Whether the text can be followed while it is made; else as the model's settings say."
    )


class FileRead(BaseModel):
    """One stored file."""

    number: int
    url: str = Field(description="Where to get it; good until `expires_at`.")
    media_type: str
    size_bytes: int
    sha256: str
    expires_at: datetime | None = Field(description="Ask again for a fresh link; null: the link does not expire.")


class CreditsRead(BaseModel):
    """What a generation costs, in whole credits."""

    type: str
    held: int = Field(description="Set aside when it was accepted: the most it can cost.")
    charged: int | None = Field(description="What it cost; null while it is not settled.")
    refunded: int | None = Field(description="What of the hold came back; null while it is not settled.")
    refund_reason: str | None = Field(description="Why it came back, machine-readable.")


class ProgressRead(BaseModel):
    """How far it is."""

    percent: int | None
    logs: str | None = Field(description="The tail of the model's logs.")


class FailureRead(BaseModel):
    """Why it failed or was canceled."""

    code: str
    detail: str


class ProviderRead(BaseModel):
    """Where it runs; shown to operators only."""

    name: str
    reference: str
    prediction_id: str | None
    prediction_status: str | None


class GenerationRead(BaseModel):
    """One paid generation. `completed` means that its files are stored."""

    id: str
    object: Literal["generation"] = "generation"
    status: StatusName
    model: str
    kind: Literal["prediction", "training"]
    destination: str | None = Field(description="Of a training: the model that gets the new version.")
    stream: str | None = Field(description="Where the text can be followed while it is made, if it can.")
    input: dict[str, Any]
    output: Any = Field(description="The model's output, with a link in place of each file.")
    files: list[FileRead]
    credits: CreditsRead
    progress: ProgressRead
    failure: FailureRead | None
    attempt: int
    cancel_requested: bool
    metadata: dict[str, Any]
    provider: ProviderRead | None
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None

    @classmethod
    def of(cls, row: Generation, files: list[FileRead], principal: Principal) -> Self:
        """What ``principal`` may see of ``row``."""
        links = {file.number: file.url for file in files}
        return cls.model_validate(
            {
                "id": row.id,
                "status": row.status,
                "model": row.model,
                "kind": row.kind,
                "destination": row.destination,
                "stream": f"/v1/generations/{row.id}/stream" if row.stream else None,
                "input": row.input,
                "output": outputs.show_files(row.output, links.get) if row.status == Status.COMPLETED else None,
                "files": files,
                "credits": _credits(row),
                "progress": _progress(row),
                "failure": _failure(row),
                "attempt": row.attempt,
                "cancel_requested": row.cancel_requested_at is not None,
                "metadata": row.metadata_,
                "provider": _provider(row) if principal.scope == "operator" else None,
                "created_at": row.created_at,
                "started_at": row.started_at,
                "completed_at": row.completed_at,
            }
        )


def _credits(row: Generation) -> CreditsRead:
    refunded = None if row.charged_credits is None else row.held_credits - row.charged_credits
    return CreditsRead(
        type=row.credit_type,
        held=row.held_credits,
        charged=row.charged_credits,
        refunded=refunded,
        refund_reason=(row.failure_code or "unused") if refunded else None,
    )


def _progress(row: Generation) -> ProgressRead:
    percent = 100 if row.status == Status.COMPLETED else row.progress_percent
    return ProgressRead(percent=percent, logs=row.logs[-LOG_CHARS:] if row.logs else None)


def _failure(row: Generation) -> FailureRead | None:
    # Decided but not yet settled shows as still processing.
    if row.status not in FINAL or row.failure_code is None:
        return None
    return FailureRead(code=row.failure_code, detail=row.failure_detail or "")


def _provider(row: Generation) -> ProviderRead:
    return ProviderRead(
        name=row.provider,
        reference=row.reference,
        prediction_id=row.prediction_id,
        prediction_status=row.prediction_status,
    )


async def show(parts: Runtime, rows: Sequence[Generation], principal: Principal) -> list[GenerationRead]:
    """Generations with fresh links to their files."""
    ended = [row.id for row in rows if row.status == Status.COMPLETED]
    files = await parts.generations.files(ended) if ended else {}
    return [GenerationRead.of(row, [await _file(parts, f) for f in files.get(row.id, [])], principal) for row in rows]


async def _file(parts: Runtime, file: OutputFile) -> FileRead:
    life_s = parts.settings.link_s
    url = await parts.store.link(file.key, expires_s=life_s, media_type=file.media_type)
    public = parts.settings.aws_s3_bucket_name and parts.settings.storage_public_url
    return FileRead(
        number=file.number,
        url=url,
        media_type=file.media_type,
        size_bytes=file.size_bytes,
        sha256=file.sha256,
        expires_at=None if public else parts.clock.now() + timedelta(seconds=life_s),
    )
