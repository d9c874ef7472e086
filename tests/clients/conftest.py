"""Who the clients talk to, and the clients: each command of one runs in a process of its own."""

import asyncio
import json
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mutoscope.db.migrate import upgrade
from tests.api.service import service
from tests.clients.node import HERE, install
from tests.runner.harness import Client, running
from tests.world import RunnerProcess, settings_for

Json = dict[str, Any]
ECHO = Path(__file__).parents[1] / "runner" / "predictors" / "echo.py"
_TIMEOUT_S = 120


@dataclass(frozen=True)
class Target:
    """A server that speaks Replicate's API: ``base_url`` is what stands before ``/v1``.

    ``owner`` is whose models are trained into. Clients make them there, and deployments too, unless only the operator
    may: then ``operator`` is a client of the provider's.
    """

    base_url: str
    token: str
    owner: str
    operator: Client | None = None


@dataclass(frozen=True)
class OfficialClient:
    """One of Replicate's own clients."""

    name: str
    command: tuple[str, ...]
    target: Target

    async def call(self, command: str, **arguments: Any) -> Json:
        """Run one command of ``python_client.py`` or ``js/client.js``; fails with what it wrote."""
        environment = {"REPLICATE_BASE_URL": self.target.base_url, "REPLICATE_API_TOKEN": self.target.token}
        pipe = asyncio.subprocess.PIPE
        child = await asyncio.create_subprocess_exec(
            *self.command, command, stdin=pipe, stdout=pipe, stderr=pipe, env=environment
        )
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                out, err = await child.communicate(json.dumps(arguments).encode())
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()
        assert child.returncode == 0, err.decode()
        return json.loads(out)


@pytest.fixture(params=["runner", "front door", "Cog"])
async def target(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Target]:
    """Each server that the clients must work with, unmodified; the last is a runner whose echo is a Cog server."""
    options = with_cog() if request.param == "Cog" else {}
    async with running(tmp_path / "runner", token="secret", **options) as runner:
        runner.http.headers["authorization"] = "Bearer secret"
        if request.param != "front door":
            yield Target(runner.url, "secret", "local")
            return
        async with front_door(tmp_path, runner) as target:
            yield target


def with_cog() -> Json:
    """Options of a runner that offers the same models, but has a real Cog server echo."""
    pytest.importorskip("cog", reason="there is no cog here to test against: install the dev dependencies")
    return {
        "models": ["mutoscope/scribe", "mutoscope/upscale"],
        "cog_commands": {"mutoscope/echo": f"{ECHO}:Predictor"},
    }


@asynccontextmanager
async def front_door(tmp_path: Path, runner: Client) -> AsyncGenerator[Target]:
    """A service before that runner, which has a default price for every model, and a price for one training."""
    url = f"sqlite+aiosqlite:///{tmp_path / 'mutoscope.db'}"
    await upgrade(url)
    behind = RunnerProcess(runner.url, runner.secret)
    scribe = (await runner.http.get("/v1/models/mutoscope/scribe")).raise_for_status().json()
    reference = f"mutoscope/scribe:{scribe['latest_version']['id']}"
    models = {"tune": {"reference": reference, "kind": "training", "price": {"per_run": 5}}}
    more = {"replicate_api_token": "secret", "models": models, "default_model": {"price": {"per_run": 1}}}
    settings = settings_for(url, tmp_path, behind, **more)
    async with service(settings, behind, webhooks=True) as here, here.person("ann") as ann:
        base_url = f"{here.url}/replicate"
        yield Target(base_url, ann.key, "local", operator=runner)


@pytest.fixture
def python(target: Target) -> OfficialClient:
    """PyPI ``replicate`` 1.0.7."""
    script = Path(__file__).parent / "python_client.py"
    return OfficialClient("python", (sys.executable, "-X", "faulthandler", str(script)), target)


@pytest.fixture
def javascript(target: Target) -> OfficialClient:
    """npm ``replicate``."""
    return OfficialClient("javascript", (install().node, str(HERE / "client.js")), target)


@pytest.fixture(params=["python", "javascript"])
def client(request: pytest.FixtureRequest, target: Target) -> OfficialClient:
    """Each of the two."""
    one: OfficialClient = request.getfixturevalue(request.param)
    assert one.target is target
    return one
