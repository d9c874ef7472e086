"""A real Cog server behind the runner: what it can do, what it lacks, and what happens when it dies."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from mutoscope.core.errors import ConfigurationError
from mutoscope.replicate_protocol.schemas import input_properties
from mutoscope.runner.cogs.process import is_predictor
from tests.runner.cog import NAME, SLEEPER, alive, descendants, keepers, processes, servers, workers
from tests.runner.harness import Client, Json, Receiver, process, receiver, running, until
from tests.servers.processes import free_ports

pytest.importorskip("cog", reason="there is no cog here to test against: install the dev dependencies")

pytestmark = pytest.mark.slow


@pytest.fixture
async def runner(tmp_path: Path) -> AsyncIterator[Client]:
    async with running(tmp_path, models=["mutoscope/echo"], cog_commands={NAME: f"{SLEEPER}:Predictor"}) as client:
        yield client


async def start(runner: Client, **model_input: Any) -> Json:
    return await runner.start({"text": "x", **model_input}, model=NAME)


async def run(runner: Client, **model_input: Any) -> Json:
    return await runner.reach((await start(runner, **model_input))["id"], {"succeeded", "failed"}, 60)


async def test_a_cog_server_is_a_model_like_any_other(runner: Client) -> None:
    model = (await runner.http.get(f"/v1/models/{NAME}")).json()
    assert list(input_properties(model["latest_version"]["openapi_schema"])) == ["text", "seconds", "fail", "file"]
    uploaded = (await runner.http.post("/v1/files", files={"content": ("f.txt", b" and more")})).json()
    created = await start(runner, text="cog", file=uploaded["urls"]["get"])
    done = await runner.reach(created["id"], {"succeeded", "failed"}, 60)
    assert done["status"] == "succeeded", done
    assert (await runner.http.get(done["output"][0])).text == "cog and more"
    assert "writing cog" in done["logs"]
    assert done["input"]["file"] == uploaded["urls"]["get"]
    assert done["metrics"]["predict_time"] >= 0
    assert (await runner.create({"text": 1}, model=NAME)).status_code == 422
    assert (await run(runner, fail="bad luck"))["error"] == "ValueError: bad luck"


@pytest.mark.parametrize("link", ["get", "download"])
async def test_cog_reads_uploads_of_a_runner_that_wants_its_token(tmp_path: Path, link: str) -> None:
    commands = {NAME: f"{SLEEPER}:Predictor"}
    async with running(tmp_path, models=["mutoscope/echo"], cog_commands=commands, token="test") as runner:
        uploaded = (await runner.http.post("/v1/files", files={"content": ("f.txt", b" and more")})).json()
        done = await run(runner, text="cog", file=uploaded["urls"][link])
        assert done["status"] == "succeeded", done["error"]
        assert (await runner.http.get(done["output"][0])).text == "cog and more"


async def test_a_command_may_be_python_with_a_file(tmp_path: Path) -> None:
    script = tmp_path / "serve.py"
    words = ["cog.server.http", "--host", "127.0.0.1"]
    lines = [
        "import os, runpy, sys",
        f"os.chdir({str(SLEEPER.parent)!r})",
        "os.environ['COG_PREDICT_TYPE_STUB'] = 'sleeper.py:Predictor'",
        f"sys.argv = {words}",
        "runpy.run_module(sys.argv[0], run_name='__main__', alter_sys=True)",
    ]
    script.write_text("\n".join(lines))
    async with running(tmp_path, models=["mutoscope/echo"], cog_commands={NAME: f"python {script}"}) as runner:
        assert (await run(runner))["status"] == "succeeded"


@pytest.mark.parametrize("command", [" ", "A=1", "python 'serve.py"])
async def test_what_is_no_command_stops_the_start(tmp_path: Path, command: str) -> None:
    with pytest.raises(ConfigurationError, match="command"):
        async with running(tmp_path, models=["mutoscope/echo"], cog_commands={NAME: command}):
            pytest.fail("it must not start")


def test_a_predictor_is_told_from_a_command(tmp_path: Path) -> None:
    (tmp_path / "my predict.py").touch()
    for reference in ("predict.py", "a/predict.py:Cat", f"{tmp_path}/my predict.py", f"{tmp_path}/my predict.py:Cat"):
        assert is_predictor(reference)
    for command in ("python serve.py", "./serve", "A=1 python a:b serve.py", "python serve.py:X --port 1"):
        assert not is_predictor(command)


async def test_what_cog_lacks_a_queue_a_list_a_deadline_a_cancel_and_signed_webhooks(runner: Client) -> None:
    async with receiver(runner.secret) as hook:
        first = await runner.start({"text": "1", "seconds": 600}, model=NAME, webhook=hook.url)
        await runner.reach(first["id"], {"processing"})
        waits = await runner.start({"text": "2"}, model=NAME, headers={"Cancel-After": "5s"})
        third = await start(runner, text="3")
        listed = (await runner.http.get("/v1/predictions")).json()["results"]
        assert [one["id"] for one in listed] == [third["id"], waits["id"], first["id"]]
        await runner.reach(waits["id"], {"aborted"})
        await runner.http.post(f"/v1/predictions/{first['id']}/cancel")
        done = await runner.reach(third["id"], {"succeeded"}, 60)
        assert (await runner.http.get(done["output"][0])).text == "3"
        await ends_with(hook, "canceled")


async def ends_with(hook: Receiver, status: str) -> None:
    await until(lambda: status in hook.statuses())
    assert not hook.bad


async def test_ten_at_once_are_all_done_though_cog_takes_one(runner: Client) -> None:
    done = await asyncio.gather(*(run(runner, text=str(index), seconds=0.05) for index in range(10)))
    texts = [(await runner.http.get(one["output"][0])).text for one in done]
    assert texts == [str(index) for index in range(10)]


async def test_a_killed_worker_fails_what_ran_and_the_next_finds_a_new_one(runner: Client) -> None:
    busy = await start(runner, seconds=600)
    waits = await start(runner, text="next")
    await runner.reach(busy["id"], {"processing"})
    (worker,) = workers()
    os.kill(worker, signal.SIGKILL)
    failed = await runner.reach(busy["id"], {"failed"})
    assert "please retry (code: PA)" in failed["error"]
    done = await runner.reach(waits["id"], {"succeeded", "failed"}, 60)
    assert done["status"] == "succeeded", done
    assert workers() not in ([], [worker])


async def test_a_worker_that_dies_while_idle_is_replaced_and_nothing_fails(runner: Client) -> None:
    assert (await run(runner))["status"] == "succeeded"
    (worker,) = workers()
    os.kill(worker, signal.SIGKILL)
    done = await run(runner, text="again")
    assert done["status"] == "succeeded", done


async def test_a_killed_server_fails_what_ran_and_the_next_finds_a_new_one(runner: Client) -> None:
    busy = await start(runner, seconds=600)
    await runner.reach(busy["id"], {"processing"})
    (server,) = servers()
    os.kill(server, signal.SIGKILL)
    assert "please retry (code: PA)" in (await runner.reach(busy["id"], {"failed"}))["error"]
    assert (await run(runner))["status"] == "succeeded"


async def test_nothing_of_it_outlives_the_runner(tmp_path: Path) -> None:
    async with running(tmp_path, models=["mutoscope/echo"], cog_commands={NAME: f"{SLEEPER}:Predictor"}):
        assert workers()
    await until(lambda: not workers() and not processes("cog.server.http"))


async def test_nothing_of_it_outlives_its_keeper_or_then_the_runner(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"models": ["mutoscope/echo"]}')
    options = ("--config", str(tmp_path / "config.json"), "--cog-command", f"{NAME}={SLEEPER}:Predictor")
    async with process(tmp_path / "state", *options) as (runner, child):
        await runner.reach((await start(runner, seconds=600))["id"], {"processing"})
        started = descendants(child.pid)
        (keeper,) = keepers()
        try:
            os.kill(keeper, signal.SIGKILL)
            await until(lambda: not alive(started), 30)
            assert (await run(runner))["status"] == "succeeded", "there is another"
            started = descendants(child.pid)
            child.kill()
            await until(lambda: not alive(started), 30)
        finally:
            for pid in alive(started):
                os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
async def test_nothing_of_it_outlives_a_signal_to_the_whole_group(tmp_path: Path, number: signal.Signals) -> None:
    """As when a terminal is closed, or Ctrl-C is pressed in it, while a prediction runs."""
    (tmp_path / "config.json").write_text('{"models": ["mutoscope/echo"]}')
    options = ("--config", str(tmp_path / "config.json"), "--cog-command", f"{NAME}={SLEEPER}:Predictor")
    async with process(tmp_path / "state", *options) as (runner, child):
        await runner.reach((await start(runner, seconds=600))["id"], {"processing"})
        started = descendants(child.pid)
        try:
            assert set(workers()) <= set(started)
            os.killpg(child.pid, number)
            await until(lambda: not alive(started), 30)
        finally:
            for pid in alive(started):
                os.kill(pid, signal.SIGKILL)


async def test_a_server_that_somebody_else_runs_is_not_restarted_but_its_death_is_told(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    variables = {**os.environ, "PATH": path, "PORT": str(port), "COG_PREDICT_TYPE_STUB": f"{SLEEPER.name}:Predictor"}
    command = [sys.executable, "-m", "cog.server.http", "--host", "127.0.0.1"]
    null = asyncio.subprocess.DEVNULL
    child = await asyncio.create_subprocess_exec(*command, cwd=SLEEPER.parent, env=variables, stdout=null, stderr=null)
    try:
        cogs = {NAME: f"http://127.0.0.1:{port}"}
        async with running(tmp_path, models=["mutoscope/echo"], cogs=cogs) as runner:
            everything: Json = {"seconds": 0, "fail": None, "file": None}
            done = await run(runner, **everything)
            assert (await runner.http.get(done["output"][0])).text == "x"
            busy = await start(runner, **{**everything, "seconds": 600})
            await runner.reach(busy["id"], {"processing"})
            os.kill(workers()[0], signal.SIGKILL)
            assert "please retry" in (await runner.reach(busy["id"], {"failed"}))["error"]
            failed = await run(runner, **everything)
            assert f"127.0.0.1:{port} is UNHEALTHY: it does not recover by itself" in failed["error"]
    finally:
        child.kill()
        await child.wait()


@pytest.mark.parametrize("command", ["false", "/none/cog"])
async def test_a_command_that_serves_nothing_stops_the_start(tmp_path: Path, command: str) -> None:
    with pytest.raises(ConfigurationError, match="local/sleeper cannot be offered"):
        async with running(tmp_path, models=["mutoscope/echo"], cog_commands={NAME: command}):
            pytest.fail("it must not start")
