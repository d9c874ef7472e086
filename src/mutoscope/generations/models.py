"""Tables of the generations room. The row is the truth; everything else only makes it move."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from mutoscope.db.base import Base, Credits, Id, Json, Name, OrderedJson


def _partial_index(name: str, *columns: str, where: str) -> Index:
    return Index(name, *columns, postgresql_where=text(where), sqlite_where=text(where))


class Generation(Base):
    """One paid generation, from accept to its end."""

    __tablename__ = "generations"
    __table_args__ = (
        UniqueConstraint("account_id", "idempotency_key", name="uq_generations_idempotency_key"),
        CheckConstraint("status IN ('queued', 'processing', 'completed', 'failed', 'canceled')", name="known_status"),
        CheckConstraint(
            "phase IN ('queued', 'submit', 'submitting', 'doubt', 'await', 'store', 'settle', 'done')",
            name="known_phase",
        ),
        CheckConstraint("(phase = 'done') = (status IN ('completed', 'failed', 'canceled'))", name="done_is_final"),
        Index("ix_generations_account_id", "account_id", "id"),
        _partial_index("ix_generations_due_at", "due_at", where="due_at IS NOT NULL"),
        _partial_index("ix_generations_in_flight", "phase", "provider", "account_id", where="phase <> 'done'"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"))
    status: Mapped[str] = mapped_column(String(16))

    # What was asked, and at which price.
    model: Mapped[str] = mapped_column(Name)
    provider: Mapped[str] = mapped_column(String(32))
    reference: Mapped[str] = mapped_column(Name)
    kind: Mapped[str] = mapped_column(String(16), default="prediction", server_default="prediction")
    # Of a training: owner/name of the model that gets the new version.
    destination: Mapped[str | None] = mapped_column(Name)
    # Whether the text may be followed while it is made.
    stream: Mapped[bool] = mapped_column(default=False, server_default=false())
    input: Mapped[dict[str, Any]]
    input_sha256: Mapped[str] = mapped_column(String(64))
    metadata_: Mapped[dict[str, Any]] = mapped_column("metadata")
    idempotency_key: Mapped[str | None] = mapped_column(Name)
    request_sha256: Mapped[str] = mapped_column(String(64))
    credit_type: Mapped[str] = mapped_column(String(64))
    terms: Mapped[dict[str, Any]]
    # Until when its caller wants it, and whom to tell: ``{"url": …, "events": [ … ]}``.
    deadline: Mapped[datetime | None]
    webhook: Mapped[dict[str, Any] | None] = mapped_column(Json)
    hold_id: Mapped[str] = mapped_column(ForeignKey("credit_holds.id"))
    held_credits: Mapped[int] = mapped_column(Credits)
    charged_credits: Mapped[int | None] = mapped_column(Credits)

    # Where it is. `wakes` counts hints, so that one that comes during a step is not slept through; `heard` are those
    # that had come when the row was last claimed, and `run` numbers the engine's run that looks after it, if any.
    phase: Mapped[str] = mapped_column(String(16))
    priority: Mapped[int] = mapped_column(Integer)
    due_at: Mapped[datetime | None]
    wakes: Mapped[int] = mapped_column(BigInteger, default=0)
    heard: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    run: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    epoch: Mapped[int] = mapped_column(BigInteger, default=0)
    lease_until: Mapped[datetime | None]
    stumbles: Mapped[int] = mapped_column(Integer, default=0)
    attempt: Mapped[int] = mapped_column(Integer, default=0)
    # How often a prediction was made again because the last one failed for a cause that deserves it.
    retries: Mapped[int] = mapped_column(Integer, default=0)
    # Above 0: predictions turned up that nobody waits for, and are to be ended.
    orphans: Mapped[int] = mapped_column(Integer, default=0)
    cancel_requested_at: Mapped[datetime | None]
    queue_deadline: Mapped[datetime]
    run_deadline: Mapped[datetime | None]
    store_deadline: Mapped[datetime | None]

    # What the provider said last.
    prediction_id: Mapped[str | None] = mapped_column(Name)
    prediction_status: Mapped[str | None] = mapped_column(String(32))
    stream_url: Mapped[str | None] = mapped_column(Text)
    prediction_output: Mapped[Any | None] = mapped_column(OrderedJson)
    progress_percent: Mapped[int | None] = mapped_column(Integer)
    logs: Mapped[str | None] = mapped_column(Text)
    predict_time_s: Mapped[float | None] = mapped_column(Float)

    # How it ended, or will once it is settled.
    outcome: Mapped[str | None] = mapped_column(String(16))
    failure_code: Mapped[str | None] = mapped_column(String(64))
    failure_detail: Mapped[str | None] = mapped_column(Text)
    output: Mapped[Any | None] = mapped_column(OrderedJson)

    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    completed_at: Mapped[datetime | None]


class Attempt(Base):
    """One try to get a prediction made. Written before the call, so that a lost answer is never a lost prediction."""

    __tablename__ = "generation_attempts"
    __table_args__ = (
        CheckConstraint(
            "state IN ('intent', 'bound', 'in_doubt', 'refused', 'abandoned', 'orphan', 'ended')", name="known_state"
        ),
    )

    generation_id: Mapped[str] = mapped_column(ForeignKey("generations.id"), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    # Rides in the webhook URL, so that a prediction whose answer was lost says itself whose it is.
    ref: Mapped[str] = mapped_column(Id, unique=True)
    state: Mapped[str] = mapped_column(String(16))
    prediction_id: Mapped[str | None] = mapped_column(Name, unique=True)
    doubted_at: Mapped[datetime | None]
    reason: Mapped[str | None] = mapped_column(Text)
    # Of the input as it was sent, where that is not as its user wrote it: uploaded files are sent in another form.
    sent_sha256: Mapped[str | None] = mapped_column(String(64))
    prediction_status: Mapped[str | None] = mapped_column(String(32))
    predict_time_s: Mapped[float | None] = mapped_column(Float)
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class OutputFile(Base):
    """One stored file of a generation."""

    __tablename__ = "output_files"

    generation_id: Mapped[str] = mapped_column(ForeignKey("generations.id"), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    key: Mapped[str] = mapped_column(String(1024), unique=True)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64))
    media_type: Mapped[str] = mapped_column(String(128))
    created_at: Mapped[datetime]


class StreamTape(Base):
    """What has been streamed of a generation's text, and who in which process is fetching the rest."""

    __tablename__ = "stream_tapes"
    __table_args__ = (Index("ix_stream_tapes_touched_at", "touched_at"),)

    generation_id: Mapped[str] = mapped_column(ForeignKey("generations.id"), primary_key=True)
    # Another attempt makes another text.
    attempt: Mapped[int] = mapped_column(Integer)
    chars: Mapped[int] = mapped_column(Integer)
    ended: Mapped[bool]
    # The provider's last event whose text is written down.
    last_event_id: Mapped[str | None] = mapped_column(Name)
    owner: Mapped[str | None] = mapped_column(Id)
    owned_until: Mapped[datetime]
    touched_at: Mapped[datetime]


class StreamPiece(Base):
    """One piece of a tape, ``start`` characters from its beginning."""

    __tablename__ = "stream_pieces"

    generation_id: Mapped[str] = mapped_column(
        ForeignKey("stream_tapes.generation_id", ondelete="CASCADE"), primary_key=True
    )
    attempt: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    start: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    text: Mapped[str] = mapped_column(Text)


class InboundMessage(Base):
    """A webhook that was taken, by the sender's message id, so that it is taken once."""

    __tablename__ = "inbound_messages"
    __table_args__ = (Index("ix_inbound_messages_received_at", "received_at"),)

    provider: Mapped[str] = mapped_column(String(32), primary_key=True)
    message_id: Mapped[str] = mapped_column(Name, primary_key=True)
    received_at: Mapped[datetime]


class ProviderBudget(Base):
    """The guarded row of admission, one per provider: when the next prediction may be created."""

    __tablename__ = "provider_budgets"

    provider: Mapped[str] = mapped_column(String(32), primary_key=True)
    # Theoretical arrival time of the create-rate limiter (GCRA).
    next_create_at: Mapped[datetime]
    # Set by a 429, cleared by time.
    closed_until: Mapped[datetime | None]
    # A lower rate that a 429 told us of; after `told_until` it is raised again, step by step.
    told_per_minute: Mapped[int | None] = mapped_column(Integer)
    told_burst: Mapped[int | None] = mapped_column(Integer)
    told_until: Mapped[datetime | None]


class AccountTurn(Base):
    """When an account was last let in at a provider. Written only where others may have been left waiting."""

    __tablename__ = "account_turns"

    provider: Mapped[str] = mapped_column(String(32), primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    admitted_at: Mapped[datetime]
