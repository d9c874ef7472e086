"""Reads the ``openapi_schema`` of a model's version: what it takes and what it gives.

Cog writes these documents: ``components.schemas.Input`` is an object whose properties carry ``x-order``, whose choices
are enums reached through ``allOf``, and whose nulls are OpenAPI 3.0's ``nullable``, which JSON Schema does not know.
"""

from collections.abc import Mapping
from typing import Any, cast

JsonSchema = dict[str, Any]
MAX_SCHEMA_DEPTH = 8


def component(openapi_schema: Mapping[str, Any], name: str) -> JsonSchema | None:
    """``components.schemas.{name}`` exactly as it stands there, or ``None``."""
    node: object = openapi_schema
    for key in ("components", "schemas", name):
        node = cast("Mapping[str, object]", node).get(key) if isinstance(node, Mapping) else None
    return cast("JsonSchema", node) if isinstance(node, dict) else None


def input_schema(openapi_schema: Mapping[str, Any]) -> JsonSchema | None:
    """A JSON Schema that validates an input by itself, its references inside it; ``None`` if the document has none."""
    return _standalone(openapi_schema, "Input")


def output_schema(openapi_schema: Mapping[str, Any]) -> JsonSchema | None:
    """A JSON Schema that validates an output by itself. ``None`` if the document has none."""
    return _standalone(openapi_schema, "Output")


def input_properties(openapi_schema: Mapping[str, Any]) -> dict[str, JsonSchema]:
    """The inputs in the order in which people should see them (``x-order``), with choices merged in from ``allOf``."""
    schema = component(openapi_schema, "Input") or {}
    properties = {name: _merged(openapi_schema, one) for name, one in _schemas(schema.get("properties"))}
    return dict(sorted(properties.items(), key=lambda item: (item[1].get("x-order", len(properties)), item[0])))


def input_defaults(openapi_schema: Mapping[str, Any]) -> dict[str, Any]:
    """The value each input takes when it is left out, where the document says so."""
    return {name: one["default"] for name, one in input_properties(openapi_schema).items() if "default" in one}


def file_inputs(openapi_schema: Mapping[str, Any]) -> frozenset[str]:
    """Names of the inputs that are files or lists of files, given as http(s) or data URLs."""
    properties = input_properties(openapi_schema).items()
    return frozenset(name for name, one in properties if "uri" in (one.get("format"), _items(one).get("format")))


def gives_files(openapi_schema: Mapping[str, Any]) -> bool:
    """Whether an output may name files: it has ``format: uri`` somewhere, or does not say what it is."""
    schema = component(openapi_schema, "Output") or {}
    if not schema.keys() & {"type", "allOf", "anyOf", "oneOf", "$ref", "properties", "items"}:
        return True
    return _leaves_open(_merged(openapi_schema, schema), depth=0)


def streams_text(openapi_schema: Mapping[str, Any]) -> bool:
    """Whether the model gives its output piece by piece, and the pieces are text."""
    schema = component(openapi_schema, "Output") or {}
    return schema.get("x-cog-array-type") == "iterator" and not gives_files(openapi_schema)


def for_trainings(openapi_schema: Mapping[str, Any]) -> JsonSchema:
    """The same document with what a training takes and gives as its ``Input`` and ``Output``; both open if it has none.

    Cog writes them as ``TrainingInput`` and ``TrainingOutput``.
    """
    components = cast("Mapping[str, Any]", openapi_schema.get("components") or {})
    schemas = dict(cast("Mapping[str, Any]", components.get("schemas") or {}))
    for name in ("Input", "Output"):
        schemas[name] = schemas.get(f"Training{name}", {"type": "object"})
    return {**openapi_schema, "components": {**components, "schemas": schemas}}


def _items(schema: JsonSchema) -> JsonSchema:
    items: object = schema.get("items")
    return cast("JsonSchema", items) if isinstance(items, dict) else {}


def _leaves_open(node: object, *, depth: int) -> bool:
    """A schema that could hold a file: a ``uri``, anything without a type, or what refers to something elsewhere."""
    if not isinstance(node, dict) or depth > MAX_SCHEMA_DEPTH:
        return True
    schema = cast("JsonSchema", node)
    match schema.get("type"):
        case "string":
            return schema.get("format") == "uri"
        case "number" | "integer" | "boolean" | "null":
            return False
        case "array":
            return _leaves_open(schema.get("items"), depth=depth + 1)
        case "object" if schema.get("properties"):
            return any(_leaves_open(one, depth=depth + 1) for _, one in _schemas(schema["properties"]))
        case _:
            return True


def _standalone(document: Mapping[str, Any], name: str) -> JsonSchema | None:
    schema = component(document, name)
    if schema is None:
        return None
    inlined = {key: value for key, value in schema.items() if key != "components"}
    components = {"schemas": cast("Mapping[str, Any]", document["components"])["schemas"]}
    return cast("JsonSchema", _with_nulls({**inlined, "components": components}))


def _schemas(node: object) -> list[tuple[str, JsonSchema]]:
    if not isinstance(node, dict):
        return []
    return [
        (name, cast("JsonSchema", one))
        for name, one in cast("dict[str, object]", node).items()
        if isinstance(one, dict)
    ]


def _merged(document: Mapping[str, Any], schema: JsonSchema) -> JsonSchema:
    """Fold ``allOf`` with one reference, Cog's way of writing a choice, into the property itself."""
    merged: JsonSchema = {}
    for part in cast("list[object]", schema.get("allOf", [])):
        reference = cast("dict[str, object]", part).get("$ref") if isinstance(part, dict) else None
        target = component(document, str(reference).rpartition("/")[2]) if reference else None
        merged.update(target or {})
    return {**merged, **{key: value for key, value in schema.items() if key != "allOf"}}


def _with_nulls(node: object) -> object:
    """The same schema with ``nullable: true`` written as JSON Schema says it."""
    if isinstance(node, list):
        return [_with_nulls(item) for item in cast("list[object]", node)]
    if not isinstance(node, dict):
        return node
    schema = {key: _with_nulls(value) for key, value in cast("dict[str, object]", node).items()}
    if schema.get("nullable") is not True:
        return schema
    del schema["nullable"]
    return {"anyOf": [schema, {"type": "null"}]}
