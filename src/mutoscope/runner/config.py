"""Everything that can be set about a runner, in one frozen object that is passed in."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, PositiveInt

from mutoscope.runner.faults import FaultPlan


class RateLimit(BaseModel):
    """A token bucket: ``per_minute`` on average, ``burst`` at once.

    With ``low_credit`` the refusal says what Replicate says to an account that has little credit left.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    per_minute: float = Field(gt=0)
    burst: int = Field(default=1, ge=1)
    low_credit: bool = False


class RunnerConfig(BaseModel):
    """How one runner behaves. Times are in seconds, sizes in bytes.

    Attributes:
        host: Address to listen on. The default is this machine only; the API has no accounts, so keep it so.
        port: Port to listen on; 0 takes a free one.
        state_dir: Where predictions (SQLite) and files are kept. One runner at a time per directory.
        token: The bearer token that clients must send; ``None`` accepts any, but still wants one.
        more_tokens: Tokens that are as good as ``token``, for clients that rotate theirs.
        webhook_secret: The signing secret (``whsec_...``); ``None`` makes one and keeps it in ``state_dir``.
        models: Which models to offer, as ``owner/name``; ``None`` offers all whose libraries are installed.
        predictors: Models of your own: ``owner/name`` to ``path/predict.py:Predictor``.
        cogs: Cog servers that somebody else runs: ``owner/name`` to URL.
        cog_commands: Cog servers that the runner starts, and starts again when they have died: ``owner/name`` to a
            command line that serves on ``$PORT``, or to the ``path/predict.py:Predictor`` to serve with the Cog that
            is installed here.
        reload: Whether they are loaded again when a Python file beside theirs changes.
        workers: How many predictions of a model run at once; without it one for a model that runs in a process of
            its own, and no limit for one that runs in the server. The others wait in the order in which they came.
        create_limit: Limit on the rate of creates, or ``None``; each token has its own budget.
        request_limit: Limit on the rate of all other requests of the API, or ``None``; likewise.
        cold_start_s: How long a model takes to start when it has not run before, or not for ``idle_s``.
        idle_s: How long a model stays warm after its last prediction.
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
    more_tokens: tuple[str, ...] = ()
    webhook_secret: str | None = None
    models: tuple[str, ...] | None = None
    predictors: dict[str, str] = Field(default_factory=dict)
    cogs: dict[str, str] = Field(default_factory=dict)
    cog_commands: dict[str, str] = Field(default_factory=dict)
    reload: bool = False
    workers: dict[str, PositiveInt] = Field(default_factory=dict)
    create_limit: RateLimit | None = None
    request_limit: RateLimit | None = None
    cold_start_s: float = Field(default=0, ge=0)
    idle_s: float = Field(default=60, ge=0)
    retention_s: float = Field(default=3600, gt=0)
    public_url: str | None = None
    output_url: str | None = None
    fault_plan: FaultPlan = FaultPlan()
    cancel_grace_s: float = Field(default=2, ge=0)
    webhook_retry_s: float = Field(default=1, gt=0)
    webhook_timeout_s: float = Field(default=5, gt=0)
    max_body_bytes: int = Field(default=16 * 2**20, gt=0)
    max_upload_bytes: int = Field(default=100 * 10**6, gt=0)
