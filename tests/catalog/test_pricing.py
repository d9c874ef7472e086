"""What a run costs: before it, after it, and never more after than before."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mutoscope.catalog.pricing import PriceLine, final_credits, quote
from mutoscope.core.errors import InvalidRequest
from mutoscope.core.model_settings import ModelSettings, PriceSettings

SCHEMA = {"properties": {"num_outputs": {"type": "integer", "default": 2}}}


def model(**price: Any) -> ModelSettings:
    """A model at this price; what is no part of a price is a setting of the model."""
    parts = {name: price.pop(name) for name in list(price) if name in PriceSettings.model_fields}
    return ModelSettings.model_validate({"reference": "owner/name", "price": parts, "run_timeout_s": 60} | price)


def test_the_parts_of_a_price_are_added_up() -> None:
    quoted = quote(model(per_run=5, per_output=3, per_predict_second=2, max_outputs=4), {"num_outputs": 3}, SCHEMA)
    assert quoted.breakdown == (PriceLine("run", 1, 5), PriceLine("output", 3, 3), PriceLine("predict_second", 60, 2))
    assert [line.credits for line in quoted.breakdown] == [5, 9, 120]
    assert (quoted.credits, quoted.outputs, quoted.predict_seconds) == (134, 3, 60)
    assert quoted.credit_type == "image_generation"


def test_seconds_are_capped_by_the_price_before_the_deadline() -> None:
    assert quote(model(per_predict_second=2, max_predict_seconds=10), {}, None).credits == 20
    assert quote(model(per_run=2), {}, None).predict_seconds == 0


@pytest.mark.parametrize(
    ("given", "schema", "outputs"),
    [
        ({"num_outputs": 3}, SCHEMA, 3), ({"num_outputs": 3.0}, SCHEMA, 3), ({}, SCHEMA, 2), ({}, None, 1),
        ({}, {"properties": {}}, 1), ({}, {"properties": {"num_outputs": {}}}, 1), ({"num_outputs": None}, SCHEMA, 2),
    ],
)  # fmt: skip
def test_the_number_of_outputs_is_what_is_asked_or_the_default(
    given: dict[str, Any], schema: dict[str, Any] | None, outputs: int
) -> None:
    quoted = quote(model(per_output=10, max_outputs=4), given, schema)
    assert (quoted.outputs, quoted.credits) == (outputs, outputs * 10)


def test_the_input_that_counts_outputs_may_have_another_name() -> None:
    assert quote(model(per_output=1, outputs_input="batch", max_outputs=9), {"batch": 7}, SCHEMA).outputs == 7


@pytest.mark.parametrize("outputs", [0, -1, 5, 10**30, True, "3", 1.5, float("nan"), float("inf"), [1]])
def test_other_numbers_of_outputs_are_refused(outputs: object) -> None:
    with pytest.raises(InvalidRequest):
        quote(model(per_output=1, max_outputs=4), {"num_outputs": outputs}, SCHEMA)


def test_free_outputs_are_limited_only_where_somebody_said_so() -> None:
    assert quote(model(per_run=1), {"num_outputs": 4}, SCHEMA).credits == 1
    with pytest.raises(InvalidRequest):
        quote(model(per_run=1, max_outputs=1), {"num_outputs": 4}, SCHEMA)


def test_what_was_not_delivered_is_not_charged() -> None:
    terms = quote(model(per_run=5, per_output=3, max_outputs=4), {"num_outputs": 4}, SCHEMA).terms
    assert final_credits(terms, outputs=2, predict_time_s=None) == 11


@pytest.mark.parametrize(
    ("seconds", "credits"),
    [(None, 0), (0, 0), (-3, 0), (0.01, 2), (3, 6), (3.0001, 8), (1e300, 20), (float("inf"), 20), (float("nan"), 0)],
)
def test_a_begun_second_counts_up_to_the_most(seconds: float | None, credits: int) -> None:
    terms = quote(model(per_predict_second=2, max_predict_seconds=10), {}, None).terms
    assert final_credits(terms, outputs=1, predict_time_s=seconds) == credits


def test_only_seconds_are_charged_where_that_is_asked() -> None:
    terms = quote(model(per_run=5, per_output=3, per_predict_second=2), {}, None).terms
    assert final_credits(terms, outputs=1, predict_time_s=4, only_seconds=True) == 8


def test_the_terms_are_json_and_hold_the_price_that_was_quoted() -> None:
    before, after = model(per_run=5), model(per_run=9)
    terms = json.loads(json.dumps(quote(before, {}, None).terms))
    assert final_credits(terms, outputs=1, predict_time_s=1) == 5
    assert terms["credit_type"] == "image_generation"
    assert terms["charge_canceled"] == "nothing"
    assert ModelSettings.model_validate(terms["settings"]) == before
    assert terms["version"] == quote(model(per_run=5), {}, None).terms["version"]
    for other in (after, model(per_run=5, charge_canceled="everything"), model(per_run=5, credit_type="video")):
        assert quote(other, {}, None).terms["version"] != terms["version"]


@given(
    parts=st.tuples(*[st.integers(0, 1000)] * 3).filter(any),
    asked=st.integers(1, 8),
    made=st.integers(0, 50),
    seconds=st.none() | st.floats(allow_nan=True),
)
def test_a_run_never_costs_more_than_was_held(
    parts: tuple[int, int, int], asked: int, made: int, seconds: float | None
) -> None:
    price = dict(zip(("per_run", "per_output", "per_predict_second"), parts, strict=True))
    quoted = quote(model(**price, max_outputs=8), {"num_outputs": asked}, SCHEMA)
    final = final_credits(quoted.terms, outputs=made, predict_time_s=seconds)
    assert 0 <= final <= quoted.credits
    if made >= asked and seconds is not None and seconds >= 60:
        assert final == quoted.credits
