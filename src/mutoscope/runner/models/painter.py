"""``mutoscope/painter``: pictures from prompts, by procedure. It is not AI, and says so wherever it shows."""

import secrets
from typing import Any

from mutoscope.runner.models.base import Model
from mutoscope.runner.models.cog_schema import Field, openapi_schema
from mutoscope.runner.models.context import Context

NOT_AI = "procedural, not AI"

FIELDS = (
    Field(
        "prompt",
        "string",
        "What to paint. The words it knows (times of day, weather, landscapes, colours ...) decide the scene; this "
        f"painter is {NOT_AI}.",
        max_length=10_000,
    ),
    Field("seed", "integer", "The same seed and prompt give the same picture; random if left out.", default=None),
    Field("width", "integer", "Width in pixels.", default=768, minimum=256, maximum=1024, multiple_of=8),
    Field("height", "integer", "Height in pixels.", default=512, minimum=256, maximum=1024, multiple_of=8),
    Field("num_outputs", "integer", "How many pictures.", default=1, minimum=1, maximum=4),
    Field("output_format", "string", "File format of the pictures.", default="png", choices=("png", "webp", "jpg")),
)

MODEL = Model(
    owner="mutoscope",
    name="painter",
    description=f"Landscapes, cities, space and abstracts from a prompt ({NOT_AI}): a program that needs no GPU.",
    openapi_schema=openapi_schema(FIELDS, {"type": "array", "items": {"type": "string", "format": "uri"}}),
    predictor="mutoscope.runner.models.painter:predict",
    requires=("numpy", "PIL"),
)


def predict(context: Context) -> Any:
    """Paint the pictures of one prompt, one after another."""
    from mutoscope.runner.models.pictures import write_picture
    from mutoscope.runner.painter.paint import STEPS, paint

    wanted = context.input
    seed = wanted["seed"] if wanted.get("seed") is not None else secrets.randbelow(2**31)
    size, count = (int(wanted["width"]), int(wanted["height"])), int(wanted["num_outputs"])
    context.log(f"mutoscope/painter is {NOT_AI}.")
    context.log(f"Using seed: {seed}")
    context.progress(0, count * STEPS)
    links: list[str] = []
    for index in range(count):
        image, scene = paint(
            str(wanted["prompt"]),
            int(seed) + index,
            size,
            lambda step, index=index: context.progress(index * STEPS + step, count * STEPS),
        )
        path, link = context.file(f"out-{index}.{wanted['output_format']}")
        about = {"Software": f"mutoscope/painter ({NOT_AI})", "Seed": str(int(seed) + index)}
        write_picture(
            image, path, {**about, "Prompt": str(wanted["prompt"]), "Understood": ", ".join(scene.understood)}
        )
        links.append(link)
        context.output(links)
    return links
