"""kill -9 at every numbered point, for every outcome that passes it, on both databases.

After each: the service is started again, the client asks again with its key, and the generation must end as it should,
its hold settle exactly once, and no prediction be bought that is not explained by a doubt on record.
"""

import re
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from mutoscope.bootstrap import Runtime, open_runtime
from mutoscope.core.killpoints import POINTS
from mutoscope.core.settings import Settings
from mutoscope.generations.models import Attempt
from mutoscope.uploads.service import Description
from tests.crash.victim import Order, carry_out, run_until_killed
from tests.storage.streams import stream
from tests.world import AUTH, PRICE, RunnerProcess, World, grant, runner_process, settings_for, world


def both(*commits: str) -> list[str]:
    return [f"{name}.{side}_commit" for name in commits for side in ("before", "after")]


# Outcome: how the runner misbehaves, what is asked, how it ends, how many predictions are bought, and where it is
# killed.
OUTCOMES: dict[str, dict[str, Any]] = {
    "succeeded": {
        "inputs": {"seconds": 0.6},
        "ends": ("completed", None),
        "points": [
            *both("accept", "admit", "claim", "intent", "bind", "look_later", "observed", "stored", "settle"),
            "create.after_call",
            "get.after_call",
            "put.before_call",
            "put.after_call",
        ],
    },
    "failed": {
        "inputs": {"fail": "index out of range"},
        "ends": ("failed", "provider_failed"),
        "points": both("fail", "settle"),
    },
    "preempted": {
        "faults": {"preempt": True},
        "ends": ("completed", None),
        "predictions": 2,
        "points": both("retry", "intent", "settle"),
    },
    "canceled": {
        "inputs": {"seconds": 60},
        "cancel": True,
        "ends": ("canceled", "canceled_by_user"),
        "points": ["cancel.after_call", *both("fail", "settle")],
    },
    "answer lost": {
        "faults": {"accept_then_drop": True},
        "ends": ("completed", None),
        "points": both("doubt", "bind", "settle"),
    },
    "not accepted": {
        "faults": {"refuse_then_drop": True},
        "ends": ("completed", None),
        "points": both("doubt", "doubt_wait", "abandon"),
    },
    "with a file": {
        "file_bytes": 300_000,
        "inputs": {"seconds": 0.3},
        "ends": ("completed", None),
        "points": [*both("file_claim", "intent", "bind"), "send_file.after_call", "create.after_call"],
    },
    "with a file, answer lost": {
        "file_bytes": 300_000,
        "faults": {"accept_then_drop": True},
        "ends": ("completed", None),
        "points": both("doubt"),
    },
    "throttled": {
        "faults": {"create_429": 0.2},
        "ends": ("completed", None),
        "points": both("throttle"),
    },
}
CASES = [(outcome, point) for outcome, case in OUTCOMES.items() for point in case["points"]]


@pytest.fixture(scope="session")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunnerProcess]:
    with runner_process(tmp_path_factory.mktemp("crash-runner")) as server:
        yield server


@pytest.fixture
async def values(database_url: str, tmp_path: Path, runner: RunnerProcess) -> dict[str, Any]:
    settings = settings_for(database_url, tmp_path, runner, doubt_window_s=1, engine={"lease_s": 1, "sweep_s": 0.1})
    return settings.model_dump()


@pytest.mark.slow
@pytest.mark.parametrize(("outcome", "point"), CASES, ids=[f"{outcome}-{point}" for outcome, point in CASES])
async def test_killed_at(outcome: str, point: str, values: dict[str, Any], runner: RunnerProcess) -> None:
    case = OUTCOMES[outcome]
    order = Order(f"{outcome} {point} {values['database_url']}", case.get("inputs", {}), case.get("cancel", False))
    plan = [{"do": case["faults"], "when": {"model": "mutoscope/echo"}, "count": 1}] if "faults" in case else []
    runner.plan(*plan)
    settings = Settings.model_validate(values)
    async with open_runtime(settings) as runtime:
        account = await runtime.accounts.create("user-1")
        await grant(runtime, account.id, 100)
        if "file_bytes" in case:
            order = await _with_file(runtime, account.id, order, case["file_bytes"])

    assert run_until_killed(values, account.id, order, point) == -9, "the point was never passed"

    async with world(settings, runner, credits=100) as after:
        row = await carry_out(after.runtime, account.id, order)
        assert (row.status, row.failure_code) == case["ends"]
        charged = PRICE if row.status == "completed" else 0
        assert await after.balance() == (100 - charged, 0, charged)
        said = order.text
        if "file_bytes" in case:
            (copy,) = _copies(runner, order.text)  # one whose answer was lost is found again, not sent again
            said = copy["urls"]["get"]
        bought = len(runner.predictions(said))
        assert bought <= case.get("predictions", 1) + await _doubts(after)
        assert bought == case.get("predictions", 1), "every lost answer can be found again in the provider's list"
        assert await after.audit() == []


async def _with_file(runtime: Runtime, account_id: str, order: Order, size: int) -> Order:
    """The same order with an uploaded file in the place of its text."""

    async def describe() -> Description:
        return Description("a.bin")

    made = await runtime.uploads.create(account_id, stream(bytes(size)), describe)
    return replace(order, text=made.id)


def _copies(runner: RunnerProcess, file_id: str) -> list[Any]:
    listed = httpx.get(f"{runner.url}/v1/files", headers=AUTH).raise_for_status().json()["results"]
    return [one for one in listed if file_id in str(one["metadata"])]


async def _doubts(here: World) -> int:
    async with here.runtime.database.read() as session:
        return await session.scalar(select(func.count()).where(Attempt.state == "abandoned")) or 0


def test_every_point_in_the_code_is_numbered() -> None:
    source = "\n".join(path.read_text() for path in Path("src/mutoscope").rglob("*.py"))
    commits = re.findall(r"commit\(\"(\w+)\"\)|stay\(row, \"(\w+)\"", source)
    reached = {f"{a or b}.{side}_commit" for a, b in commits for side in ("before", "after")}
    reached |= set(re.findall(r"reach\(\"([\w.]+)\"\)", source))
    assert reached == set(POINTS)
