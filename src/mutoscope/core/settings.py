"""Every setting, read once from ``mutoscope.toml`` and the environment, frozen and passed in.

The environment wins over the file. Names people already have (``DATABASE_URL``, ``REPLICATE_API_TOKEN``, ``AWS_*``) are
used as they are; ours start with ``MUTOSCOPE_``. Inside the file a setting has its lower-case name.
"""

import os
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, SecretStr, StringConstraints, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from mutoscope.core.errors import ConfigurationError
from mutoscope.core.inngest_settings import InngestSettings, InngestVariables
from mutoscope.core.model_settings import DefaultModelSettings, Frozen, ModelSettings
from mutoscope.core.setting_kinds import Alias, ApiToken, LogLevel, Seconds, StoragePrefix, WebAddress, named

MIN_SECRET_CHARS = 16
# Read by the command line.
OTHER_VARIABLES = ("MUTOSCOPE_CONFIG", "MUTOSCOPE_URL", "MUTOSCOPE_API_KEY")
AccountName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,31}$")]


class EngineSettings(Frozen):
    """The engine: how many steps at once, and how long a dead worker's work waits for another."""

    kind: Literal["embedded", "inngest"] = "embedded"
    # Of the embedded engine; see [inngest] for the other.
    concurrency: int = Field(default=32, ge=1, le=1024)
    lease_s: Seconds = 30
    # How often the database is asked for due work when nobody rang the bell.
    sweep_s: Seconds = 1
    shutdown_s: Seconds = 20
    # So much overdue, the run that should have moved a generation is taken for lost, and another is asked for.
    lost_after_s: Seconds = 60


class AdmissionSettings(Frozen):
    """How many predictions may be in flight, and how fast they may be created."""

    max_in_flight: int = Field(default=200, ge=1)
    max_in_flight_per_account: int = Field(default=20, ge=1)
    # Replicate's own limit is 600 creates a minute; bursts are allowed.
    creates_per_minute: int = Field(default=600, ge=1)
    burst: int = Field(default=100, ge=1)
    # Replicate's limit on reads is 3,000 a minute and account; this much of it one process uses for polling.
    polls_per_minute: int = Field(default=2400, ge=1)
    # The same while webhooks come, so that polling is only the net below them.
    net_polls_per_minute: int = Field(default=120, ge=1)


class WebhookSettings(Frozen):
    """Webhooks that go out to customers' URLs."""

    timeout_s: Seconds = 10
    # Tries of the message that says how it ended; with these, the last is two to four hours after the first.
    max_attempts: int = Field(default=16, ge=1, le=50)
    # Before the second try; it doubles from try to try, up to an hour.
    retry_s: Seconds = 1
    # What a try may take besides its post, before another process takes its sender for dead.
    lease_margin_s: Seconds = 20


class ReplicateAccount(Frozen):
    """One more Replicate account beside the main one, with its own tokens, secret and rates."""

    # Any good one will do; the preferred one first.
    api_tokens: tuple[ApiToken, ...] = ()
    # Further tokens, one a line, which come before those; read again when it changes.
    api_token_file: Path | None = None
    webhook_secret: SecretStr | None = None
    admission: AdmissionSettings = AdmissionSettings()

    @model_validator(mode="after")
    def _has_a_token(self) -> Self:
        if not self.api_tokens and self.api_token_file is None:
            raise ValueError("an account needs api_tokens or api_token_file")
        return self


class UploadSettings(Frozen):
    """Input files that accounts upload: how large, how many at once and in all, and how long they are kept."""

    prefix: StoragePrefix = "uploads"
    max_bytes: int = Field(default=1024**3, ge=1)
    # Judged when an upload begins, so uploads that run at the same time may exceed these by one file each.
    max_account_bytes: int = Field(default=10 * 1024**3, ge=1)
    max_account_files: int = Field(default=10_000, ge=1)
    keep_s: int = Field(default=86400, ge=60, le=366 * 86400)
    # In one process. An upload may hold 32 MiB of memory.
    max_parallel: int = Field(default=16, ge=1, le=256)
    max_parallel_per_account: int = Field(default=4, ge=1)
    # A body that sends nothing for so long is given up, and one that is not whole after so long.
    stalled_s: Seconds = 30
    max_s: float = Field(default=3600, gt=0, le=12 * 3600)


class StreamSettings(Frozen):
    """Readers of text that is being made: how many, and for how long one connection may last."""

    max_readers: int = Field(default=1000, ge=1)
    max_readers_per_account: int = Field(default=50, ge=1)
    max_s: Seconds = 3600
    keep_alive_s: Seconds = 15
    # A connection that takes nothing for so long is closed.
    stalled_s: Seconds = 30


class Settings(InngestVariables, BaseSettings):
    """All of Mutoscope's settings. See ``docs/settings.md`` for each with its unit and default."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        populate_by_name=True,
        env_prefix="MUTOSCOPE_",
        env_nested_delimiter="__",
        env_ignore_empty=True,  # compose files and CI pass what is unset as empty
    )

    environment: Literal["development", "production"] = "development"
    # Signs links to local files. Production refuses to start without it; development makes one beside the database.
    secret: SecretStr | None = None
    # Where the outside world reaches this service. Set: providers are given a webhook; unset: they are polled.
    public_url: WebAddress | None = None
    data_dir: Path = Path(".mutoscope")
    log_json: bool = False
    log_level: LogLevel = "INFO"

    database_url: str | None = Field(default=None, validation_alias=named("database_url", "DATABASE_URL"))
    database_pool: int = Field(default=20, ge=2, le=200)

    replicate_api_token: ApiToken | None = Field(
        default=None, validation_alias=named("replicate_api_token", "REPLICATE_API_TOKEN")
    )
    # While tokens are changed: older ones of the same account, and a file of newer ones that is read when it changes.
    replicate_old_api_tokens: tuple[ApiToken, ...] = ()
    replicate_api_token_file: Path | None = Field(
        default=None, validation_alias=named("replicate_api_token_file", "REPLICATE_API_TOKEN_FILE")
    )
    # More accounts, by a name of ours; the main one is called "replicate".
    replicate_accounts: dict[AccountName, ReplicateAccount] = {}
    replicate_base_url: WebAddress = Field(
        default="https://api.replicate.com", validation_alias=named("replicate_base_url", "REPLICATE_BASE_URL")
    )
    replicate_webhook_secret: SecretStr | None = Field(
        default=None,
        validation_alias=named(
            "replicate_webhook_secret", "REPLICATE_WEBHOOK_SECRET", "REPLICATE_WEBHOOK_SIGNING_SECRET"
        ),
    )
    # Hosts that output files may be fetched from, besides that of the API itself.
    replicate_file_hosts: tuple[str, ...] = ("replicate.delivery", "*.replicate.delivery")
    webhook_tolerance_s: int = Field(default=300, ge=1, le=86400)
    # How long a create whose answer was lost is looked for before it is tried again.
    doubt_window_s: Seconds = 120
    # How long after Cancel-After a provider that cannot be reached may keep a generation open.
    unreachable_grace_s: Seconds = 3600

    aws_access_key_id: str | None = Field(
        default=None, validation_alias=named("aws_access_key_id", "AWS_ACCESS_KEY_ID")
    )
    aws_secret_access_key: SecretStr | None = Field(
        default=None, validation_alias=named("aws_secret_access_key", "AWS_SECRET_ACCESS_KEY")
    )
    aws_session_token: SecretStr | None = Field(
        default=None, validation_alias=named("aws_session_token", "AWS_SESSION_TOKEN")
    )
    aws_region: str = Field(
        default="us-east-1", validation_alias=named("aws_region", "AWS_REGION", "AWS_DEFAULT_REGION")
    )
    aws_endpoint_url: str | None = Field(
        default=None, validation_alias=named("aws_endpoint_url", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
    )
    aws_s3_bucket_name: str | None = Field(
        default=None, validation_alias=named("aws_s3_bucket_name", "AWS_S3_BUCKET_NAME")
    )
    storage_prefix: StoragePrefix = "generations"
    # Set when the bucket is public: links are this plus the key, and do not expire.
    storage_public_url: WebAddress | None = None
    link_s: int = Field(default=3600, ge=1, le=7 * 86400)

    # Credits that come back to a lot that has expired meanwhile can be used for this long.
    expiry_grace_s: int = Field(default=86400, ge=0)
    engine: EngineSettings = EngineSettings()
    inngest: InngestSettings = InngestSettings()
    admission: AdmissionSettings = AdmissionSettings()
    webhooks: WebhookSettings = WebhookSettings()
    uploads: UploadSettings = UploadSettings()
    streams: StreamSettings = StreamSettings()
    models: dict[Alias, ModelSettings] = {}
    # The price and limits of every model that has no entry. Unset: such a model is refused.
    default_model: DefaultModelSettings | None = None
    # Where the tests of durability kill the process; see core/killpoints.py. Refused in production.
    kill_at: str | None = None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments first, then the environment, then the file."""
        return (init_settings, env_settings, TomlConfigSettingsSource(settings_cls))

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.secret is not None and len(self.secret.get_secret_value()) < MIN_SECRET_CHARS:
            raise ValueError(f"MUTOSCOPE_SECRET needs {MIN_SECRET_CHARS} characters; `openssl rand -hex 32` makes one")
        if self.environment != "production":
            return self
        if self.secret is None:
            raise ValueError("MUTOSCOPE_SECRET must be set in production; `openssl rand -hex 32` makes one")
        if self.public_url and not self._has_webhook_secrets():
            raise ValueError(
                "REPLICATE_WEBHOOK_SECRET must be set in production, or unset MUTOSCOPE_PUBLIC_URL to poll"
            )
        if self.public_url and not self.public_url.startswith("https://"):
            raise ValueError("MUTOSCOPE_PUBLIC_URL must be https in production: providers do not follow redirects")
        if self.kill_at:
            raise ValueError("MUTOSCOPE_KILL_AT is for tests and cannot be set in production")
        return self

    @model_validator(mode="after")
    def _check_accounts(self) -> Self:
        if "replicate" in self.replicate_accounts:
            raise ValueError("replicate_accounts: the name 'replicate' is that of the main account")
        for alias, model in self.models.items():
            if unknown := set(model.accounts or ()) - self.account_names:
                raise ValueError(f"models.{alias}.accounts names {min(unknown)!r}, which is not an account")
        return self

    def _has_webhook_secrets(self) -> bool:
        main = "replicate" not in self.account_names or self.replicate_webhook_secret is not None
        return main and all(one.webhook_secret for one in self.replicate_accounts.values())

    @cached_property
    def database(self) -> str:
        """The database's URL: the one that is set, or a SQLite file in ``data_dir``."""
        return self.database_url or f"sqlite:///{self.data_dir / 'mutoscope.db'}"

    @property
    def account_names(self) -> set[str]:
        """The names of all provider accounts that have a token."""
        main = self.replicate_api_token is not None or self.replicate_api_token_file is not None
        return {*self.replicate_accounts, *(["replicate"] if main else [])}

    @property
    def webhooks_on(self) -> bool:
        """Whether providers are told to call us back."""
        return self.public_url is not None


def unknown_variables() -> dict[str, str | None]:
    """Variables of the environment that look like ours and set nothing, each with the one that was meant, perhaps."""
    known = {*OTHER_VARIABLES, *(f"MUTOSCOPE_{name.upper()}" for name in Settings.model_fields)}
    nested = tuple(f"MUTOSCOPE_{name.upper()}__" for name in Settings.model_fields)
    ours = (name.upper() for name in os.environ if name.upper().startswith("MUTOSCOPE_"))  # noqa: TID251 - here it is read
    unknown = sorted(name for name in ours if name not in known and not name.startswith(nested))
    return {name: next(iter(get_close_matches(name, known, n=1)), None) for name in unknown}


def load_settings(path: Path | None = None, **overrides: Any) -> Settings:
    """Read the settings from ``path`` (default ``mutoscope.toml``, if it is there) and the environment.

    Raises:
        ConfigurationError: With every setting that is wrong, where it stands and what it should be.
    """
    if path is not None and not path.is_file():
        raise ConfigurationError(f"There is no settings file {path}")

    class FileSettings(Settings):
        model_config = SettingsConfigDict(toml_file=path or "mutoscope.toml")

    try:
        return FileSettings(**overrides)
    except ValidationError as error:
        lines = [f"{'.'.join(str(part) for part in e['loc']) or 'settings'}: {e['msg']}" for e in error.errors()]
        raise ConfigurationError("; ".join(lines)) from error
    except SettingsError as error:
        # Its sentence names the field; ours says what to do.
        raise ConfigurationError(
            f"{error}: it is not JSON. Set its parts one by one, such as MUTOSCOPE_ENGINE__LEASE_S=10, or use the file."
        ) from error
    except ValueError as error:  # TOML that cannot be parsed
        raise ConfigurationError(f"{path or 'mutoscope.toml'}: {error}") from error
