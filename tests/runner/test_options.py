"""What the command lines take for models of your own."""

import asyncio
import json
import sys
from pathlib import Path

import pytest

from mutoscope.core.errors import ConfigurationError
from mutoscope.runner.admission import webhook_secret
from mutoscope.runner.config import RunnerConfig
from mutoscope.runner.options import predictors, upstreams
from tests.runner.harness import process
from tests.servers.processes import free_ports

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


async def started(tmp_path: Path, module: list[str], *options: str) -> tuple[int | None, str, str]:
    """How a runner ends that cannot start."""
    pipe = asyncio.subprocess.PIPE
    command = ["-m", *module, "--state", str(tmp_path / "state"), "--port", "0", *options]
    child = await asyncio.create_subprocess_exec(sys.executable, *command, stdout=pipe, stderr=pipe)
    try:
        async with asyncio.timeout(60):
            out, err = await child.communicate()
    finally:
        if child.returncode is None:  # it has started after all
            child.kill()
            await child.wait()
    return child.returncode, out.decode(), err.decode()


@pytest.mark.parametrize("module", [["mutoscope", "runner"], ["mutoscope.runner"]], ids=" ".join)
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"prot": 1}', ["'prot'", "host", "port", "cold_start_s"]),
        ('{"retention_s": -1}', ["'retention_s'", "greater than 0"]),
        ('{"create_limit": {"per_hour": 1}}', ["'create_limit.per_minute'"]),
        ("{", ["config.json", "JSON"]),
        ("[]", ["config.json", "JSON object"]),
    ],
)
async def test_a_configuration_that_cannot_be_is_refused_in_one_line(
    tmp_path: Path, module: list[str], text: str, words: list[str]
) -> None:
    (tmp_path / "config.json").write_text(text)
    status, out, err = await started(tmp_path, module, "--config", str(tmp_path / "config.json"))
    assert (status != 0, out, len(err.splitlines())) == (True, "", 1)
    assert [word for word in words if word not in err] == []


@pytest.mark.parametrize("module", [["mutoscope", "runner"], ["mutoscope.runner"]], ids=" ".join)
async def test_two_models_of_one_name_stop_the_start_in_one_line(tmp_path: Path, module: list[str]) -> None:
    for options in (
        ("--model", f"a={POET}:Poet", "--cog", "local/a=http://127.0.0.1:9"),
        ("--cog", "a=http://127.0.0.1:9", "--cog-command", f"a={POET}:Poet"),
        ("--model", f"mutoscope/echo={POET}:Poet"),
    ):
        status, out, err = await started(tmp_path, module, *options)
        assert (status != 0, out, len(err.splitlines())) == (True, "", 1)
        assert "two models of the name" in err


@pytest.mark.parametrize("module", [["mutoscope", "runner"], ["mutoscope.runner"]], ids=" ".join)
async def test_a_name_that_nobody_could_ask_for_stops_the_start_in_one_line(tmp_path: Path, module: list[str]) -> None:
    for option, given, name in (
        ("--model", f"a b={POET}:Poet", "local/a b"),
        ("--model", str(tmp_path / "a b.py"), "local/a b"),
        ("--cog", "a/b/c=http://127.0.0.1:9", "a/b/c"),
    ):
        status, out, err = await started(tmp_path, module, option, given)
        assert (status != 0, out, len(err.splitlines())) == (True, "", 1)
        assert f"a model of the name {name!r}" in err


@pytest.mark.parametrize("module", [["mutoscope", "runner"], ["mutoscope.runner"]], ids=" ".join)
async def test_workers_of_a_model_that_is_not_there_stop_the_start_in_one_line(
    tmp_path: Path, module: list[str]
) -> None:
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"models": ["mutoscope/echo"], "workers": {"mutoscope/echo": 1, "local/none": 1}}))
    status, out, err = await started(tmp_path, module, "--config", str(file))
    assert (status != 0, out, len(err.splitlines())) == (True, "", 1)
    assert "'local/none'" in err
    assert "mutoscope/echo" in err


@pytest.mark.parametrize("module", [["mutoscope", "runner"], ["mutoscope.runner"]], ids=" ".join)
async def test_a_secret_that_can_sign_nothing_stops_the_start_in_one_line(tmp_path: Path, module: list[str]) -> None:
    file, kept = tmp_path / "config.json", tmp_path / "state" / "webhook_secret"
    file.write_text(json.dumps({"webhook_secret": "foo"}))
    for options in (("--webhook-secret", "foo"), ("--config", str(file))):
        status, out, err = await started(tmp_path, module, *options)
        assert (status != 0, out, len(err.splitlines())) == (True, "", 1)
        assert "must be 'whsec_' followed by base64" in err
    kept.write_text("foo")
    status, out, err = await started(tmp_path, module)
    assert (status != 0, out, len(err.splitlines())) == (True, "", 1)
    assert str(kept) in err


@pytest.mark.parametrize("secret", ["foo", "", "whsec_", "whsec_!", "aGVsbG8="])
def test_only_what_replicate_would_give_is_a_secret(tmp_path: Path, secret: str) -> None:
    with pytest.raises(ConfigurationError, match="secret"):
        webhook_secret(RunnerConfig(state_dir=tmp_path, webhook_secret=secret))


async def test_the_file_says_where_to_listen_and_the_command_line_wins(tmp_path: Path) -> None:
    file, other = tmp_path / "config.json", free_ports(1)[0]
    (port,) = free_ports(1)
    file.write_text(json.dumps({"host": "127.0.0.2", "port": port, "state_dir": str(tmp_path / "here")}))
    for options, url in (((), f"http://127.0.0.2:{port}"), (("--port", str(other)), f"http://127.0.0.2:{other}")):
        command = ["-m", "mutoscope", "runner", "--config", str(file), *options]
        pipe = asyncio.subprocess.PIPE
        child = await asyncio.create_subprocess_exec(sys.executable, *command, stdout=pipe, cwd=tmp_path)
        assert child.stdout
        try:
            async with asyncio.timeout(60):
                assert json.loads(await child.stdout.readline())["url"] == url
        finally:
            child.terminate()
            await child.wait()
    assert (tmp_path / "here").is_dir()
    assert not (tmp_path / ".mutoscope").exists()


async def test_the_long_command_line_offers_the_same(tmp_path: Path) -> None:
    """``mutoscope runner`` with a model that cannot be loaded says so in one line."""
    path = tmp_path / "predict.py"
    path.write_text("x = 1")
    status, out, err = await started(tmp_path, ["mutoscope", "runner"], "--model", f"bad={path}")
    assert (status, out) == (1, "")
    assert err.startswith("mutoscope: ")
    assert "has no Predictor" in err
