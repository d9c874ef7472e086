"""``mutoscope/echo``: the test model. It gives back what it was given, as any kind of output, after any time, or fails.

It runs inside the server, because crash tests and benchmarks start thousands of it.
"""

import asyncio
import base64
import struct
import zlib
from collections.abc import Callable
from typing import Any

from mutoscope.runner.models.base import Job, Model, ModelFailed, Sink, progress_line
from mutoscope.runner.models.cog_schema import Field, openapi_schema

KINDS = ("text", "json", "number", "list", "file", "files", "data_uri", "dict", "nothing")

FIELDS = (
    Field("text", "string", "Text to give back.", default="hello", max_length=2**20),
    Field("seconds", "number", "How long to run, in steps that show in the logs.", default=0, minimum=0, maximum=600),
    Field("output", "string", "Which shape of output to give.", default="text", choices=KINDS),
    Field(
        "size_bytes",
        "integer",
        "Size of each output file: a small PNG followed by zeros. 0 is the PNG alone.",
        default=0,
        minimum=0,
        maximum=2**40,
    ),
    Field("fail", "string", "Fail with this error when the time is over.", default=None),
)


async def predict(job: Job, sink: Sink) -> Any:
    """Run one job."""
    seconds = float(job.input["seconds"])
    sink.started()
    sink.log(f"mutoscope/echo is a test model: it echoes its input after {seconds:g} s.\n")
    await _steps(seconds, sink)
    if error := job.input.get("fail"):
        raise ModelFailed(str(error))
    return _output(job)


async def _steps(seconds: float, sink: Sink) -> None:
    if not seconds:
        return
    loop = asyncio.get_running_loop()
    began = loop.time()
    total = max(1, min(100, round(seconds * 4)))
    for step in range(1, total + 1):
        await asyncio.sleep(began + seconds * step / total - loop.time())
        sink.log(progress_line(step, total, loop.time() - began))


def _output(job: Job) -> Any:
    text = str(job.input["text"])
    kinds: dict[str, Callable[[], Any]] = {
        "text": lambda: text,
        "json": lambda: {"text": text, "length": len(text), "words": text.split(), "empty": not text},
        "number": lambda: len(text),
        "list": text.split,
        "file": lambda: _file(job, "out.png"),
        "files": lambda: [_file(job, f"out-{index}.png") for index in range(2)],
        "data_uri": lambda: "data:image/png;base64," + base64.b64encode(_png(text)).decode(),
        "dict": lambda: {"image": _file(job, "image.png"), "mask": _file(job, "mask.png"), "text": text},
        "nothing": lambda: None,
    }
    return kinds[str(job.input["output"])]()


def _file(job: Job, name: str) -> str:
    path, link = job.file(name)
    size_bytes = int(job.input["size_bytes"])
    data = _png(f"{job.input['text']}/{name}")
    with path.open("wb") as file:
        file.write(data if not size_bytes else data[:size_bytes])
        if size_bytes > len(data):
            file.truncate(size_bytes)
    return link


def _png(text: str) -> bytes:
    """A valid 8 by 8 picture, one colour per text."""
    colour = zlib.crc32(text.encode()).to_bytes(4, "big")[:3]
    rows = (b"\x00" + colour * 8) * 8
    header = struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


MODEL = Model(
    owner="mutoscope",
    name="echo",
    description="A test model, not AI: gives back its input as any kind of output, after any time, or fails on demand.",
    openapi_schema=openapi_schema(FIELDS, {}),
    predictor=predict,
)
