from typing import Any

import jsonschema_rs
import pytest

from mutoscope.replicate_protocol import schemas

DOCUMENT: dict[str, Any] = {
    "openapi": "3.0.2",
    "components": {
        "schemas": {
            "Input": {
                "type": "object",
                "title": "Input",
                "required": ["prompt"],
                "properties": {
                    "format": {"allOf": [{"$ref": "#/components/schemas/format"}], "default": "png", "x-order": 2},
                    "prompt": {"type": "string", "x-order": 0},
                    "image": {"type": "string", "format": "uri", "nullable": True, "x-order": 1},
                    "more": {"type": "array", "items": {"type": "string", "format": "uri"}, "x-order": 3},
                    "width": {"type": "integer", "minimum": 8, "default": 512},
                },
            },
            "Output": {"type": "array", "items": {"type": "string", "format": "uri"}},
            "format": {"type": "string", "enum": ["png", "jpg"], "description": "An enumeration."},
        },
    },
}


def test_an_input_is_validated_through_references_and_nulls() -> None:
    validator = jsonschema_rs.validator_for(schemas.input_schema(DOCUMENT) or {})
    assert validator.is_valid({"prompt": "x", "format": "jpg", "image": None})
    assert not validator.is_valid({"prompt": "x", "format": "gif"})
    assert not validator.is_valid({"prompt": "x", "image": 5})
    assert not validator.is_valid({})


def test_an_output_is_validated() -> None:
    validator = jsonschema_rs.validator_for(schemas.output_schema(DOCUMENT) or {})
    assert validator.is_valid(["http://x/"])
    assert not validator.is_valid("http://x/")


def test_properties_come_in_order_with_their_choices() -> None:
    properties = schemas.input_properties(DOCUMENT)
    assert list(properties) == ["prompt", "image", "format", "more", "width"]
    assert properties["format"]["enum"] == ["png", "jpg"]
    assert properties["format"]["default"] == "png"


def test_defaults_and_files() -> None:
    assert schemas.input_defaults(DOCUMENT) == {"format": "png", "width": 512}
    assert schemas.file_inputs(DOCUMENT) == {"image", "more"}


def test_a_document_without_schemas_is_no_error() -> None:
    for document in ({}, {"components": None}, {"components": {"schemas": {}}}):
        assert schemas.input_schema(document) is None
        assert schemas.output_schema(document) is None
        assert schemas.input_properties(document) == {}


@pytest.mark.parametrize(
    ("output", "files"),
    [
        ({"type": "string", "format": "uri"}, True),
        ({"type": "array", "items": {"type": "string", "format": "uri"}}, True),
        ({"type": "object", "properties": {"image": {"type": "string", "format": "uri"}}}, True),
        ({"type": "string"}, False),
        ({"type": "array", "items": {"type": "string"}, "x-cog-array-type": "iterator"}, False),
        ({"type": "object", "properties": {"label": {"type": "string"}, "score": {"type": "number"}}}, False),
        ({"type": "object"}, True),
        ({"title": "Output"}, True),
        ({}, True),
    ],
)
def test_whether_an_output_may_name_files(output: dict[str, Any], files: bool) -> None:
    assert schemas.gives_files({"components": {"schemas": {"Output": output}}}) is files


@pytest.mark.parametrize(
    ("output", "streams"),
    [
        ({"type": "array", "items": {"type": "string"}, "x-cog-array-type": "iterator"}, True),
        ({"type": "array", "items": {"type": "string", "format": "uri"}, "x-cog-array-type": "iterator"}, False),
        ({"type": "array", "items": {"type": "string"}}, False),
        ({"type": "string"}, False),
        ({}, False),
    ],
)
def test_a_model_streams_that_gives_text_in_pieces(output: dict[str, Any], streams: bool) -> None:
    assert schemas.streams_text({"components": {"schemas": {"Output": output}}}) is streams
    assert schemas.streams_text({}) is False
