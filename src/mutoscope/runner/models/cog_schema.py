"""Writes a model's ``openapi_schema`` the way Cog does, so that clients of Replicate read it as they read any other."""

from dataclasses import dataclass
from typing import Any

REQUIRED = object()
"""The default of an input that has none."""
_FILE = {"type": "string", "title": "Weights", "format": "uri"}
TEXT_ITERATOR: dict[str, Any] = {
    "type": "array",
    "items": {"type": "string"},
    "x-cog-array-type": "iterator",
    "x-cog-array-display": "concatenate",
}
"""The output of a model that gives its text piece by piece."""


@dataclass(frozen=True, slots=True)
class Field:
    """One input. Without a default it is required; a ``default`` of ``None`` makes it optional and nullable."""

    name: str
    type: str | None
    description: str
    default: Any = REQUIRED
    minimum: float | None = None
    maximum: float | None = None
    multiple_of: int | None = None
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None
    choices: tuple[Any, ...] = ()
    format: str | None = None
    items: dict[str, Any] | None = None

    @property
    def required(self) -> bool:
        """Whether a caller must give it."""
        return self.default is REQUIRED

    def schema(self, order: int) -> dict[str, Any]:
        """The property as it stands in ``Input``."""
        title = self.name.replace("_", " ").title()
        schema: dict[str, Any] = {"title": title, "description": self.description, "x-order": order}
        if self.choices:
            del schema["title"]
            schema["allOf"] = [{"$ref": f"#/components/schemas/{self.name}"}]
        elif self.type:
            schema["type"] = self.type
        optional = {
            "minimum": self.minimum,
            "maximum": self.maximum,
            "multipleOf": self.multiple_of,
            "minLength": self.min_length,
            "maxLength": self.max_length,
            "pattern": self.pattern,
            "items": self.items,
            "format": self.format,
        }
        schema.update({key: value for key, value in optional.items() if value is not None})
        if self.default is None:
            schema["nullable"] = True
        elif not self.required:
            schema["default"] = self.default
        return schema


def openapi_schema(
    fields: tuple[Field, ...], output: dict[str, Any], training: tuple[Field, ...] = ()
) -> dict[str, Any]:
    """The whole document for a model with these inputs and this output, and perhaps these inputs of a training."""
    schemas: dict[str, Any] = {
        "Input": _inputs("Input", fields),
        "Output": {"title": "Output", **output},
        "Status": {
            "type": "string",
            "title": "Status",
            "enum": ["starting", "processing", "succeeded", "canceled", "failed"],
            "description": "An enumeration.",
        },
        **{field.name: _choice(field) for field in (*fields, *training) if field.choices},
    }
    if training:
        schemas["TrainingInput"] = _inputs("TrainingInput", training)
        schemas["TrainingOutput"] = {"type": "object", "title": "TrainingOutput", "properties": {"weights": _FILE}}
    for name in ("PredictionRequest", "PredictionResponse"):
        schemas[name] = _exchange(name)
    return {
        "openapi": "3.0.2",
        "info": {"title": "Cog", "version": "0.1.0"},
        "paths": {"/predictions": {"post": _operation()}},
        "components": {"schemas": schemas},
    }


def _inputs(title: str, fields: tuple[Field, ...]) -> dict[str, Any]:
    properties = {field.name: field.schema(order) for order, field in enumerate(fields)}
    required = [field.name for field in fields if field.required]
    return {"type": "object", "title": title, "properties": properties, **({"required": required} if required else {})}


def _choice(field: Field) -> dict[str, Any]:
    return {"type": field.type, "title": field.name, "enum": list(field.choices), "description": "An enumeration."}


def _exchange(name: str) -> dict[str, Any]:
    properties: dict[str, Any] = {"id": {"type": "string"}, "input": {"$ref": "#/components/schemas/Input"}}
    if name == "PredictionResponse":
        properties |= {
            "output": {"$ref": "#/components/schemas/Output"},
            "status": {"$ref": "#/components/schemas/Status"},
            "error": {"type": "string"},
            "logs": {"type": "string"},
        }
    return {"type": "object", "title": name, "properties": properties}


def _operation() -> dict[str, Any]:
    def body(name: str) -> dict[str, Any]:
        return {"content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}}

    return {
        "summary": "Predict",
        "operationId": "predict_predictions_post",
        "requestBody": body("PredictionRequest"),
        "responses": {"200": {"description": "Successful Response", **body("PredictionResponse")}},
    }
