"""What Inngest needs to be told, and how much of it is used."""

from pydantic import BaseModel, Field, SecretStr

from mutoscope.core.model_settings import Frozen
from mutoscope.core.setting_kinds import WebAddress, named


class InngestSettings(Frozen):
    """How the functions run; see docs/inngest.md."""

    app_id: str = Field(default="mutoscope", pattern=r"^[a-z][a-z0-9-]{0,62}$")
    # Steps that execute at once; runs that wait hold no place.
    steps: int = Field(default=5, ge=1, le=1000)
    steps_per_account: int = Field(default=5, ge=1, le=1000)
    runs_per_minute: int = Field(default=600, ge=1, le=100_000)
    retries: int = Field(default=3, ge=0, le=20)


class InngestVariables(BaseModel):
    """Keys and addresses, by the names that Inngest's own tools read."""

    inngest_event_key: SecretStr | None = Field(
        default=None, validation_alias=named("inngest_event_key", "INNGEST_EVENT_KEY")
    )
    inngest_signing_key: SecretStr | None = Field(
        default=None, validation_alias=named("inngest_signing_key", "INNGEST_SIGNING_KEY")
    )
    # A development server, perhaps with its address: nothing is signed. Refused in production.
    inngest_dev: bool | WebAddress = Field(default=False, validation_alias=named("inngest_dev", "INNGEST_DEV"))
    # Of a server of one's own; unset: Inngest's cloud, or with `inngest_dev` port 8288 of this machine.
    inngest_base_url: WebAddress | None = Field(
        default=None, validation_alias=named("inngest_base_url", "INNGEST_BASE_URL")
    )
    # Where the server reaches us, if not at `public_url`.
    inngest_serve_origin: WebAddress | None = Field(
        default=None, validation_alias=named("inngest_serve_origin", "INNGEST_SERVE_ORIGIN")
    )
