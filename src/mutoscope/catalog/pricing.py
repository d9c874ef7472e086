"""What a run costs: a quote before it, the final price after it. Pure, in whole credits.

The most a run can cost is known before it starts, and is held. The terms of the quote are kept with the generation, so
that a price changed meanwhile does not change what was agreed.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from mutoscope.core.canonical import sha256_of
from mutoscope.core.errors import InvalidRequest
from mutoscope.core.model_settings import ModelSettings, PriceSettings


@dataclass(frozen=True, slots=True)
class PriceLine:
    """One part of a price: ``credits`` is ``quantity`` times ``price_credits``."""

    part: Literal["run", "output", "predict_second"]
    quantity: int
    price_credits: int

    @property
    def credits(self) -> int:
        """What this part adds."""
        return self.quantity * self.price_credits


@dataclass(frozen=True, slots=True)
class Quote:
    """What a run will cost at most.

    Attributes:
        credit_type: Which credits.
        credits: The most it can cost; this much is held.
        breakdown: The parts that add up to ``credits``.
        outputs: How many outputs the input asks for.
        predict_seconds: Seconds that are billed at most; 0 when seconds cost nothing.
        terms: The snapshot for ``final_credits``, as JSON, to be kept with the run.
    """

    credit_type: str
    credits: int
    breakdown: tuple[PriceLine, ...]
    outputs: int
    predict_seconds: int
    terms: dict[str, Any] = field(repr=False)


def quote(settings: ModelSettings, input: Mapping[str, Any], input_schema: Mapping[str, Any] | None) -> Quote:  # noqa: A002 - Replicate's word
    """Price a run of ``input``.

    Args:
        settings: The model's settings.
        input: What the user sends.
        input_schema: The model's ``Input`` as JSON Schema, for the default number of outputs.

    Raises:
        InvalidRequest: The input asks for more outputs than ``max_outputs``, or for a number that is none.
    """
    price = settings.price
    outputs = _outputs(price, input, input_schema)
    seconds = _max_seconds(settings) if price.per_predict_second else 0
    lines = _lines(price, outputs=outputs, seconds=seconds)
    most = sum(line.credits for line in lines)
    return Quote(settings.credit_type, most, lines, outputs, seconds, terms_of(settings, most))


def terms_of(settings: ModelSettings, held_credits: int) -> dict[str, Any]:
    """The terms at which a run is settled: its price, what was held, and the model's settings as they are now."""
    priced = {
        "credit_type": settings.credit_type,
        "price": settings.price.model_dump(mode="json"),
        "charge_canceled": settings.charge_canceled,
        "max_predict_seconds": _max_seconds(settings),
    }
    version = sha256_of(priced)[:12]
    return {"version": version, **priced, "held": held_credits, "settings": settings.model_dump(mode="json")}


def final_credits(
    terms: Mapping[str, Any], *, outputs: int, predict_time_s: float | None, only_seconds: bool = False
) -> int:
    """What a finished run costs: never more than was held.

    Args:
        terms: The terms of its quote.
        outputs: How many outputs were delivered.
        predict_time_s: What the provider measured; without it no seconds are charged. Part of a second counts as one.
        only_seconds: Charge seconds and nothing else, as for a run that its user cancelled.
    """
    price = PriceSettings.model_validate(terms["price"])
    seconds = _billed_seconds(predict_time_s, terms["max_predict_seconds"])
    lines = _lines(price, outputs=outputs, seconds=seconds)
    due = sum(line.credits for line in lines if line.part == "predict_second" or not only_seconds)
    return min(due, int(terms["held"]))


def _lines(price: PriceSettings, *, outputs: int, seconds: int) -> tuple[PriceLine, ...]:
    lines = (
        PriceLine("run", 1, price.per_run),
        PriceLine("output", outputs, price.per_output),
        PriceLine("predict_second", seconds, price.per_predict_second),
    )
    return tuple(line for line in lines if line.price_credits)


def _max_seconds(settings: ModelSettings) -> int:
    return settings.price.max_predict_seconds or settings.run_timeout_s


def _billed_seconds(predict_time_s: float | None, most: int) -> int:
    if predict_time_s is None or not predict_time_s > 0:
        return 0
    return math.ceil(min(predict_time_s, most))


def _outputs(price: PriceSettings, given: Mapping[str, Any], input_schema: Mapping[str, Any] | None) -> int:
    name = price.outputs_input
    asked = given.get(name)
    if asked is None:
        properties = cast("dict[str, dict[str, Any]]", (input_schema or {}).get("properties", {}))
        asked = properties.get(name, {}).get("default")
    outputs = _whole(name, 1 if asked is None else asked)
    # Where outputs are free, a limit that nobody wrote down would only be in the way.
    limited = price.per_output or "max_outputs" in price.model_fields_set
    if outputs < 1 or (limited and outputs > price.max_outputs):
        raise InvalidRequest(f"{name} must be from 1 to {price.max_outputs}, not {outputs}")
    return outputs


def _whole(name: str, value: Any) -> int:
    if isinstance(value, bool) or not (isinstance(value, int) or (isinstance(value, float) and value.is_integer())):
        raise InvalidRequest(f"{name} must be a whole number")
    return int(value)
