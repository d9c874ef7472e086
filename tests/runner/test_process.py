import asyncio
import json
import signal
import sys
from pathlib import Path

from mutoscope.replicate_protocol.webhooks import new_webhook_secret
from tests.runner.harness import process


async def test_the_command_line_sets_what_it_says_and_a_signal_ends_it(tmp_path: Path) -> None:
    secret = new_webhook_secret()
    (tmp_path / "plan.json").write_text(json.dumps({"rules": [{"do": {"create_503": True}, "count": 1}]}))
    (tmp_path / "config.json").write_text(json.dumps({"models": ["mutoscope/echo"], "token": "overridden"}))
    files = ["--fault-plan", str(tmp_path / "plan.json"), "--config", str(tmp_path / "config.json")]
    async with process(tmp_path / "state", "--token", "right", "--webhook-secret", secret, *files) as (runner, child):
        assert runner.url.startswith("http://127.0.0.1:")
        assert runner.secret == secret
        assert (await runner.http.get("/v1/account")).status_code == 401
        runner.http.headers["authorization"] = "Bearer right"
        assert len((await runner.http.get("/v1/models")).json()["results"]) == 1
        assert [(await runner.create()).status_code for _ in range(2)] == [503, 201]
        child.send_signal(signal.SIGTERM)
        async with asyncio.timeout(10):
            await child.wait()


async def test_what_cannot_be_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"models": ["mutoscope/none"]}))
    (tmp_path / "plan.json").write_text("{")
    for option, word in (("--config", "mutoscope/none"), ("--fault-plan", "fault plan")):
        path = tmp_path / f"{'config' if option == '--config' else 'plan'}.json"
        command = [sys.executable, "-m", "mutoscope.runner", "--state", str(tmp_path / "state"), option, str(path)]
        pipe = asyncio.subprocess.PIPE
        child = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe)
        out, err = await child.communicate()
        assert child.returncode == 2
        assert out == b""
        assert err.startswith(b"mutoscope runner: ")
        assert word in err.decode()
        assert len(err.splitlines()) == 1
