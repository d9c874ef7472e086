"""The settings of one model: what it is at the provider, what it costs, and its limits."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Credits = Annotated[int, Field(ge=0, le=10**12)]
TimeoutS = Annotated[int, Field(gt=0, le=7 * 86400)]


class Frozen(BaseModel):
    """A part of the settings: frozen, and strict about unknown names so that a typo is not silently ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class PriceSettings(Frozen):
    """What a run costs, in whole credits: the parts are added up.

    The most it can cost is known before it runs, from ``max_outputs`` and the run's deadline; that much is held.
    """

    per_run: Credits = 0
    per_output: Credits = 0
    per_predict_second: Credits = 0
    # The input that says how many outputs there will be, if the model has one.
    outputs_input: str = "num_outputs"
    max_outputs: int = Field(default=1, ge=1, le=1000)
    # Billed seconds are capped here; default: the run's deadline.
    max_predict_seconds: int | None = Field(default=None, ge=1, le=7 * 86400)

    @model_validator(mode="after")
    def _costs_something(self) -> Self:
        if self.per_run + self.per_output + self.per_predict_second == 0:
            raise ValueError("a price needs per_run, per_output or per_predict_second above 0")
        return self


class ModelTerms(Frozen):
    """What holds for a run: price and limits."""

    price: PriceSettings
    credit_type: str = Field(default="image_generation", pattern=r"^[a-z][a-z0-9_]{0,63}$")
    description: str = ""

    queue_timeout_s: TimeoutS = 3600
    run_timeout_s: Annotated[int, Field(ge=5, le=24 * 3600)] = 600
    # Replicate removes files after an hour.
    store_timeout_s: Annotated[int, Field(ge=1, le=3300)] = 3000
    max_attempts: int = Field(default=3, ge=1, le=10)

    max_files: int = Field(default=32, ge=1, le=1000)
    max_file_bytes: int = Field(default=2 * 1024**3, ge=1)
    # Patterns such as "image/*"; outputs whose bytes are something else are refused.
    media_types: tuple[str, ...] | None = None

    # What a user's own cancel costs once the provider has started: nothing, the seconds used, or the whole hold.
    charge_canceled: Literal["nothing", "used_seconds", "everything"] = "nothing"
    # Whether to ask the provider for a stream of the text while it is made, where a request does not say.
    stream: bool = False
    # Whether to follow the provider's logs for progress (more webhooks).
    progress: bool = True


class DefaultModelSettings(ModelTerms):
    """``[default_model]``: the terms of predictions by models without an entry."""

    # Whether they hold for a version without its owner/name also where other models have a price of their own, though
    # it may be a version of one of those.
    bare_versions: bool = False


class ModelSettings(ModelTerms):
    """One entry of the catalog, ``[models.ALIAS]`` in ``mutoscope.toml``."""

    # owner/name, owner/name:version, a 64-hex version, or deployments/owner/name
    reference: str
    # What a run is: a prediction, or a training, which makes a new version of the model that the request names.
    kind: Literal["prediction", "training"] = "prediction"
    # The provider accounts that may run it; none: all of them.
    accounts: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    max_in_flight: int | None = Field(default=None, ge=1)
