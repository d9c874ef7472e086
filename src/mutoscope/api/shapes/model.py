"""Models, their prices and quotes as the API shows them."""

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from mutoscope.api.texts import Name
from mutoscope.catalog.pricing import Quote
from mutoscope.catalog.service import CatalogEntry
from mutoscope.core.model_settings import ModelSettings, PriceSettings
from mutoscope.replicate_protocol.schemas import input_schema, output_schema


class PriceRead(BaseModel):
    """What a run costs, in whole credits: the parts are added up."""

    text: str
    per_run: int
    per_output: int
    per_predict_second: int
    max_outputs: int
    max_predict_seconds: int = Field(description="Seconds that are billed at most.")


class LimitsRead(BaseModel):
    """How long a run may take, and what it may deliver."""

    queue_timeout_s: int
    run_timeout_s: int
    max_attempts: int
    max_files: int
    max_file_bytes: int
    media_types: list[str] | None


class ModelRead(BaseModel):
    """A model that can be run."""

    alias: str
    kind: Literal["prediction", "training"] = Field(description="A training needs a `destination`.")
    description: str
    credit_type: str
    price: PriceRead
    limits: LimitsRead

    @classmethod
    def of(cls, entry: CatalogEntry, **more: Any) -> Self:
        """What anybody with a key may see of ``entry``."""
        settings = entry.settings
        limits = {name: getattr(settings, name) for name in LimitsRead.model_fields}
        return cls.model_validate(
            {
                "alias": entry.alias,
                "kind": settings.kind,
                "description": settings.description,
                "credit_type": settings.credit_type,
                "price": _price(settings),
                "limits": limits,
                **more,
            }
        )


class ModelDetail(ModelRead):
    """A model, with what it takes and gives as JSON Schema."""

    input_schema: dict[str, Any]
    output_schema: dict[str, Any]

    @classmethod
    def with_schemas(cls, entry: CatalogEntry, document: dict[str, Any]) -> Self:
        """``entry`` with the schemas of the provider's ``document``."""
        return cls.of(entry, input_schema=input_schema(document) or {}, output_schema=output_schema(document) or {})


class QuoteCreate(BaseModel):
    """What would be asked for."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"model": "painter", "input": {"prompt": "a lighthouse"}}}
    )

    model: Name
    input: dict[str, Any]


class QuoteLine(BaseModel):
    """One part of a price: `credits` is `quantity` times `price_credits`."""

    part: str
    quantity: int
    price_credits: int
    credits: int


class QuoteRead(BaseModel):
    """The most a run will cost; this much would be held."""

    model: str
    credit_type: str
    credits: int
    breakdown: list[QuoteLine]

    @classmethod
    def of(cls, model: str, quote: Quote) -> Self:
        """A quote."""
        lines = [
            QuoteLine(part=x.part, quantity=x.quantity, price_credits=x.price_credits, credits=x.credits)
            for x in quote.breakdown
        ]
        return cls(model=model, credit_type=quote.credit_type, credits=quote.credits, breakdown=lines)


def _price(settings: ModelSettings) -> PriceRead:
    price = settings.price
    return PriceRead(
        text=price_in_words(price, settings.credit_type),
        per_run=price.per_run,
        per_output=price.per_output,
        per_predict_second=price.per_predict_second,
        max_outputs=price.max_outputs,
        max_predict_seconds=price.max_predict_seconds or settings.run_timeout_s,
    )


def price_in_words(price: PriceSettings, credit_type: str) -> str:
    """A price such as ``1 image_generation credit per run + 2 per output``."""
    parts = [(price.per_run, "run"), (price.per_output, "output"), (price.per_predict_second, "second of running")]
    (first, what), *rest = [(amount, each) for amount, each in parts if amount]
    words = [f"{first} {credit_type} credit{'s' if first != 1 else ''} per {what}"]
    return " + ".join([*words, *(f"{amount} per {each}" for amount, each in rest)])
