import asyncio
import base64
import io
import os
import re
import signal
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFilter

from tests.runner.harness import Client, Json, eventually, running


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


def worker_pids() -> set[int]:
    """Processes started by this one that run a model."""
    found: set[int] = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (entry / "cmdline").exists():
            command, status = (entry / "cmdline").read_bytes(), (entry / "status").read_text()
            if b"execution.worker" in command and f"PPid:\t{os.getpid()}\n" in status:
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
    async with running(tmp_path, cancel_grace_s=0.1) as runner:
        slow = await runner.start(slow_job(), model="mutoscope/upscale")
        waiting = await runner.start({"image": data_url(picture())}, model="mutoscope/upscale")
        await runner.reach(slow["id"], {"processing"})
        (pid,) = worker_pids()
        assert (await runner.get(waiting["id"]))["status"] == "starting"
        canceled = (await runner.http.post(f"/v1/predictions/{slow['id']}/cancel")).json()
        assert canceled["status"] == "canceled"
        assert (await runner.reach(waiting["id"], {"succeeded", "failed"}))["status"] == "succeeded"
        assert pid not in worker_pids()


async def test_a_worker_that_is_killed_fails_its_prediction_and_is_replaced(runner: Client) -> None:
    slow = await runner.start(slow_job(), model="mutoscope/upscale")
    await eventually(lambda: runner.get(slow["id"]), lambda shown: "Real-ESRGAN" in shown["logs"])
    (pid,) = worker_pids()
    os.kill(pid, signal.SIGKILL)
    failed = await runner.reach(slow["id"], {"failed"})
    assert failed["error"] == "The model's process ended unexpectedly (exit status -9)."
    assert (await runner.run({"image": data_url(picture())}, model="mutoscope/upscale"))["status"] == "succeeded"


async def test_no_worker_outlives_its_runner(tmp_path: Path) -> None:
    async with running(tmp_path) as runner:
        await runner.run({"image": data_url(picture())}, model="mutoscope/upscale")
        assert worker_pids()
    async with asyncio.timeout(5):
        while worker_pids():
            await asyncio.sleep(0.02)


async def test_the_endless_file_input_is_cut(runner: Client) -> None:
    url = (await runner.run({"output": "file"}, faults={"file_oversized": True}))["output"]
    async with asyncio.timeout(30):
        failed = await runner.run({"image": url}, model="mutoscope/classify-safety")
    assert "larger than" in failed["error"]
