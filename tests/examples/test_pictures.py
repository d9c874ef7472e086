"""The script that was written for Replicate, unchanged: only base URL and token are not Replicate's."""

import re
from pathlib import Path

import httpx
import pytest
from PIL import Image

from tests.clients.conftest import Target
from tests.compat.door import ENDED
from tests.examples.conftest import Program
from tests.examples.https import runner_over_https
from tests.examples.paid import audited
from tests.runner.harness import Json
from tests.servers.tls import Tls
from tests.world import until

pytestmark = pytest.mark.slow

PROMPT = "a lighthouse at dusk"
PREDICTIONS = 4  # a picture, a larger one, a judgement and a text


@pytest.mark.parametrize("target", ["runner", "front door"], indirect=True)
async def test_the_script_runs_unchanged(pictures: Program, target: Target, tls: Tls, tmp_path: Path) -> None:
    await check_run(pictures, target, tls, tmp_path / "out")
    if target.base_url.endswith("/replicate"):
        await check_paid(target, tls, tmp_path)


async def test_the_script_runs_over_https_where_outputs_are_file_objects(
    pictures: Program, tls: Tls, tmp_path: Path
) -> None:
    async with runner_over_https(tmp_path / "runner", tls) as target:
        await check_run(pictures, target, tls, tmp_path / "out")


async def check_run(program: Program, target: Target, tls: Tls, folder: Path) -> None:
    env = {"REPLICATE_BASE_URL": target.base_url, "REPLICATE_API_TOKEN": target.token, **tls.trust}
    said = await program.run(PROMPT, str(folder), env=env)
    check_pictures(folder)
    check_words(said)
    assert await succeeded(target, tls) == PREDICTIONS


def check_pictures(folder: Path) -> None:
    """Both are whole, and the second one is the first one twice as wide and high."""
    with Image.open(folder / "picture.png") as small, Image.open(folder / "larger.png") as large:
        small.load()
        large.load()
        assert large.size == (2 * small.width, 2 * small.height)
        assert alike(small, large.resize(small.size))


def alike(one: Image.Image, other: Image.Image) -> bool:
    """Whether two pictures of one size show the same, seen from afar."""
    pairs = [list(image.convert("L").resize((16, 16)).tobytes()) for image in (one, other)]
    return sum(abs(a - b) for a, b in zip(*pairs, strict=True)) / 256 < 8


def check_words(said: str) -> None:
    """A judgement of the picture, and a text that came in pieces: the writer takes four seconds for it."""
    assert re.search(r"^judged: .*nsfw.*safe", said, re.MULTILINE), said
    text, told = said.splitlines()[-2:]
    assert len(text.split()) == 40
    found = re.fullmatch(r"told in (\d+) pieces", told)
    assert found, said
    assert int(found[1]) > 1


async def succeeded(target: Target, tls: Tls) -> int:
    """How many predictions there are, once all have ended; fails if any of them did not succeed."""

    async def statuses() -> list[str] | None:
        page = await get(f"{target.base_url}/v1/predictions", target.token, tls)
        found = [one["status"] for one in page["results"]]
        return found if ENDED.issuperset(found) else None

    # The end of a stream is told before what it gave is stored and paid.
    ended = await until(statuses, timeout_s=60)
    assert set(ended) == {"succeeded"}
    return len(ended)


async def check_paid(target: Target, tls: Tls, folder: Path) -> None:
    """Each prediction cost the credit that ``[default_model]`` says, and the operator's audit finds nothing wrong."""
    (balance,) = (await get(f"{target.base_url.removesuffix('/replicate')}/v1/credits", target.token, tls))["data"]
    assert (balance["available"], balance["held"], balance["spent"]) == (1000 - PREDICTIONS, 0, PREDICTIONS)
    await audited(folder)


async def get(url: str, token: str, tls: Tls) -> Json:
    headers = {"authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(headers=headers, verify=tls.client_context()) as http:
        answer = await http.get(url)
    assert answer.status_code == 200, answer.text
    return answer.json()
