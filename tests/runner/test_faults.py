import asyncio
import json
import time
from pathlib import Path

import httpx
import pytest

from mutoscope.core.errors import InvalidRequest
from mutoscope.runner.faults import Dice, FaultPlan, Faults
from tests.runner.harness import Client, Json, Receiver, eventually, running, until

EVENTS = ["start", "completed"]


async def in_flight_and_accepted(runner: Client) -> tuple[int, int]:
    stats = await runner.stats()
    return stats["in_flight"], stats["creates"]["accepted"]


@pytest.mark.parametrize(("fault", "status"), [("create_500", 500), ("create_503", 503)])
async def test_a_create_that_fails_was_not_accepted(runner: Client, fault: str, status: int) -> None:
    answer = await runner.create(faults={fault: True})
    assert (answer.status_code, answer.json()["status"]) == (status, status)
    assert await in_flight_and_accepted(runner) == (0, 0)


async def test_a_throttled_create_names_its_time_or_not(runner: Client) -> None:
    named = await runner.create(faults={"create_429": 7})
    assert (named.status_code, named.headers["retry-after"], named.json()["retry_after"]) == (429, "7", 7)
    unnamed = await runner.create(faults={"create_429": 0})
    assert unnamed.status_code == 429
    assert "retry-after" not in unnamed.headers
    assert "retry_after" not in unnamed.json()
    assert await in_flight_and_accepted(runner) == (0, 0)


async def test_a_delayed_create_takes_its_time(runner: Client) -> None:
    began = time.monotonic()
    assert (await runner.create(faults={"create_delay_s": 0.3})).status_code == 201
    assert time.monotonic() - began >= 0.3


@pytest.mark.parametrize(("fault", "accepted"), [("accept_then_drop", 1), ("refuse_then_drop", 0)])
async def test_a_dropped_create_has_no_answer(runner: Client, fault: str, accepted: int) -> None:
    with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
        await runner.create({"text": "x"}, faults={fault: True})
    listed = (await runner.http.get("/v1/predictions")).json()["results"]
    assert [one["input"] for one in listed] == [{"text": "x"}] * accepted
    assert (await in_flight_and_accepted(runner))[1] == accepted


async def test_an_accepted_create_can_answer_500(runner: Client) -> None:
    assert (await runner.create(faults={"accept_then_500": True})).status_code == 500
    assert (await in_flight_and_accepted(runner))[1] == 1


async def test_a_late_start_a_hang_and_an_abort(runner: Client) -> None:
    late = await runner.start(faults={"start_delay_s": 60})
    hung = await runner.start(faults={"hang": True})
    aborted = await runner.run(faults={"abort": True})
    assert (aborted["status"], "started_at" in aborted) == ("aborted", False)
    assert (await runner.reach(hung["id"], {"processing"}))["output"] is None
    assert (await runner.get(late["id"]))["status"] == "starting"
    assert (await runner.http.post(f"/v1/predictions/{hung['id']}/cancel")).json()["status"] == "canceled"


async def test_failures_with_the_provider_s_own_words(runner: Client) -> None:
    failed = await runner.run(faults={"fail": "CUDA out of memory (E1001)"})
    assert (failed["status"], failed["error"]) == ("failed", "CUDA out of memory (E1001)")
    preempted = await runner.run(faults={"preempt": True})
    assert preempted["error"] == "Prediction interrupted; please retry (code: PA)"


async def test_a_cancel_can_be_lost(runner: Client) -> None:
    created = await runner.start({"seconds": 60}, faults={"cancel_lost": 1})
    await runner.reach(created["id"], {"processing"})
    url = f"/v1/predictions/{created['id']}/cancel"
    assert (await runner.http.post(url)).json()["status"] == "processing"
    assert (await runner.http.post(url)).json()["status"] == "canceled"


async def test_reads_can_fail_or_be_held(runner: Client) -> None:
    broken = await runner.start(faults={"get_500": 2})
    answers = [await runner.http.get(f"/v1/predictions/{broken['id']}") for _ in range(3)]
    assert [one.status_code for one in answers] == [500, 500, 200]
    held = await runner.start(faults={"get_timeout_s": 0.4})
    with pytest.raises(httpx.ReadTimeout):
        await runner.http.get(f"/v1/predictions/{held['id']}", timeout=0.2)
    await runner.get(held["id"])


async def test_lists_can_be_empty_for_a_while(runner: Client) -> None:
    await runner.start(faults={"list_empty": 2})
    pages = [(await runner.http.get("/v1/predictions")).json() for _ in range(3)]
    assert [len(page["results"]) for page in pages] == [0, 0, 1]


async def test_webhooks_can_be_lost_all_or_some(runner: Client, hook: Receiver) -> None:
    await runner.run(webhook=hook.url, webhook_events_filter=EVENTS, faults={"webhook_lost": True})
    await runner.run(webhook=hook.url, webhook_events_filter=EVENTS, faults={"webhook_lost": ["completed"]})
    stats = await eventually(runner.stats, lambda stats: not stats["webhooks"]["pending"])
    assert stats["webhooks"]["lost"] == 3
    assert hook.statuses() == ["processing"]


async def test_webhooks_can_be_doubled_with_one_id(runner: Client, hook: Receiver) -> None:
    await runner.run(webhook=hook.url, webhook_events_filter=["completed"], faults={"webhook_doubled": True})
    await until(lambda: len(hook.ids) == 2)
    assert hook.ids[0] == hook.ids[1]


async def test_a_webhook_can_be_early(runner: Client, hook: Receiver) -> None:
    hook.hold = asyncio.Event()
    create = asyncio.create_task(
        runner.start(webhook=hook.url, webhook_events_filter=["completed"], faults={"webhook_early": True}),
    )
    await until(lambda: len(hook.good) == 1)
    assert not create.done()
    hook.hold.set()
    created = await create
    assert (created["id"], created["status"]) == (hook.good[0]["id"], "starting")


async def test_a_webhook_can_be_late(runner: Client, hook: Receiver) -> None:
    await runner.run(webhook=hook.url, webhook_events_filter=["completed"], faults={"webhook_late_s": 1})
    assert hook.good == []
    await until(lambda: len(hook.good) == 1)


async def test_a_forged_webhook_comes_before_the_good_one(runner: Client, hook: Receiver) -> None:
    failed = await runner.run({"fail": "no"}, webhook=hook.url, faults={"webhook_forged": True})
    await until(lambda: len(hook.good) == 1)
    assert [(one["id"], one["status"]) for one in hook.bad] == [(failed["id"], "succeeded")]
    assert hook.statuses() == ["failed"]


async def test_webhooks_can_come_in_the_wrong_order(runner: Client, hook: Receiver) -> None:
    await runner.run(webhook=hook.url, webhook_events_filter=EVENTS, faults={"webhook_reordered": True})
    await until(lambda: len(hook.good) == 2)
    assert hook.statuses() == ["succeeded", "processing"]


async def output(runner: Client, faults: Json, size_bytes: int = 0) -> str:
    return (await runner.run({"output": "file", "size_bytes": size_bytes}, faults=faults))["output"]


async def test_a_file_can_be_cut_short(runner: Client) -> None:
    url = await output(runner, {"file_truncated": True}, 1000)
    async with runner.http.stream("GET", url) as answer:
        assert answer.headers["content-length"] == "1000"
        with pytest.raises(httpx.RemoteProtocolError, match="received 500 bytes, expected 1000"):
            await answer.aread()


async def test_a_file_can_be_too_large_or_endless(runner: Client) -> None:
    answer = await runner.http.get(await output(runner, {"file_oversized": 3_000_000}))
    assert ("content-length" in answer.headers, len(answer.content)) == (False, 3_000_000)
    got = 0
    async with runner.http.stream("GET", await output(runner, {"file_oversized": True})) as endless:
        async for chunk in endless.aiter_raw():
            got += len(chunk)
            if got > 20_000_000:
                break
    assert got > 20_000_000


async def test_a_file_can_be_something_else_than_it_says(runner: Client) -> None:
    answer = await runner.http.get(await output(runner, {"file_wrong_type": True}))
    assert (answer.headers["content-type"], answer.content[:9]) == ("image/png", b"<!doctype")


async def test_a_file_can_be_missing_or_fail_once(runner: Client) -> None:
    assert (await runner.http.get(await output(runner, {"file_404": True}))).status_code == 404
    url = await output(runner, {"file_500_once": True})
    assert [(await runner.http.get(url)).status_code for _ in range(2)] == [500, 200]


async def test_a_file_can_be_slow(runner: Client) -> None:
    url = await output(runner, {"file_slow": 1000}, 400)
    began = time.monotonic()
    assert len((await runner.http.get(url)).content) == 400
    assert time.monotonic() - began >= 0.3


async def test_a_plan_from_a_file_picks_creates_and_can_be_replaced(tmp_path: Path) -> None:
    rules: list[Json] = [
        {"when": {"model": "mutoscope/echo", "input": "cat"}, "do": {"create_503": True}, "count": 1},
        {"when": {"nth": 3}, "do": {"fail": "third"}},
    ]
    async with running(tmp_path, fault_plan={"rules": rules}) as runner:
        assert (await runner.create({"text": "dog"})).status_code == 201
        assert (await runner.create({"text": "a cat"})).status_code == 503
        assert (await runner.run({"text": "a cat"}))["error"] == "third"
        plan = {"rules": [{"do": {"create_500": True}}]}
        assert (await runner.http.put("/_runner/faults", json=plan)).json() == plan
        assert (await runner.create()).status_code == 500
        assert (await runner.http.put("/_runner/faults", json={})).status_code == 200
        assert (await runner.create()).status_code == 201


async def test_faults_that_do_not_exist_are_refused(runner: Client) -> None:
    assert (await runner.create(faults={"explode": True})).status_code == 422
    answer = await runner.http.put("/_runner/faults", json={"rules": [{"do": {"explode": 1}}]})
    assert answer.status_code == 422
    assert "explode" in answer.json()["detail"]


async def test_faults_in_the_query_work_like_the_header(runner: Client) -> None:
    body = {"version": "mutoscope/echo", "input": {}}
    query = {"runner_faults": json.dumps({"create_503": True})}
    assert (await runner.http.post("/v1/predictions", json=body, params=query)).status_code == 503


def test_the_dice_repeat_themselves_and_keep_to_the_probability() -> None:
    plan = FaultPlan.parse(json.dumps({"seed": 5, "rules": [{"probability": 0.3, "do": {"hang": True}}]}))
    first, again = [[dice.roll("m/n", {}).hang for _ in range(1000)] for dice in (Dice(plan), Dice(plan))]
    assert first == again
    assert 250 < sum(first) < 350


def test_later_rules_add_to_earlier_ones_and_win() -> None:
    rules: list[Json] = [{"do": {"fail": "one", "webhook_lost": True}}, {"do": {"fail": "two"}}]
    faults = Dice(FaultPlan.model_validate({"rules": rules})).roll("m/n", {})
    assert (faults.failure, faults.loses("start")) == ("two", True)


def test_a_plan_that_is_not_json_is_refused() -> None:
    with pytest.raises(InvalidRequest):
        FaultPlan.parse("{")
    with pytest.raises(InvalidRequest):
        Faults.parse('{"create_429": "soon"}')
