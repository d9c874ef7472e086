"""Stories that once ended badly, each as short as it goes. The machine, or reading for it, found them."""

from typing import Any

import pytest
from sqlalchemy import delete

from mutoscope.providers.base import Throttled
from mutoscope.uploads.models import ProviderFile
from mutoscope.uploads.service import Description
from tests.property.conftest import OpenStage
from tests.property.shop import LEASE
from tests.property.stage import Stage
from tests.storage.streams import stream

LAPSE_S = LEASE.total_seconds() + 1


def ask(stage: Stage, model: str = "picture") -> None:
    stage.ask("ann", model, "cat", 1)
    stage.check()


def only(stage: Stage) -> Any:
    """The one generation."""
    stage.touched = True
    stage.check()
    (row,) = stage.look.rows.values()
    return row


def attempts(stage: Stage) -> list[Any]:
    return [*stage.look.attempts]


@pytest.mark.parametrize("webhooks", [True, False])
def test_an_output_nested_too_deep_is_refused(open_stage: OpenStage, webhooks: bool) -> None:
    """It raised in the step ``store``, again and again, for ever."""
    stage = open_stage(webhooks)
    ask(stage)
    stage.work(1)
    stage.finish(0, "succeeded", "deep", None, 0)
    stage.wait(60)
    stage.work(1)
    row = only(stage)
    assert (row.status, row.failure_code) == ("failed", "output_rejected")
    stage.end()


def test_files_are_numbered_in_the_order_of_the_output(open_stage: OpenStage) -> None:
    """PostgreSQL sorted the members of the output's object, so that the first file was another one there."""
    stage = open_stage(False)
    ask(stage)
    stage.work(1)
    stage.finish(0, "succeeded", "fields", None, 0)
    stage.wait(20)
    stage.work(1)
    row = only(stage)
    assert list(row.output) == ["picture", "mask", "score"]
    assert [file.number for file in stage.look.files] == [0, 1]
    stage.end()


def test_a_refused_create_that_was_made_is_put_down_on_record(open_stage: OpenStage) -> None:
    """Its attempt had ended with the refusal, so the real end and its cost were not written down."""
    stage = open_stage(True)
    stage.next_create("refused, but made")
    ask(stage)
    stage.work(1)
    stage.start(0)
    stage.wait(2)
    stage.webhook(0, True, 1)
    stage.work(1)
    row = only(stage)
    assert (row.status, row.failure_code) == ("failed", "provider_refused")
    (attempt,) = attempts(stage)
    assert (attempt.prediction_id, attempt.state, attempt.prediction_status) == ("p1", "ended", "canceled")
    assert attempt.predict_time_s == 2
    stage.end()


def test_what_a_webhook_names_while_the_list_is_read_is_not_given_up(open_stage: OpenStage) -> None:
    """It was given up with its id on record: never adopted, never cancelled, and another was bought."""
    stage = open_stage(True)
    stage.shop.fake.keeps_deadlines = False
    stage.next_create("answer lost, made")
    ask(stage)
    stage.work(1)
    stage.trouble("list empty", "down", 1000)
    stage.wait(60)
    stage.work_slowly(0, 3)  # held after the last list, which had nothing
    stage.webhook(0, True, 1)
    stage.go_on(0, 0)
    stage.work(1)
    row = only(stage)
    assert (row.phase, row.prediction_id) == ("await", "p1")
    assert [*stage.shop.fake.predictions] == ["p1"]
    stage.end()


def test_what_a_webhook_names_before_the_refusal_comes_is_kept(open_stage: OpenStage) -> None:
    """It was marked as refused with its id on record: it ran on, and nobody knew."""
    stage = open_stage(True)
    stage.next_create("refused, but made")
    ask(stage)
    stage.work_slowly(0, 3)  # held after create
    stage.webhook(0, True, 1)
    stage.go_on(0, 0)
    stage.wait(1)
    stage.work(1)
    row = only(stage)
    assert (row.phase, row.prediction_id) == ("await", "p1")
    stage.end()


def test_what_a_late_worker_brings_after_it_was_given_up_is_put_down(open_stage: OpenStage) -> None:
    """Its id was kept, but nobody was told of the orphan: it ran until ``Cancel-After``."""
    stage = open_stage(False)
    stage.shop.fake.keeps_deadlines = False
    ask(stage)
    stage.work_slowly(0, 3)  # held after create: p1 is made
    stage.wait(LAPSE_S)
    stage.trouble("list empty", "down", 50)
    for _ in range(8):  # another takes over, looks for p1 in vain, gives it up, and makes p2
        stage.work(1)
        stage.wait(10)
    assert sorted(stage.shop.fake.predictions) == ["p1", "p2"]
    stage.go_on(0, 0)
    for _ in range(3):
        stage.work(1)
        stage.wait(15)
    assert stage.shop.fake.look("p1").status == "canceled"
    stage.end()


def test_both_of_two_predictions_for_one_create_are_known(open_stage: OpenStage) -> None:
    """The provider made two, a webhook named one first: the one in the answer was dropped, and ran on."""
    stage = open_stage(True)
    stage.next_create("made twice")
    ask(stage)
    stage.work_slowly(0, 3)  # held after create: its answer will be p2
    stage.webhook(1, True, 1)  # p1
    stage.go_on(0, 0)
    for _ in range(3):
        stage.wait(1)
        stage.work(1)
    row = only(stage)
    assert row.prediction_id == "p1"
    assert {attempt.prediction_id for attempt in attempts(stage)} == {"p1", "p2"}
    stage.wait(20)
    stage.work(1)
    assert stage.shop.fake.look("p2").status == "canceled"
    stage.end()


def test_a_late_worker_that_would_ask_again_stops_without_a_word(open_stage: OpenStage) -> None:
    """Its attempt had the number of the one that was made meanwhile: an unexpected error in the log."""
    stage = open_stage(True)
    stage.next_create("down")
    ask(stage)
    stage.work(1)  # the first attempt is refused; there will be a second
    stage.wait(2)
    row = stage.run(stage.shop.claim(only(stage).id))
    assert row
    stage.wait(LAPSE_S)
    stage.work(1)  # makes the second attempt
    assert "through" in stage.run(stage.shop.work(row))
    only(stage)
    assert len(stage.shop.fake.predictions) == 1
    stage.end()


@pytest.mark.parametrize("error", ["down", "forbidden", "throttled"])
def test_a_doubt_that_nobody_can_resolve_ends(open_stage: OpenStage, error: str) -> None:
    """A provider that refuses to list kept the generation and its credits for ever; only one that is down did not."""
    stage = open_stage(False)
    stage.next_create("answer lost, made")
    ask(stage)
    stage.trouble("recent", error, 1e6)
    for _ in range(9):
        stage.work(1)
        stage.wait(120)
    row = only(stage)
    assert (row.status, row.failure_code) == ("failed", "provider_unreachable")
    stage.end()


@pytest.mark.parametrize("error", ["down", "forbidden", "throttled"])
def test_a_wait_that_nobody_answers_ends(open_stage: OpenStage, error: str) -> None:
    stage = open_stage(False)
    ask(stage)
    stage.work(1)
    stage.trouble("get", error, 1e6)
    for _ in range(9):
        stage.work(1)
        stage.wait(120)
    row = only(stage)
    assert (row.status, row.failure_code) == ("failed", "provider_unreachable")
    stage.end()


@pytest.mark.parametrize("error", ["down", "forbidden"])
def test_a_wait_with_an_orphan_that_nobody_answers_ends(open_stage: OpenStage, error: str) -> None:
    """The orphan was asked for first, outside of what knows the deadline."""
    stage = open_stage(True)
    stage.next_create("made twice")
    ask(stage)
    stage.work(1)
    stage.webhook(1, True, 1)
    stage.trouble("get", error, 1e6)
    for _ in range(9):
        stage.work(1)
        stage.wait(120)
    row = only(stage)
    assert (row.status, row.failure_code) == ("failed", "provider_unreachable")


@pytest.mark.parametrize(
    "said",
    [
        {"logs": "half\0way"},
        {"status": "a status of which nobody has heard before in this form"},
        {"status": "succeeded", "output": "words\0", "logs": "\0"},
        {"status": "succeeded", "output": {"words\0": ["\0"]}},
        {"status": "succeeded", "output": [float("nan"), float("inf")]},
        {"status": "failed", "error": "no\0"},
    ],
)
def test_what_the_provider_says_can_always_be_kept(open_stage: OpenStage, said: dict[str, Any]) -> None:
    """PostgreSQL keeps no NUL, JSON has no NaN, and a column has a width: the step failed for ever."""
    stage = open_stage(False)
    ask(stage)
    stage.work(1)
    stage.shop.fake.predictions["p1"] = stage.shop.fake.look("p1").model_copy(update=said)
    for _ in range(3):
        stage.wait(20)
        stage.work(1)
    only(stage)
    stage.end()


async def upload(stage: Stage) -> str:
    async def describe() -> Description:
        return Description("a.bin")

    uploads = stage.shop.machine.inputs.uploads
    return (await uploads.create(stage.accounts["ann"], stream(bytes(256_001)), describe)).id


async def forget_copies(stage: Stage) -> None:
    async with stage.shop.database.write() as session:
        await session.execute(delete(ProviderFile))


def test_a_provider_that_throttles_files_is_asked_again_by_its_own_clock(open_stage: OpenStage) -> None:
    """The generation kept its place at the provider and asked again after two seconds, with everybody else."""
    stage = open_stage(False)
    stage.ask("ann", "film", stage.run(upload(stage)), 1)
    slow_down = Throttled("slow down", retry_after_s=45)
    stage.shop.fake.broken["send_file"] = slow_down
    stage.work(1)
    assert (only(stage).phase, len(attempts(stage))) == ("queued", 0)
    del stage.shop.fake.broken["send_file"]
    stage.wait(44)
    stage.work(1)
    assert (only(stage).phase, stage.shop.fake.predictions) == ("queued", {})
    stage.wait(2)
    stage.work(1)
    assert (only(stage).phase, only(stage).attempt) == ("await", 1)

    stage.finish(0, "preempted", "one file", None, 0)
    stage.run(forget_copies(stage))
    stage.shop.fake.broken["send_file"] = slow_down
    for _ in range(2):  # it is seen to have ended, and a little later another is made
        stage.wait(15)
        stage.work(1)
    assert only(stage).phase == "queued"
    assert [(one.number, one.state) for one in attempts(stage)] == [(1, "ended")], "the first is not marked again"
    stage.shop.fake.broken.clear()
    stage.wait(46)
    stage.work(1)
    assert (only(stage).phase, only(stage).attempt) == ("await", 2)
    stage.end()
