"""``mutoscope demo``, whole: a child runner, two paid generations, and nothing left behind."""

import asyncio
import re
import signal

import httpx
import pytest

from tests.cli.processes import left_behind
from tests.cli.shell import Running, Shell
from tests.servers.seaweedfs import SeaweedServer
from tests.world import RunnerProcess

pytestmark = pytest.mark.slow

OWN_MODELS = """
[models.painter]
reference = "mutoscope/painter"
price = { per_output = 2, max_outputs = 4 }

[models.upscale]
reference = "mutoscope/upscale"
price = { per_run = 3 }
"""


async def test_the_demo_makes_two_pictures_and_a_ledger_that_adds_up_and_runs_again(empty: Shell) -> None:
    done = await empty.ok("demo", "--once", "--prompt", "a harbour in the rain")
    assert "100 given = 95 available + 0 held + 5 spent + 0 expired: it adds up" in done.out
    pictures = re.findall(r"(?:painter|upscale): (\S+\.png) \(image/png", done.out)
    sizes = [(empty.directory / picture).stat().st_size for picture in pictures]
    assert len(sizes) == 2
    assert sizes[1] > sizes[0] > 10_000
    assert left_behind(empty) == []
    async with empty.start("demo") as again:
        await again.line_with("200 given = 190 available + 0 held + 10 spent + 0 expired: it adds up")
        await _serves(*await _next_steps(again))
        await again.line_with("Serving until Ctrl-C")
        assert await again.stop(signal.SIGTERM) == 0
    assert left_behind(empty) == []
    assert (await empty.with_env(MUTOSCOPE_DATA_DIR=".mutoscope/demo").ok("audit")).status == 0


async def _serves(url: str, key: str) -> None:
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=url, headers=headers) as http:
        made = (await http.get("/v1/generations")).json()["data"]
        assert [one["model"] for one in made] == ["upscale", "painter"] * 2
        assert {one["status"] for one in made} == {"completed"}
        file = made[-1]["files"][0]
        assert len((await http.get(file["url"])).content) == file["size_bytes"]


async def test_with_a_token_and_a_bucket_it_uses_them(
    empty: Shell, runner: RunnerProcess, seaweedfs: SeaweedServer
) -> None:
    bucket = seaweedfs.create_bucket()
    (empty.directory / "mutoscope.toml").write_text(OWN_MODELS)
    shell = empty.with_env(
        REPLICATE_BASE_URL=runner.url, REPLICATE_API_TOKEN="test", REPLICATE_WEBHOOK_SECRET=runner.secret,
        AWS_ENDPOINT_URL=seaweedfs.endpoint, AWS_REGION=seaweedfs.region, AWS_S3_BUCKET_NAME=bucket,
        AWS_ACCESS_KEY_ID=seaweedfs.access_key_id, AWS_SECRET_ACCESS_KEY=seaweedfs.secret_access_key,
    )  # fmt: skip
    done = await shell.ok("demo", "--once", "--dir", "shown")
    assert f"models   {runner.url}" in done.out
    assert f"files    bucket {bucket}" in done.out
    assert "100 given = 95 available + 0 held + 5 spent + 0 expired: it adds up" in done.out
    links = re.findall(rf"^\s+({re.escape(seaweedfs.endpoint)}\S+)$", done.out, re.MULTILINE)
    async with httpx.AsyncClient() as anybody:
        sizes = [len((await anybody.get(link)).content) for link in links]
    assert len(sizes) == 2
    assert sizes[1] > sizes[0] > 10_000
    assert not [one for one in (empty.directory / "shown").iterdir() if one.name == "files"]


async def test_ctrl_c_ends_everything_also_in_the_middle(empty: Shell) -> None:
    async with empty.start("demo") as demo:
        await demo.line_with("painter:")
        runner = left_behind(empty)
        assert len(runner) == 1
        assert await demo.stop(signal.SIGINT) == 0
    assert left_behind(empty) == []


async def test_a_kill_ends_the_runner_too(empty: Shell) -> None:
    async with empty.start("demo") as demo:
        await demo.line_with("runner ")
        assert len(left_behind(empty)) == 1
        await demo.stop(signal.SIGKILL)
        async with asyncio.timeout(30):
            while left_behind(empty):
                await asyncio.sleep(0.1)


async def _next_steps(demo: Running) -> tuple[str, str]:
    lines = [await demo.line_with(f"export {name}=") for name in ("MUTOSCOPE_URL", "MUTOSCOPE_API_KEY")]
    url, key = (line.partition("=")[2].split()[0] for line in lines)
    return url, key
