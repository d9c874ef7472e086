"""kill -9 while an input file is on its way: it is sent once all the same, and no second prediction is bought."""

from collections.abc import Generator
from pathlib import Path
from typing import Any

import httpx
import pytest

from mutoscope.bootstrap import Runtime, open_runtime
from mutoscope.uploads.service import Description
from tests.crash.outcomes import FILE_POINTS, both
from tests.crash.victim import Order, at_work, carry_out, run_until_killed
from tests.storage.streams import stream
from tests.world import AUTH, PRICE, RunnerProcess, World, driven_by, grant, runner_process, settings_for

SENT = [*FILE_POINTS, *both("intent", "bind"), "create.after_call"]
CASES = [*((point, {}) for point in SENT), *((point, {"accept_then_drop": True}) for point in both("doubt"))]


@pytest.fixture(scope="session")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunnerProcess]:
    with runner_process(tmp_path_factory.mktemp("crash-files-runner")) as server:
        yield server


@pytest.mark.slow
@pytest.mark.parametrize(("point", "fault"), CASES)
async def test_killed_at(
    point: str,
    fault: dict[str, Any],
    database_url: str,
    tmp_path: Path,
    runner: RunnerProcess,
    inngest_url: str | None,
) -> None:
    engine = {"lease_s": 1, "sweep_s": 0.1}
    settings = driven_by(inngest_url, settings_for(database_url, tmp_path, runner, doubt_window_s=1, engine=engine))
    runner.plan({"do": fault, "when": {"model": "mutoscope/echo"}, "count": 1} if fault else {"do": {}, "count": 1})
    async with open_runtime(settings) as runtime:
        account = await runtime.accounts.create("user-1")
        await grant(runtime, account.id, 100)
        order = Order(await _upload(runtime, account.id), {"seconds": 0.3})

    assert run_until_killed(settings.model_copy(update={"kill_at": point}), account.id, order) == -9

    async with at_work(settings) as runtime:
        row = await carry_out(runtime, account.id, order)
        here = World(runtime, runner, account.id)
        assert (row.status, row.failure_code) == ("completed", None)
        assert await here.balance() == (100 - PRICE, 0, PRICE)
        (copy,) = _copies(runner, order.text)  # one whose answer was lost is found again, not sent again
        assert len(runner.predictions(copy["urls"]["get"])) == 1
        assert await here.audit() == []


async def _upload(runtime: Runtime, account_id: str) -> str:
    async def describe() -> Description:
        return Description("a.bin")

    return (await runtime.uploads.create(account_id, stream(bytes(300_000)), describe)).id


def _copies(runner: RunnerProcess, file_id: str) -> list[Any]:
    listed = httpx.get(f"{runner.url}/v1/files", headers=AUTH).raise_for_status().json()["results"]
    return [one for one in listed if file_id in str(one["metadata"])]
