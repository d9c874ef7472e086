"""Every fault of the runner's plan, with webhooks and without, ends in the right status with the right money."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from mutoscope.generations import attempts
from mutoscope.generations.models import Generation
from mutoscope.generations.service import NewGeneration
from mutoscope.generations.streams.positions import Position, text_of
from mutoscope.runner.faults import Faults
from tests.world import PRICE, RunnerProcess, World, driven_by, echo, settings_for, until, world

FINE = ("completed", None)
CANCELED = ("canceled", "canceled_by_user")

# Name: what the runner does wrong to the first create, what is asked of the model, how it must end, predictions bought.
FAULTS: dict[str, tuple[dict[str, Any], dict[str, Any], tuple[str, str | None], int]] = {
    "slow answer": ({"create_delay_s": 0.5}, {}, FINE, 1),
    "throttled": ({"create_429": 0.3}, {}, FINE, 1),
    "throttled without a time": ({"create_429": 0}, {}, FINE, 1),
    "create 500": ({"create_500": True}, {}, FINE, 1),
    "create 503": ({"create_503": True}, {}, FINE, 1),
    "refused, answer lost": ({"refuse_then_drop": True}, {}, FINE, 1),
    "accepted, answer lost": ({"accept_then_drop": True}, {}, FINE, 1),
    "accepted, then 500": ({"accept_then_500": True}, {}, FINE, 1),
    "accepted, answer and webhooks lost": ({"accept_then_drop": True, "webhook_lost": True}, {}, FINE, 1),
    "accepted, answer lost, found by webhook": ({"accept_then_drop": True, "list_empty": 100}, {}, FINE, 1),
    "late start": ({"start_delay_s": 1}, {}, FINE, 1),
    "failed": ({"fail": "index out of range"}, {}, ("failed", "provider_failed"), 1),
    "out of memory": ({"fail": "E1001 CUDA"}, {}, ("failed", "provider_out_of_memory"), 1),
    "refused content": ({"fail": "NSFW content detected"}, {}, ("failed", "content_refused"), 1),
    "preempted": ({"preempt": True}, {}, FINE, 2),
    "aborted": ({"abort": True}, {}, ("failed", "run_deadline"), 1),
    "hangs": ({"hang": True}, {"seconds": 1}, ("failed", "run_deadline"), 1),
    "webhook lost": ({"webhook_lost": True}, {"seconds": 0.3}, FINE, 1),
    "webhook doubled": ({"webhook_doubled": True}, {"seconds": 0.3}, FINE, 1),
    "webhook early": ({"webhook_early": True}, {}, FINE, 1),
    "webhook late": ({"webhook_late_s": 1.5}, {"seconds": 0.3}, FINE, 1),
    "webhook forged": ({"webhook_forged": True}, {"seconds": 0.3}, FINE, 1),
    "webhook reordered": ({"webhook_reordered": True}, {"seconds": 0.3}, FINE, 1),
    "file truncated": ({"file_truncated": True}, {"size_bytes": 100_000}, ("failed", "storage_failed"), 1),
    "file too large": ({"file_oversized": 3_000_000}, {}, ("failed", "output_too_large"), 1),
    "file without end": ({"file_oversized": True}, {}, ("failed", "output_too_large"), 1),
    "file of a wrong type": ({"file_wrong_type": True}, {}, ("failed", "output_rejected"), 1),
    "file gone": ({"file_404": True}, {}, ("failed", "output_expired"), 1),
    "file slow": ({"file_slow": 200_000}, {"size_bytes": 100_000}, FINE, 1),
    "file 500 once": ({"file_500_once": True}, {}, FINE, 1),
    "get fails": ({"get_500": 2}, {"seconds": 0.3}, FINE, 1),
    "get hangs": ({"get_timeout_s": 1}, {"seconds": 0.3}, FINE, 1),
    "cancel lost": ({"cancel_lost": 1}, {"seconds": 4}, CANCELED, 1),
    "stream cut": ({"stream_cut": 1}, {"max_tokens": 8, "tokens_per_second": 20}, FINE, 1),
    "nothing returned": ({}, {"output": "nothing"}, ("failed", "no_output"), 1),
}


async def ask(here: World, text: str, inputs: dict[str, Any]) -> Generation:
    """Have the test model run, or the one that writes if it is told how much."""
    if "max_tokens" not in inputs:
        return await here.make(text, **inputs)
    new = NewGeneration("scribe", {"prompt": text, **inputs})
    return await here.runtime.generations.create(here.account_id, new)


async def cancel_it(here: World, row: Generation) -> None:
    """Cancel it once it runs."""

    async def runs() -> bool:
        return (await here.runtime.generations.get(here.account_id, row.id)).prediction_status == "processing"

    await until(runs)
    await here.runtime.generations.cancel(here.account_id, row.id)


async def read_it(here: World, row: Generation) -> None:
    """Read its stream to the end: what comes is the output."""
    opened = await here.runtime.streams.open(row.account_id, row.id)
    async with aclosing(here.runtime.streams.follow(opened, Position(), asyncio.Event())) as news:
        heard = "".join([one.text async for one in news if one.kind == "output"])
    assert heard == text_of((await here.finish(row)).output) != ""


# What its user does meanwhile.
ACTS = {"cancel lost": cancel_it, "stream cut": read_it}


def test_every_fault_of_the_plan_has_a_case() -> None:
    assert {fault for faults, *_ in FAULTS.values() for fault in faults} == set(Faults.model_fields)


@pytest.fixture(params=["webhook", "poll"])
async def here(
    request: pytest.FixtureRequest,
    database_url: str,
    tmp_path: Path,
    runner: RunnerProcess,
    inngest_url: str | None,
) -> AsyncGenerator[World]:
    model = echo(run_timeout_s=5, store_timeout_s=2, max_file_bytes=2_000_000, media_types=["image/*"])
    models = {"echo": model, "scribe": echo(reference="mutoscope/scribe", stream=True)}
    settings = driven_by(inngest_url, settings_for(database_url, tmp_path, runner, doubt_window_s=2, models=models))
    async with world(settings, runner, webhooks=request.param == "webhook") as one:
        yield one


@pytest.mark.slow
@pytest.mark.parametrize("name", FAULTS)
async def test_a_fault(name: str, here: World) -> None:
    faults, inputs, ends, predictions = FAULTS[name]
    polls = here.runtime.machine.policy.webhook_url is None
    if polls and "list_empty" in faults:
        predictions = 2  # nothing tells of the first: it is given up, on record, and another is bought
    text = f"{name} {here.runtime.settings.database}"
    here.runner.plan({"do": faults, "when": {"input": text}, "count": 1})
    row = await ask(here, text, inputs)
    if act := ACTS.get(name):
        await act(here, row)
    row = await here.finish(row)
    assert (row.status, row.failure_code) == ends
    charged = PRICE if row.status == "completed" else 0
    assert row.charged_credits == charged
    assert await here.balance() == (1000 - charged, 0, charged)
    here.runner.plan()  # the list is whole again
    assert len(here.runner.predictions(text)) == predictions
    assert await here.audit() == []


async def test_an_orphan_that_turns_up_late_is_ended_and_recorded(
    database_url: str, tmp_path: Path, runner: RunnerProcess
) -> None:
    """Answer lost, list empty, webhook late: a second prediction is bought, and the first is put down when it shows."""
    text = f"orphan {database_url}"
    faults = {"accept_then_drop": True, "list_empty": 100, "webhook_late_s": 2.5}
    runner.plan({"do": faults, "when": {"input": text}, "count": 1})
    settings = settings_for(database_url, tmp_path, runner, doubt_window_s=1)
    async with world(settings, runner, webhooks=True) as here:
        row = await here.make(text, seconds=6)
        ended = await here.finish(row)
        assert ended.status == "completed"

        async def recorded() -> bool:
            async with here.runtime.database.read() as session:
                tried = await attempts.of(session, row.id)
            return sorted(attempt.state for attempt in tried) == ["ended", "ended"]

        await until(recorded)
        assert {p["status"] for p in runner.predictions(text)} <= {"succeeded", "canceled"}
        assert await here.balance() == (1000 - PRICE, 0, PRICE)
        assert await here.audit() == []


async def test_webhook_to_completed_does_not_wait_for_a_poll(
    database_url: str, tmp_path: Path, runner: RunnerProcess
) -> None:
    async with world(settings_for(database_url, tmp_path, runner), runner, webhooks=True) as here:
        rows = await asyncio.gather(*(here.make(f"quick {n}", seconds=0.5) for n in range(5)))
        for row in rows:
            ended = await here.finish(row, timeout_s=10)  # the first poll would come after 15 s
            assert ended.status == "completed"
