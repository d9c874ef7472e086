"""A create whose answer was lost: the five situations that can be behind it, each with webhooks and without.

What is bought, what is found and what is charged; the attempts tell how it went.
"""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx
import pytest

from mutoscope.generations import attempts
from mutoscope.generations.models import Attempt, Generation
from tests.world import AUTH, PRICE, RunnerProcess, World, settings_for, until, world

pytestmark = pytest.mark.slow


@pytest.fixture(params=["webhook", "poll"])
async def here(
    request: pytest.FixtureRequest, database_url: str, tmp_path: Path, runner: RunnerProcess
) -> AsyncGenerator[World]:
    settings = settings_for(database_url, tmp_path, runner, doubt_window_s=2)
    async with world(settings, runner, webhooks=request.param == "webhook") as one:
        yield one
        runner.plan()


@pytest.fixture
def text(here: World) -> str:
    """An input that no other test uses."""
    return f"doubt {here.runtime.settings.database}"


def told(here: World) -> bool:
    return here.runtime.machine.policy.webhook_url is not None


def plan(here: World, text: str, *, count: int = 1, **faults: Any) -> None:
    here.runner.plan({"do": faults, "when": {"input": text}, "count": count})


async def tried(here: World, row: Generation) -> list[Attempt]:
    async with here.runtime.database.read() as session:
        return sorted(await attempts.of(session, row.id), key=lambda attempt: attempt.number)


async def assert_paid(here: World, *rows: Generation) -> None:
    """Each is completed and charged once, and the books are right."""
    assert [(row.status, row.charged_credits) for row in rows] == [("completed", PRICE)] * len(rows)
    paid = PRICE * len(rows)
    assert await here.balance() == (1000 - paid, 0, paid)
    assert await here.audit() == []


async def test_accepted_and_answer_lost(here: World, text: str) -> None:
    plan(here, text, accept_then_drop=True)
    row = await here.run(text)
    (attempt,) = await tried(here, row)
    assert (attempt.state, attempt.prediction_id) == ("ended", row.prediction_id)
    assert attempt.doubted_at or told(here), "only a webhook can be faster than the doubt"
    assert [one["id"] for one in here.runner.predictions(text)] == [row.prediction_id]
    await assert_paid(here, row)


async def test_not_accepted_and_answer_lost(here: World, text: str) -> None:
    plan(here, text, refuse_then_drop=True)
    row = await here.run(text)
    lost, made = await tried(here, row)
    assert (lost.state, lost.prediction_id, made.state) == ("abandoned", None, "ended")
    assert [one["id"] for one in here.runner.predictions(text)] == [made.prediction_id]
    await assert_paid(here, row)


async def test_answer_lost_and_webhook_lost(here: World, text: str) -> None:
    plan(here, text, accept_then_drop=True, webhook_lost=True)
    row = await here.run(text)
    (attempt,) = await tried(here, row)
    assert attempt.doubted_at
    assert [one["id"] for one in here.runner.predictions(text)] == [attempt.prediction_id]
    await assert_paid(here, row)


async def test_found_by_list(here: World, text: str) -> None:
    """Twins, which the list cannot tell apart without a ref, and which it leaves out at first: each gets its own."""
    plan(here, text, count=2, accept_then_drop=True, webhook_lost=True, list_empty=1)
    twins = [await here.make(text, seconds=0.2) for _ in range(2)]
    ended = [await here.finish(row) for row in twins]
    found = [attempt for row in ended for attempt in await tried(here, row)]
    assert all(attempt.doubted_at for attempt in found)
    assert {one["id"] for one in here.runner.predictions(text)} == {attempt.prediction_id for attempt in found}
    assert len(found) == 2
    await assert_paid(here, *ended)


async def test_two_predictions_for_one_ref(here: World, text: str) -> None:
    """The provider made twice what was asked for once: one brings the result, and one that is heard of is ended."""
    plan(here, text, accept_then_drop=True, list_empty=2)
    row = await here.make(text, seconds=4)
    await until(lambda: is_made(here, row))
    second = await make_again(here, row)
    ended = await here.finish(row)
    assert ended.prediction_id not in (None, second)
    if told(here):  # without webhooks there is no ref, and nothing tells whose the second is

        async def put_down() -> bool:
            return [attempt.state for attempt in await tried(here, row)] == ["ended", "ended"]

        await until(put_down)
        here.runner.plan()
        shown = {one["id"]: one["status"] for one in here.runner.predictions(text)}
        assert shown == {ended.prediction_id: "succeeded", second: "canceled"}
    await assert_paid(here, ended)


async def is_made(here: World, row: Generation) -> bool:
    """Whether the provider has it, which answered that it has failed."""
    return any(attempt.state != "intent" for attempt in await tried(here, row))


async def make_again(here: World, row: Generation) -> str:
    """Let the provider make the same once more; without webhooks before the list shows the first."""
    (attempt,) = await tried(here, row)
    body: dict[str, Any] = {"version": "mutoscope/echo", "input": row.input}
    if url := here.runtime.machine.policy.webhook_url:
        body |= {"webhook": url(row.provider, attempt.ref), "webhook_events_filter": ["logs", "completed"]}
    async with httpx.AsyncClient(headers=AUTH) as http:
        answer = await http.post(f"{here.runner.url}/v1/predictions", json=body)
    return answer.raise_for_status().json()["id"]
