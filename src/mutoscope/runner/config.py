"""Everything that can be set about a runner, in one frozen object that is passed in."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, PositiveInt

from mutoscope.runner.faults import FaultPlan


class RateLimit(BaseModel):
    """A token bucket for creates: ``per_minute`` on average, ``burst`` at once."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    per_minute: float = Field(gt=0)
    burst: int = Field(default=1, ge=1)


class RunnerConfig(BaseModel):
    """How one runner behaves. Times are in seconds, sizes in bytes.

    Attributes:
        host: Address to listen on. The default is this machine only; the API has no accounts, so keep it so.
        port: Port to listen on; 0 takes a free one.
        state_dir: Where predictions (SQLite) and files are kept. One runner at a time per directory.
        token: The bearer token that clients must send; ``None`` accepts any, but still wants one.
        webhook_secret: The signing secret (``whsec_...``); ``None`` makes one and keeps it in ``state_dir``.
        models: Which models to offer, as ``owner/name``; ``None`` offers all whose libraries are installed.
        workers: How many processes per model, where it is not 1.
        create_limit: Limit on the rate of creates, or ``None``.
        retention_s: How long input, output, logs and files outlive the end of a prediction.
        public_url: Base URL as clients see it, if it is not ``http://host:port``.
        output_url: Base URL of output files, if it is not ``{public_url}/files``.
        fault_plan: Which faults to commit on which creates.
        cancel_grace_s: How long a cancelled model may take to stop by itself before its process is killed.
        webhook_retry_s: Delay before the second try of a terminal webhook; it doubles until about a minute has passed.
        webhook_timeout_s: How long a receiver may take to answer a webhook.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    state_dir: Path
    host: str = "127.0.0.1"
    port: int = Field(default=0, ge=0, le=65535)
    token: str | None = None
    webhook_secret: str | None = None
    models: tuple[str, ...] | None = None
    workers: dict[str, PositiveInt] = Field(default_factory=dict)
    create_limit: RateLimit | None = None
    retention_s: float = Field(default=3600, gt=0)
    public_url: str | None = None
    output_url: str | None = None
    fault_plan: FaultPlan = FaultPlan()
    cancel_grace_s: float = Field(default=2, ge=0)
    webhook_retry_s: float = Field(default=1, gt=0)
    webhook_timeout_s: float = Field(default=5, gt=0)
    max_body_bytes: int = Field(default=16 * 2**20, gt=0)
    max_upload_bytes: int = Field(default=100 * 10**6, gt=0)
