"""The OpenAPI document of a made-up model, in the form that Cog writes."""

import copy
from typing import Any

_PAINT: dict[str, Any] = {
    "openapi": "3.0.2",
    "components": {
        "schemas": {
            "aspect_ratio": {"type": "string", "enum": ["1:1", "16:9"], "title": "aspect_ratio"},
            "Input": {
                "type": "object",
                "title": "Input",
                "required": ["prompt"],
                "properties": {
                    "prompt": {"type": "string", "x-order": 0, "title": "Prompt"},
                    "width": {"type": "integer", "minimum": 64, "maximum": 2048, "default": 512, "x-order": 1},
                    "aspect_ratio": {"allOf": [{"$ref": "#/components/schemas/aspect_ratio"}], "x-order": 2},
                    "num_outputs": {"type": "integer", "minimum": 1, "maximum": 8, "default": 2, "x-order": 3},
                    "seed": {"type": "integer", "nullable": True, "x-order": 4},
                    "strength": {"type": "number", "maximum": 1, "x-order": 5},
                    "image": {"type": "string", "format": "uri", "x-order": 6},
                },
            },
            "Output": {"type": "array", "items": {"type": "string", "format": "uri"}},
        }
    },
}


def paint(**properties: Any) -> dict[str, Any]:
    """The document, with some inputs changed or added."""
    document = copy.deepcopy(_PAINT)
    document["components"]["schemas"]["Input"]["properties"].update(properties)
    return document


def with_input(schema: Any) -> dict[str, Any]:
    """The document with another ``Input``."""
    document = copy.deepcopy(_PAINT)
    document["components"]["schemas"]["Input"] = schema
    return document
