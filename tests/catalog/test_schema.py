"""An input is checked against the model's own schema, all of it at once, and nothing of it is echoed at length."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mutoscope.catalog.schema import MAX_ERRORS, MAX_INPUT_BYTES, InputSchema, InvalidInput
from mutoscope.core.errors import Unavailable
from mutoscope.core.json_limits import MAX_DEPTH, find_fault
from tests.catalog.documents import paint, with_input

CAT = {"prompt": "a cat"}


def problems(value: dict[str, Any], document: dict[str, Any] | None = None, **limits: int) -> list[dict[str, str]]:
    with pytest.raises(InvalidInput) as refused:
        InputSchema(document or paint()).check(value, **limits)
    assert (refused.value.status, refused.value.code) == (422, "invalid_input")
    return refused.value.extra["errors"]


@pytest.mark.parametrize(
    "value",
    [
        CAT, CAT | {"width": 64}, CAT | {"width": 64.0}, CAT | {"seed": None}, CAT | {"seed": 2**53 - 1},
        CAT | {"aspect_ratio": "16:9"}, CAT | {"image": "data:image/png;base64,AAAA"}, CAT | {"strength": 0.5},
    ],
)  # fmt: skip
def test_a_good_input_passes_and_is_left_alone(value: dict[str, Any]) -> None:
    before = dict(value)
    InputSchema(paint()).check(value)
    assert value == before


@pytest.mark.parametrize(
    ("value", "path", "message"),
    [
        ({}, "", '"prompt" is a required property'),
        ({"prompt": 3}, "/prompt", 'is not of type "string"'),
        (CAT | {"width": 5000}, "/width", "is greater than the maximum of 2048"),
        (CAT | {"width": True}, "/width", 'is not of type "integer"'),
        (CAT | {"aspect_ratio": "2:1"}, "/aspect_ratio", 'is not one of "1:1" or "16:9"'),
        (CAT | {"seed": "7"}, "/seed", 'is not of type "integer"'),
        (CAT | {"widht": 64}, "/widht", "is not an input of this model; did you mean 'width'?"),
        (CAT | {"a/b~c": 1}, "/a~1b~0c", "is not an input of this model; its inputs are prompt, width, aspect_ratio,"),
    ],
)  # fmt: skip
def test_a_problem_names_its_place_and_its_cause(value: dict[str, Any], path: str, message: str) -> None:
    [problem] = problems(value)
    assert problem["path"] == path
    assert problem["message"].startswith(message)


def test_all_problems_are_told_at_once() -> None:
    found = problems({"width": 1, "aspect_ratio": "no", "steps": 3})
    assert {one["path"] for one in found} == {"", "/width", "/aspect_ratio", "/steps"}


def test_many_problems_and_long_values_are_cut_short() -> None:
    found = problems({f"nonsense_{n}" + "x" * 500: n for n in range(100)} | {"prompt": ["y" * 10_000]})
    assert len(found) == MAX_ERRORS
    assert max(len(one["path"]) + len(one["message"]) for one in found) <= 400
    assert "yyy" not in str(problems({"prompt": ["y" * 10_000]}))


def test_problems_deep_inside_have_deep_paths() -> None:
    document = paint(boxes={"type": "array", "items": {"type": "object", "properties": {"x": {"type": "integer"}}}})
    assert problems(CAT | {"boxes": [{"x": 1}, {"x": "1"}]}, document)[0]["path"] == "/boxes/1/x"


@pytest.mark.parametrize(
    ("value", "path"),
    [
        (2**53, "/seed"), (-(2**53), "/seed"), (10**40, "/seed"), (float("nan"), "/seed"), (float("inf"), "/seed"),
        ("a\0b", "/seed"), ("\ud800", "/seed"), ({"\0": 1}, "/seed"), (b"bytes", "/seed"), ({1, 2}, "/seed"),
        ([[1], [2, {"a": 2**60}]], "/seed/1/1/a"),
    ],
)  # fmt: skip
def test_what_json_cannot_carry_is_refused(value: object, path: str) -> None:
    [problem] = problems(CAT | {"seed": value})
    assert problem["path"] == path


def test_depth_is_bounded() -> None:
    def nested(depth: int) -> Any:
        return [] if depth == 0 else [nested(depth - 1)]

    open_document = with_input({"type": "object"})
    InputSchema(open_document).check({"a": nested(MAX_DEPTH - 1)})
    assert "nested deeper" in problems({"a": nested(MAX_DEPTH)}, open_document)[0]["message"]
    deep: Any = 1
    for _ in range(100_000):
        deep = [deep]
    assert "nested deeper" in problems({"a": deep}, open_document)[0]["message"]


def test_size_is_bounded() -> None:
    InputSchema(paint()).check({"prompt": "x" * (MAX_INPUT_BYTES - 13)})
    assert "is larger than" in problems({"prompt": "x" * MAX_INPUT_BYTES})[0]["message"]
    assert "is larger than" in problems(CAT, max_bytes=10)[0]["message"]


def test_a_model_that_takes_anything_takes_anything() -> None:
    InputSchema(with_input({"type": "object"})).check({"whatever": 1})
    InputSchema(with_input({"type": "object", "properties": {"a": {}}, "additionalProperties": True})).check({"b": 1})
    InputSchema({}).check({"whatever": 1})


def test_draft_4_bounds_as_openapi_3_0_has_them() -> None:
    document = paint(strength={"type": "number", "minimum": 0, "exclusiveMinimum": True})
    InputSchema(document).check(CAT | {"strength": 0.1})
    assert problems(CAT | {"strength": 0}, document)[0]["path"] == "/strength"


@pytest.mark.parametrize(
    "broken",
    [
        {"$ref": "http://127.0.0.1:9/elsewhere.json"}, {"$ref": "file:///etc/passwd"}, {"pattern": "(("},
        {"$ref": "#/components/schemas/missing"}, {"type": "nonsense"},
    ],
)  # fmt: skip
def test_a_broken_schema_or_one_that_points_elsewhere_is_not_used(broken: dict[str, Any]) -> None:
    with pytest.raises(Unavailable):
        InputSchema(paint(prompt=broken))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from(["prompt", "width", "seed", "x"]), json_values, max_size=4))
def test_any_input_is_accepted_or_refused_with_reasons(value: dict[str, Any]) -> None:
    schema = InputSchema(paint())
    try:
        schema.check(value)
    except InvalidInput as refused:
        assert refused.extra["errors"]
        assert len(refused.detail) < 700
        return
    assert isinstance(value["prompt"], str)
    assert set(value) <= {"prompt", "width", "seed"}
    assert find_fault(value, max_bytes=MAX_INPUT_BYTES) is None
