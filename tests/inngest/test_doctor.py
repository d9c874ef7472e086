"""What doctor says of Inngest: it answers and knows us, or what to do."""

from collections.abc import Sequence

from mutoscope.cli.checks import engine
from mutoscope.cli.results import Result
from mutoscope.core.settings import Settings
from tests.inngest.standin import StandIn
from tests.world import RunnerProcess, World, world


async def asked(here: World) -> Sequence[Result]:
    """The check, with the address that this service really has."""
    return await engine(
        here.runtime.settings.model_copy(update={"inngest_serve_origin": here.runtime.settings.public_url})
    )


async def test_a_server_that_knows_us(settings: Settings, runner: RunnerProcess, server: StandIn) -> None:
    async with world(settings, runner, webhooks=True) as here:
        assert [one.state for one in await asked(here)] == ["ok", "ok"]
        assert server.functions


async def test_a_server_that_is_down(settings: Settings, runner: RunnerProcess, server: StandIn) -> None:
    async with world(settings, runner, webhooks=True) as here:
        server.down = True
        found = await asked(here)
        assert [one.state for one in found] == ["failed", "failed"]
        assert all(one.todo for one in found)


async def test_a_service_that_is_not_there(settings: Settings) -> None:
    gone = settings.model_copy(update={"inngest_serve_origin": "http://127.0.0.1:9"})
    server, sync = await engine(gone)
    assert (server.state, sync.state) == ("ok", "failed")
    assert "mutoscope serve" in sync.todo


async def test_no_address(settings: Settings) -> None:
    _, sync = await engine(settings)
    assert (sync.state, sync.todo[:24]) == ("advice", "Set INNGEST_SERVE_ORIGIN")


async def test_the_embedded_engine_needs_nothing(settings: Settings) -> None:
    kind = settings.engine.model_copy(update={"kind": "embedded"})
    (found,) = await engine(settings.model_copy(update={"engine": kind}))
    assert found.state == "ok"
