import asyncio
import base64
import io
import os
import re
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from PIL import Image, ImageDraw, ImageFilter, ImageStat

from tests.runner.harness import Client, Json, eventually, running, until

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def runner(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    """One runner for all: a worker process takes a second or more to start."""
    async with running(tmp_path_factory.mktemp("models")) as client:
        yield client


def picture(width: int = 96, height: int = 64) -> Image.Image:
    image = Image.new("RGB", (width, height), "#f4f1e8")
    draw = ImageDraw.Draw(image)
    draw.ellipse((8, 8, height - 8, height - 8), fill="#30506e")
    draw.line((0, height, width, 0), fill="#c8442f", width=3)
    return image


def data_url(image: Image.Image) -> str:
    file = io.BytesIO()
    image.save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


async def fetch(client: Client, url: str) -> Image.Image:
    return Image.open(io.BytesIO((await client.http.get(url)).content))


def difference(one: Image.Image, other: Image.Image) -> float:
    pairs = zip(one.tobytes(), other.tobytes(), strict=True)
    return sum(abs(a - b) for a, b in pairs) / (one.width * one.height * 3)


def worker_pids(model: str = "") -> set[int]:
    """Processes started by this one that run a model."""
    found: set[int] = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (entry / "cmdline").exists():
            command, status = (entry / "cmdline").read_bytes(), (entry / "status").read_text()
            if b"execution.worker" in command and model.encode() in command and f"PPid:\t{os.getpid()}\n" in status:
                found.add(int(entry.name))
    return found


@pytest.mark.parametrize("scale", [2, 4])
async def test_upscale_enlarges_and_keeps_the_picture(runner: Client, scale: int) -> None:
    source = picture(300, 140)
    done = await runner.run({"image": data_url(source), "scale": scale}, model="mutoscope/upscale")
    assert done["status"] == "succeeded", done
    result = await fetch(runner, done["output"])
    assert result.size == (300 * scale, 140 * scale)
    assert difference(result.resize(source.size, Image.Resampling.BOX), source) < 8
    assert "Real-ESRGAN" in result.info["Software"]
    assert "100%|██████████| 6/6 [" in done["logs"]


async def test_upscale_is_sharper_than_interpolation_and_has_no_seams(runner: Client) -> None:
    source = picture(300, 140)
    result = await fetch(
        runner, (await runner.run({"image": data_url(source), "scale": 4}, model="mutoscope/upscale"))["output"]
    )
    bicubic = source.resize(result.size, Image.Resampling.BICUBIC)
    edges = [one.convert("L").filter(ImageFilter.FIND_EDGES).histogram() for one in (result, bicubic)]
    strong = [sum(histogram[100:]) for histogram in edges]
    assert strong[0] > strong[1] * 1.2
    across_a_seam = result.crop((512 - 8, 4, 512 + 8, 12)).convert("L").tobytes()
    assert max(across_a_seam) - min(across_a_seam) <= 8


async def test_upscale_takes_uploads_and_outputs_of_others(runner: Client) -> None:
    file = io.BytesIO()
    picture().save(file, "PNG")
    upload = (await runner.http.post("/v1/files", files={"content": ("a.png", file.getvalue(), "image/png")})).json()
    done = await runner.run({"image": upload["urls"]["get"]}, model="mutoscope/upscale")
    assert (await fetch(runner, done["output"])).size == (192, 128)
    again = await runner.run({"image": done["output"]}, model="mutoscope/upscale")
    assert (await fetch(runner, again["output"])).size == (384, 256)


@pytest.mark.parametrize(
    "image",
    [
        "data:image/png;base64,AAAA",
        "data:image/png;base64,***",
        "file:///etc/passwd",
        "http://127.0.0.1:9/x.png",
        data_url(Image.new("1", (3000, 3000))),
    ],
)
async def test_a_picture_that_cannot_be_read_fails_and_says_why(runner: Client, image: str) -> None:
    failed = await runner.run({"image": image}, model="mutoscope/upscale")
    assert failed["status"] == "failed"
    assert re.search("file input|image|data URL", failed["error"])


async def test_safety_judges_a_harmless_picture(runner: Client) -> None:
    image = data_url(picture(256, 256))
    done = await runner.run({"image": image}, model="mutoscope/classify-safety")
    assert done["output"]["safe"] is True
    assert 0 <= done["output"]["nsfw"] < 0.5
    strict = await runner.run({"image": image, "threshold": 0}, model="mutoscope/classify-safety")
    assert strict["output"] == {"nsfw": done["output"]["nsfw"], "safe": False}


def slow_job() -> Json:
    return {"image": data_url(picture(512, 512)), "model": "x4plus"}


async def test_a_cancel_stops_the_process_and_frees_its_place(tmp_path: Path) -> None:
    before = worker_pids()
    async with running(tmp_path, cancel_grace_s=0.1) as runner:
        slow = await runner.start(slow_job(), model="mutoscope/upscale")
        waiting = await runner.start({"image": data_url(picture())}, model="mutoscope/upscale")
        await runner.reach(slow["id"], {"processing"})
        (pid,) = worker_pids() - before
        assert (await runner.get(waiting["id"]))["status"] == "starting"
        canceled = (await runner.http.post(f"/v1/predictions/{slow['id']}/cancel")).json()
        assert canceled["status"] == "canceled"
        assert (await runner.reach(waiting["id"], {"succeeded", "failed"}))["status"] == "succeeded"
        assert pid not in worker_pids()


async def test_a_worker_that_is_killed_fails_its_prediction_and_is_replaced(runner: Client) -> None:
    slow = await runner.start(slow_job(), model="mutoscope/upscale")
    await eventually(lambda: runner.get(slow["id"]), lambda shown: "Real-ESRGAN" in shown["logs"])
    (pid,) = worker_pids("upscale")
    os.kill(pid, signal.SIGKILL)
    failed = await runner.reach(slow["id"], {"failed"})
    assert failed["error"] == "The model's process ended unexpectedly (exit status -9)."
    assert (await runner.run({"image": data_url(picture())}, model="mutoscope/upscale"))["status"] == "succeeded"


async def test_no_worker_outlives_its_runner(tmp_path: Path) -> None:
    before = worker_pids()
    async with running(tmp_path) as runner:
        await runner.run({"image": data_url(picture())}, model="mutoscope/upscale")
        assert worker_pids() - before
    await until(lambda: worker_pids() <= before)


async def test_the_endless_file_input_is_cut(runner: Client) -> None:
    url = (await runner.run({"output": "file"}, faults={"file_oversized": True}))["output"]
    async with asyncio.timeout(30):
        failed = await runner.run({"image": url}, model="mutoscope/classify-safety")
    assert "larger than" in failed["error"]


PAINT: Json = {"prompt": "mountain lake at sunset", "seed": 7, "width": 256, "height": 256}


async def painted(client: Client, **changes: Any) -> list[Image.Image]:
    done = await client.run({**PAINT, **changes}, model="mutoscope/painter")
    assert done["status"] == "succeeded", done
    return [await fetch(client, url) for url in done["output"]]


async def test_painter_paints_as_many_as_asked_for_and_says_what_it_is(runner: Client) -> None:
    done = await runner.run({**PAINT, "num_outputs": 3, "width": 320}, model="mutoscope/painter")
    pictures = [await fetch(runner, url) for url in done["output"]]
    assert [one.size for one in pictures] == [(320, 256)] * 3
    assert len({one.tobytes() for one in pictures}) == 3
    assert "not AI" in done["logs"]
    assert "100%|██████████| 15/15 [" in done["logs"]
    assert [one.info["Seed"] for one in pictures] == ["7", "8", "9"]
    assert all("not AI" in one.info["Software"] for one in pictures)
    model = (await runner.http.get("/v1/models/mutoscope/painter")).json()
    schema = model["latest_version"]["openapi_schema"]["components"]["schemas"]["Input"]
    assert "not AI" in model["description"]
    assert "not AI" in schema["properties"]["prompt"]["description"]


async def test_painter_repeats_itself_for_the_same_seed_and_follows_the_prompt(runner: Client) -> None:
    (first,), (again,), (other,) = [await painted(runner, seed=seed) for seed in (7, 7, 8)]
    assert first.tobytes() == again.tobytes()
    assert first.tobytes() != other.tobytes()
    (red,), (blue,) = [await painted(runner, prompt=f"{tint} sunset over the sea") for tint in ("red", "blue")]
    warmth = [mean[0] - mean[2] for mean in (ImageStat.Stat(one.convert("RGB")).mean for one in (red, blue))]
    assert warmth[0] > warmth[1] + 40
    (day,), (night,) = [await painted(runner, prompt=f"hills at {time}") for time in ("noon", "night")]
    light = [ImageStat.Stat(one.convert("L")).mean[0] for one in (day, night)]
    assert light[0] > light[1] + 60


@pytest.mark.parametrize(
    ("suffix", "media_type"), [("png", "image/png"), ("webp", "image/webp"), ("jpg", "image/jpeg")]
)
async def test_painter_writes_the_format_asked_for(runner: Client, suffix: str, media_type: str) -> None:
    done = await runner.run({**PAINT, "output_format": suffix}, model="mutoscope/painter")
    answer = await runner.http.get(done["output"][0])
    assert answer.headers["content-type"] == media_type
    with Image.open(io.BytesIO(answer.content)) as image:
        assert image.get_format_mimetype() == media_type
