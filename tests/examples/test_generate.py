"""The program that uses our own client, against a service of its own."""

from pathlib import Path

import pytest
from PIL import Image

from mutoscope.db.migrate import upgrade
from tests.api.service import service
from tests.examples.conftest import python_program
from tests.examples.paid import audited
from tests.runner.harness import running
from tests.world import RunnerProcess, settings_for

pytestmark = pytest.mark.slow

MODELS = {
    "painter": {"reference": "mutoscope/painter", "price": {"per_output": 2, "max_outputs": 4}},
    "upscale": {"reference": "mutoscope/upscale", "price": {"per_run": 3}},
}


async def test_it_pays_for_two_pictures_and_saves_them(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'mutoscope.db'}"
    await upgrade(url)
    async with running(tmp_path / "runner", token="test") as runner:
        behind = RunnerProcess(runner.url, runner.secret)
        settings = settings_for(url, tmp_path, behind, models=MODELS)
        async with service(settings, behind, webhooks=True) as here, here.person("ann", credits=10) as ann:
            env = {"MUTOSCOPE_URL": here.url, "MUTOSCOPE_API_KEY": ann.key}
            said = await python_program("generate.py").run("a harbour in the rain", str(tmp_path / "out"), env=env)
            assert await ann.credits() == (5, 0, 5)
            await audited(tmp_path)
    assert [line.partition(":")[0] for line in said.splitlines()] == [
        "it will cost at most 2 credits", "painted for 2", "enlarged for 3", "left",
    ]  # fmt: skip
    with Image.open(tmp_path / "out" / "picture.png") as small, Image.open(tmp_path / "out" / "larger.png") as large:
        assert large.size == (2 * small.width, 2 * small.height)
