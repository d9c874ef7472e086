"""``--reload``: a model of your own is offered anew when its files change, and stays as it was when they are broken."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.runner.cog import alive
from tests.runner.harness import Client, Json, eventually, running, until

NAME = "local/adder"
GOOD = "from cog import BasePredictor\nclass Predictor(BasePredictor):\n    def predict(self, a: int) -> int:\n"
BROKEN = {
    "not Python": "def broken(:",
    "an exception": "raise RuntimeError('not today')",
    "the end of the process": "import sys; sys.exit()",
    "a sudden end of the process": "import os; os._exit(0)",
    "a rule that is none": (
        "from cog import BasePredictor, Input\nclass Predictor(BasePredictor):\n"
        "    def predict(self, a: str = Input(regex='[')) -> str:\n        return a\n"
    ),
}


def own(path: Path) -> dict[str, Any]:
    return {"models": ["mutoscope/echo"], "predictors": {NAME: f"{path}:Predictor"}, "reload": True}


def save(path: Path, text: str) -> None:
    """As a careful editor does: nobody sees half of it."""
    path.parent.mkdir(exist_ok=True)
    draft = path.with_suffix(".draft")
    draft.write_text(text)
    draft.replace(path)


def version(runner: Client) -> Callable[[], Awaitable[Json]]:
    async def read() -> Json:
        return (await runner.http.get(f"/v1/models/{NAME}")).json()["latest_version"]

    return read


def complaints(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [one for one in caplog.records if one.getMessage() == "a model could not be loaded again"]


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
async def test_a_bad_save_is_told_once_and_the_next_good_one_is_loaded(
    tmp_path: Path, broken: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "model" / "predict.py"
    save(path, f"{GOOD}        return a + 1\n")
    async with running(tmp_path / "state", **own(path)) as runner:
        first = await version(runner)()
        assert (await runner.run({"a": 1}, model=NAME))["output"] == 2
        save(path, broken)
        await until(lambda: bool(complaints(caplog)), 60)
        assert await version(runner)() == first
        assert (await runner.run({"a": 2}, model=NAME))["output"] == 3
        save(path, f"{GOOD}        return a + 7\n")
        await eventually(version(runner), lambda shown: shown["id"] != first["id"], 60)
        assert (await runner.run({"a": 1}, model=NAME))["output"] == 8
        assert len(complaints(caplog)) == 1


async def test_an_import_that_hangs_is_told_and_ends_with_the_next_save(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "model" / "predict.py"
    save(path, f"{GOOD}        return a + 1\n")
    async with running(tmp_path / "state", **own(path)) as runner:
        first = await version(runner)()
        importing = await hang(path)
        await until(lambda: "the import of a changed model takes long" in caplog.messages, 60)
        assert await version(runner)() == first
        save(path, f"{GOOD}        return a + 7\n")
        await until(lambda: not alive(importing), 30)
        await eventually(version(runner), lambda shown: shown["id"] != first["id"], 30)
        assert (await runner.run({"a": 1}, model=NAME))["output"] == 8
        assert not complaints(caplog)


async def test_an_import_that_hangs_ends_with_the_runner(tmp_path: Path) -> None:
    path = tmp_path / "model" / "predict.py"
    save(path, f"{GOOD}        return a + 1\n")
    async with asyncio.timeout(60):
        async with running(tmp_path / "state", **own(path)):
            importing = await hang(path)
    assert alive(importing) == []


async def hang(path: Path) -> list[int]:
    """Save a file whose import never ends, and return the processes that it is imported in and has started."""
    pids = path.with_name("pids")
    starting = "import os, subprocess\nchild = subprocess.Popen(['sleep', '600'])\n"
    save(path, f"{starting}open({str(pids)!r}, 'w').write(f'{{os.getpid()}} {{child.pid}} ')\nchild.wait()\n")
    await until(lambda: pids.exists() and pids.read_text().endswith(" "), 60)
    found = [int(one) for one in pids.read_text().split()]
    assert alive(found) == found
    return found


async def test_a_file_that_a_predictor_imports_is_part_of_its_version(tmp_path: Path) -> None:
    """Also one of the same size, saved within the same second."""
    path, helper = tmp_path / "model" / "predict.py", tmp_path / "model" / "helper.py"
    save(helper, "MORE = 1\n")
    save(path, f"import helper\n{GOOD}        return a + helper.MORE\n")
    async with running(tmp_path / "state", **own(path)) as runner:
        first = await version(runner)()
        assert (await runner.run({"a": 1}, model=NAME))["output"] == 2
        save(helper, "MORE = 7\n")
        await eventually(version(runner), lambda shown: shown["id"] != first["id"], 60)
        assert (await runner.run({"a": 1}, model=NAME))["output"] == 8
        assert (await runner.create({"a": 1}, model=first["id"])).status_code == 422, "it is gone"


async def test_a_file_that_it_does_not_import_is_not(tmp_path: Path) -> None:
    path = tmp_path / "model" / "predict.py"
    save(path, f"{GOOD}        return a\n")
    async with running(tmp_path / "one", **own(path)) as runner:
        before = await version(runner)()
    save(path.with_name("other.py"), "x = 1\n")
    async with running(tmp_path / "two", **own(path)) as runner:
        assert await version(runner)() == before


async def test_what_was_accepted_before_a_change_still_ends(tmp_path: Path) -> None:
    path = tmp_path / "model" / "predict.py"
    slow = f"{GOOD}        import threading\n        threading.Event().wait(a)\n        return "
    save(path, f"{slow}1\n")
    async with running(tmp_path / "state", **own(path)) as runner:
        first = (await version(runner)())["id"]
        running_one = await runner.start({"a": 6}, model=NAME)
        await runner.reach(running_one["id"], {"processing"})
        save(path, f"{slow}22\n")
        await eventually(version(runner), lambda shown: shown["id"] != first, 60)
        assert (await runner.run({"a": 0}, model=NAME))["output"] == 22
        assert (await runner.reach(running_one["id"], {"succeeded"}, 60))["output"] == 1
