"""The whole pipeline with Inngest as its engine: the stand-in speaks the server's protocol, all else is real."""

from mutoscope.core.settings import Settings
from tests.inngest.standin import Run, StandIn
from tests.world import RunnerProcess, until, world


def money_steps(run: Run) -> list[str]:
    """What it did, without the waiting."""
    return [one for one in run.done if not one.startswith(("wait-", "await-"))]


async def completed(run: Run) -> bool:
    return run.status == "completed"


async def test_a_paid_generation(settings: Settings, runner: RunnerProcess, server: StandIn) -> None:
    async with world(settings, runner) as here:
        row = await here.finish(await here.make("hello"))
        assert row.status == "completed"
        assert await here.balance() == (997, 0, 3)
        assert await here.audit() == []
        (run,) = server.runs_of("generation", row.id)
        await until(lambda: completed(run))
        assert money_steps(run) == ["submit", "store", "settle"]
