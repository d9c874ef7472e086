"""The fixture that others use, in a pytest of its own, as they see it."""

import asyncio
import json
import sys
from pathlib import Path

SUITE = """
import json
import urllib.error
import urllib.request

import pytest


def create(runner):
    headers = {"authorization": f"Bearer {runner.token}", "content-type": "application/json", "prefer": "wait"}
    body = json.dumps({"version": "mutoscope/echo", "input": {"text": "hi"}}).encode()
    request = urllib.request.Request(f"{runner.api_url}/predictions", body, headers)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_a_prediction(replicate_runner):
    status, shown = create(replicate_runner)
    assert (status, shown["output"]) == (201, "hi")
    assert replicate_runner.stats()["creates"]["accepted"] == 1
    assert replicate_runner.environment["REPLICATE_BASE_URL"] == replicate_runner.url
    assert replicate_runner.webhook_secret.startswith("whsec_")


def test_faults(replicate_runner):
    replicate_runner.faults({"do": {"create_429": 7}, "count": 1})
    assert create(replicate_runner)[1]["retry_after"] == 7
    assert create(replicate_runner)[0] == 201
    replicate_runner.faults({"do": {"create_500": True}})


def test_faults_end_with_their_test_and_the_runner_stays(replicate_runner):
    assert create(replicate_runner)[0] == 201
    assert replicate_runner.stats()["creates"]["accepted"] == 3


@pytest.mark.replicate_runner(token="mine", create_limit={"per_minute": 1, "burst": 1})
def test_a_runner_of_its_own(replicate_runner):
    assert replicate_runner.token == "mine"
    assert [create(replicate_runner)[0] for _ in range(2)] == [201, 429]


@pytest.mark.replicate_runner(retention_s=-1)
def test_a_runner_that_cannot_be(replicate_runner):
    raise AssertionError
"""


async def test_the_fixture_in_somebody_elses_suite(tmp_path: Path) -> None:
    (tmp_path / "test_suite.py").write_text(SUITE)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--strict-markers", str(tmp_path)]
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(*command, cwd=tmp_path, stdout=pipe, stderr=asyncio.subprocess.STDOUT)
    text = (await child.communicate())[0].decode()
    assert "4 passed, 1 error" in text, text
    assert "RunnerNotStarted: The runner did not start: " in text
    assert "retention_s" in text


async def test_the_plugin_costs_nothing_until_it_is_used() -> None:
    code = "import json, sys, mutoscope.runner.pytest_plugin; print(json.dumps(sorted(sys.modules)))"
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE)
    loaded = set(json.loads((await child.communicate())[0]))
    assert not loaded & {"pydantic", "starlette", "uvicorn", "httpx", "sqlalchemy", "mutoscope.runner.testing"}
