"""What the command lines take for models of your own."""

import asyncio
import sys
from pathlib import Path

import pytest

from mutoscope.core.errors import ConfigurationError
from mutoscope.runner.options import predictors, upstreams
from tests.runner.harness import process

POET = Path(__file__).parent / "predictors" / "poet.py"


def test_models_are_named_or_take_the_name_of_their_file() -> None:
    found = predictors(["cat.py", "dog=pets/x.py:Dog", "me/bird=y.py", "/pets/fish/predict.py:Predictor"])
    assert found == {
        "local/cat": "cat.py",
        "local/dog": "pets/x.py:Dog",
        "me/bird": "y.py",
        "local/fish": "/pets/fish/predict.py:Predictor",
    }


def test_cog_servers_are_named() -> None:
    found = upstreams(["a=http://127.0.0.1:5001", "me/b=env A=1 python -m cog.server.http"])
    assert found == {"local/a": "http://127.0.0.1:5001", "me/b": "env A=1 python -m cog.server.http"}


@pytest.mark.parametrize("values", [["a"], ["a="], ["a=x", "local/a=y"]])
def test_what_makes_no_sense_is_refused(values: list[str]) -> None:
    with pytest.raises(ConfigurationError):
        upstreams(values)


async def test_a_model_of_your_own_from_the_command_line(tmp_path: Path) -> None:
    async with process(tmp_path, "--model", f"poet={POET}:Poet", "--reload") as (runner, _):
        assert (await runner.run({"words": 1}, model="local/poet"))["output"] == ["word0 "]


async def test_the_long_command_line_offers_the_same(tmp_path: Path) -> None:
    """``mutoscope runner`` with a model that cannot be loaded says so in one line."""
    path = tmp_path / "predict.py"
    path.write_text("x = 1")
    pipe = asyncio.subprocess.PIPE
    command = ["-m", "mutoscope", "runner", "--state", str(tmp_path / "state"), "--port", "0", "--model", f"bad={path}"]
    child = await asyncio.create_subprocess_exec(sys.executable, *command, stdout=pipe, stderr=pipe)
    out, err = await child.communicate()
    assert (child.returncode, out) == (1, b"")
    assert err.decode().startswith("mutoscope: ")
    assert "has no Predictor" in err.decode()
