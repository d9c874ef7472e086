"""The public URL is proved or the failing step is named: name, connection, certificate, redirect, and who answers."""

import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from mutoscope.cli import public_url
from mutoscope.core.ids import new_secret
from mutoscope.core.settings import Settings
from tests.api.service import Service, service
from tests.providers.servers import ScriptedServer, answer, scripted_server
from tests.servers.tls import Tls
from tests.world import RunnerProcess, runner_process, settings_for


@pytest.fixture(scope="session")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with runner_process(tmp_path_factory.mktemp("runner")) as one:
        yield one


@pytest.fixture
def settings(database_url: str, tmp_path: Path, runner: RunnerProcess) -> Settings:
    return settings_for(database_url, tmp_path, runner, secret=new_secret())


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with scripted_server() as one:
        yield one


@pytest.fixture
async def here(settings: Settings, runner: RunnerProcess) -> AsyncIterator[Service]:
    async with service(settings, runner) as one:
        yield one


async def test_our_own_service_is_known(here: Service, settings: Settings) -> None:
    found = await public_url.check(settings, here.url)
    assert found.state == "ok", found


async def test_a_service_with_another_secret_is_another(here: Service, settings: Settings) -> None:
    other = Settings.model_validate(settings.model_dump() | {"secret": new_secret()})
    found = await public_url.check(other, here.url)
    assert (found.state, "MUTOSCOPE_SECRET" in found.todo) == ("failed", True)


async def test_a_proof_is_for_its_nonce_only(here: Service) -> None:
    async with httpx.AsyncClient(base_url=here.url) as http:
        given = {(await http.get(public_url.SELF_TEST, params={"nonce": "a" * n})).text for n in (16, 17, 18)}
        assert len(given) == 3
        for bad in ("short", "x" * 65, "with spaces in it and more"):
            assert (await http.get(public_url.SELF_TEST, params={"nonce": bad})).status_code == 422


@pytest.mark.parametrize(
    "said",
    [answer(404), answer(200, b"<html>hello</html>"), answer(200, {"proof": "0" * 64}), answer(200, {"proof": None}),
     answer(200, []), answer(502)],
)  # fmt: skip
async def test_somebody_else_is_not_us(settings: Settings, server: ScriptedServer, said: bytes) -> None:
    server.will(said)
    found = await public_url.check(settings, server.url)
    assert (found.state, "something else" in found.detail) == ("failed", True)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_named_and_not_followed(settings: Settings, server: ScriptedServer, status: int) -> None:
    server.will(answer(status, Location="https://www.us.example/"))
    found = await public_url.check(settings, server.url)
    assert (found.state, len(server.asked)) == ("failed", 1)
    assert "https://www.us.example/" in found.detail


async def test_nobody_there(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    found = await public_url.check(settings, f"http://127.0.0.1:{port}")
    assert (found.state, "mutoscope serve" in found.todo) == ("advice", True)


async def test_a_certificate_that_nobody_trusts(settings: Settings, tls: Tls) -> None:
    async with scripted_server(tls.server_context()) as server:
        server.will(answer(200, {}))
        found = await public_url.check(settings, server.url)
    assert (found.state, "certificate" in found.detail) == ("failed", True)


async def test_a_port_that_speaks_no_tls(here: Service, settings: Settings) -> None:
    found = await public_url.check(settings, here.url.replace("http://", "https://"))
    assert (found.state, "certificate" in found.detail) == ("failed", False)
    assert "no TLS" in found.detail
    assert "443" in found.todo


async def test_a_path_that_is_not_passed_on(here: Service, settings: Settings) -> None:
    found = await public_url.check(settings, f"{here.url}/elsewhere")
    assert (found.state, "404" in found.detail) == ("failed", True)
    assert "MUTOSCOPE_PUBLIC_URL" in found.todo
