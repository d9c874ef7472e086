"""kill -9 at every numbered point, for every outcome that passes it, on both databases.

After each: the service is started again, the client asks again with its key, and the generation must end as it should,
its hold settle exactly once, and no prediction be bought that is not explained by a doubt on record.
"""

import json
import re
import socket
from collections.abc import Generator, Sequence
from pathlib import Path

import pytest
from sqlalchemy import func, select

from mutoscope.bootstrap import Runtime, open_runtime
from mutoscope.core.killpoints import POINTS
from mutoscope.core.settings import Settings
from mutoscope.generations import attempts
from mutoscope.generations.models import Attempt, Generation
from mutoscope.ledger.models import CreditTransfer
from tests.crash.outcomes import CASES, FILE_POINTS, OF_WEBHOOKS, OUTCOMES, STREAM_POINTS, Outcome
from tests.crash.victim import Order, at_work, carry_out, run_until_killed
from tests.world import PRICE, RunnerProcess, World, driven_by, grant, runner_process, settings_for, until

ENDED = {"succeeded", "failed", "canceled", "aborted"}


@pytest.fixture(scope="session")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunnerProcess]:
    with runner_process(tmp_path_factory.mktemp("crash-runner")) as server:
        yield server


@pytest.fixture(scope="session")
def poor_runner(tmp_path_factory: pytest.TempPathFactory, runner: RunnerProcess) -> Generator[RunnerProcess]:
    """One that no longer has the model which our catalog still knows."""
    directory = tmp_path_factory.mktemp("poor-runner")
    config = directory / "config.json"
    config.write_text(json.dumps({"models": ["mutoscope/painter"], "webhook_secret": runner.secret}))
    with runner_process(directory, "--config", str(config)) as server:
        yield server


@pytest.fixture
def closed_port() -> Generator[str]:
    """An address that nobody listens at, and nobody else can take meanwhile."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture
def settings(database_url: str, tmp_path: Path, runner: RunnerProcess, inngest_url: str | None) -> Settings:
    engine = {"lease_s": 1, "sweep_s": 0.1}
    return driven_by(inngest_url, settings_for(database_url, tmp_path, runner, doubt_window_s=1, engine=engine))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "point"), CASES, ids=[f"{name}-{point}" for name, point in CASES])
async def test_killed_at(
    name: str, point: str, settings: Settings, runner: RunnerProcess, request: pytest.FixtureRequest
) -> None:
    outcome = OUTCOMES[name]
    order = Order(f"{name} {point} {settings.database}", outcome.inputs, outcome.cancel)
    _plan(runner, outcome, order)
    account_id = await _open_account(settings)
    first, then = _lives(outcome, settings, request)

    assert run_until_killed(first.model_copy(update={"kill_at": point}), account_id, order) == -9

    async with at_work(then) as runtime:
        row = await carry_out(runtime, account_id, order)
        here = World(runtime, runner, account_id)
        assert (row.status, row.failure_code) == outcome.ends
        charged = PRICE if row.status == "completed" else 0
        assert await here.balance() == (100 - charged, 0, charged)
        assert await _settlements(here, row) == 1
        tried = await until(lambda: _all_ended(runtime, row))
        runner.plan()  # the list is whole again
        bought = runner.predictions(order.text)
        assert {one["status"] for one in bought} <= ENDED
        assert {one["id"] for one in bought} == {one.prediction_id for one in tried if one.prediction_id}
        doubts = sum(one.doubted_at is not None for one in tried)
        assert len(bought) <= 1 + row.retries + doubts, "a second prediction was bought without a doubt on record"
        assert len(bought) == outcome.predictions
        assert await here.audit() == []


def _plan(runner: RunnerProcess, outcome: Outcome, order: Order) -> None:
    whens = [{"input": order.text, "nth": number} for number in range(1, len(outcome.faults) + 1)]
    runner.plan(*({"do": do, "when": when} for do, when in zip(outcome.faults, whens, strict=True)))


async def _open_account(settings: Settings) -> str:
    """An account with credits; and the catalog has seen the model's schema."""
    async with open_runtime(settings) as runtime:
        account = await runtime.accounts.create("user-1")
        await grant(runtime, account.id, 100)
        await runtime.catalog.schema("echo")
    return account.id


def _lives(outcome: Outcome, settings: Settings, request: pytest.FixtureRequest) -> tuple[Settings, Settings]:
    """The settings of the process that is killed, and of the one after it."""
    settings = settings.model_copy(update={"doubt_window_s": outcome.doubt_window_s})
    if outcome.told:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{free.getsockname()[1]}"
        settings = settings.model_copy(update={"public_url": url})
    match outcome.provider:
        case "runner":
            return settings, settings
        case "closed port at first":
            closed: str = request.getfixturevalue("closed_port")
            return settings.model_copy(update={"replicate_base_url": closed}), settings
        case "without the model":
            poor: RunnerProcess = request.getfixturevalue("poor_runner")
            settings = settings.model_copy(update={"replicate_base_url": poor.url})
            return settings, settings


async def _settlements(here: World, row: Generation) -> int:
    async with here.runtime.database.read() as session:
        settled = CreditTransfer.hold_id == row.hold_id, CreditTransfer.kind.in_(("post", "void"))
        return await session.scalar(select(func.count()).where(*settled)) or 0


async def _all_ended(runtime: Runtime, row: Generation) -> Sequence[Attempt] | None:
    """All attempts, once nothing is left to do for any of them."""
    async with runtime.database.read() as session:
        tried = await attempts.of(session, row.id)
        due = await session.scalar(select(Generation.due_at).where(Generation.id == row.id))
    ended = all(one.state in ("ended", "refused", "abandoned") for one in tried)
    return tried if ended and due is None else None


def test_every_point_has_a_case() -> None:
    assert {point for _, point in CASES} | {*OF_WEBHOOKS, *FILE_POINTS, *STREAM_POINTS} == set(POINTS)


def test_every_point_in_the_code_is_numbered() -> None:
    source = "\n".join(path.read_text() for path in Path("src/mutoscope").rglob("*.py"))
    commits = re.findall(r"commit\(\"(\w+)\"\)|stay\(row, \"(\w+)\"", source)
    reached = {f"{a or b}.{side}_commit" for a, b in commits for side in ("before", "after")}
    reached |= set(re.findall(r"reach\(\"([\w.]+)\"\)", source))
    assert reached == set(POINTS)
