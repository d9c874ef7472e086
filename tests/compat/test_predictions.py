"""Predictions through the front door: each is a generation, with its price, its hold and its refund."""

import asyncio
from pathlib import Path

import pytest

from mutoscope.providers.budget import UNLISTED
from mutoscope.providers.fake import ANY_INPUT
from tests.api.service import Person, Service, service
from tests.compat.door import ECHO, Door, Json, door
from tests.compat.upstream import upstream
from tests.world import PRICE, RunnerProcess, echo, settings_for


async def test_a_prediction_is_a_generation(ann: Person, anns: Door) -> None:
    answer = await anns.ask(seconds=0.2, output="file")
    assert answer.status_code == 201
    created = answer.json()
    assert (created["status"], created["output"], created["version"]) == ("starting", None, "hidden")
    assert answer.headers["location"] == created["urls"]["get"]
    done = await anns.reach(created["id"])
    assert (done["status"], done["error"], done["data_removed"]) == ("succeeded", None, False)
    assert done["metrics"]["predict_time"] > 0
    assert done["model"] == "mutoscope/echo"
    assert done["input"] == {"text": "hello", "output": "file", "seconds": 0.2}
    same = (await ann.http.get(f"/v1/generations/{created['id']}")).json()
    assert (same["status"], same["credits"]["charged"]) == ("completed", PRICE)
    assert await ann.credits() == (1000 - PRICE, 0, PRICE)


async def test_a_blocking_create_answers_with_the_output(anns: Door) -> None:
    answer = await anns.ask(headers={"Prefer": "wait"}, text="at once")
    assert (answer.status_code, answer.json()["output"]) == (201, "at once")
    assert answer.headers["preference-applied"] == "wait=60"


async def test_when_the_wait_is_over_it_is_starting_still_so_that_clients_go_on_polling(anns: Door) -> None:
    answer = await anns.ask(headers={"Prefer": "wait=1"}, seconds=60)
    assert (answer.status_code, answer.json()["status"]) == (202, "starting")
    await anns.reach(answer.json()["id"], "processing")
    await anns.http.post(f"predictions/{answer.json()['id']}/cancel")


async def test_by_version_by_name_and_by_deployment(ann: Person, anns: Door) -> None:
    by_name = await anns.run(path="predictions", body={"version": "mutoscope/echo"})
    assert by_name["output"] == "hello"
    deployed = await anns.run(path="deployments/mutoscope/echo/predictions")
    assert (deployed["deployment"], deployed["output"]) == ("mutoscope/echo", "hello")
    assert await ann.credits() == (1000 - PRICE - 1, 0, PRICE + 1)


async def test_a_failure_says_what_the_model_said_and_costs_nothing(ann: Person, anns: Door) -> None:
    failed = await anns.run(fail="list index out of range")
    assert (failed["status"], failed["error"], failed["output"]) == ("failed", "list index out of range", None)
    assert await ann.credits() == (1000, 0, 0)


async def test_a_cancel_may_be_repeated_and_never_changes_what_has_ended(ann: Person, anns: Door) -> None:
    running = await anns.start(seconds=60)
    await anns.reach(running["id"], "processing")
    for _ in range(2):
        answer = await anns.http.post(f"predictions/{running['id']}/cancel")
        assert (answer.status_code, answer.json()["status"]) == (200, "canceled")
    canceled = await anns.reach(running["id"])
    assert (canceled["status"], canceled["error"]) == ("canceled", None)
    done = await anns.run()
    answer = await anns.http.post(f"predictions/{done['id']}/cancel")
    assert (answer.status_code, answer.json()) == (200, done)
    assert await ann.credits() == (1000 - PRICE, 0, PRICE)


async def test_a_cancel_is_seen_to_at_once_whenever_it_comes(ann: Person, anns: Door) -> None:
    """Also between the place in the queue and the call, when the row is awake already."""
    for moment in range(16):
        running = await anns.start(seconds=60)
        await asyncio.sleep(moment / 200)
        answer = await anns.http.post(f"predictions/{running['id']}/cancel")
        assert answer.json()["status"] == "canceled", f"after {moment * 5} ms"
    assert await ann.credits() == (1000, 0, 0)


async def test_the_callers_deadline_ends_a_running_prediction(ann: Person, anns: Door) -> None:
    created = await anns.start(seconds=60, headers={"Cancel-After": "5s"})
    assert created["deadline"] > created["created_at"]
    ended = await anns.reach(created["id"], timeout_s=40)
    assert ended["status"] == "canceled"
    assert await ann.credits() == (1000, 0, 0)


async def test_the_callers_deadline_aborts_what_has_not_begun(
    database_url: str, tmp_path: Path, runner: RunnerProcess
) -> None:
    settings = settings_for(database_url, tmp_path, runner, admission={"max_in_flight_per_account": 1})
    async with service(settings, runner) as here, here.person("ann") as ann, door(here.url, ann.key) as anns:
        first = await anns.start(seconds=60)
        second = await anns.start(headers={"Cancel-After": "5"})
        ended = await anns.reach(second["id"], timeout_s=40)
        assert ended["status"] == "aborted"
        assert "started_at" not in ended
        assert await ann.credits() == (1000 - PRICE, PRICE, 0)
        await anns.http.post(f"predictions/{first['id']}/cancel")


async def test_a_key_makes_one_prediction_however_often_it_is_sent(ann: Person, anns: Door) -> None:
    headers = {"Idempotency-Key": "order 1"}
    answers = await asyncio.gather(*(anns.ask(headers=headers) for _ in range(10)))
    assert len({answer.json()["id"] for answer in answers}) == 1
    others = [
        await anns.ask(headers=headers, text="other"),
        await anns.ask(headers=headers, body={"webhook": "https://example.com/"}),
        await anns.ask(headers=headers | {"Cancel-After": "1m"}),
    ]
    assert [(other.status_code, other.json()["status"]) for other in others] == [(409, 409)] * 3
    await anns.reach(answers[0].json()["id"])
    assert await ann.credits() == (1000 - PRICE, 0, PRICE)


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "Token"])
async def test_both_schemes_of_the_clients(here: Service, ann: Person, scheme: str) -> None:
    async with door(here.url, ann.key, scheme) as one:
        assert (await one.http.get("account")).json() == {"type": "user", "username": "ann", "name": "ann"}


async def test_the_list_is_cut_into_pages_of_a_hundred_with_links(here: Service, anns: Door) -> None:
    made = [(await anns.start())["id"] for _ in range(103)]
    first = (await anns.http.get("predictions")).json()
    assert (len(first["results"]), first["previous"]) == (100, None)
    assert first["next"].startswith(f"{here.url}/replicate/v1/predictions?")
    second = (await anns.http.get(first["next"])).json()
    assert second["next"] is None
    assert [one["id"] for one in first["results"] + second["results"]] == made[::-1]


async def test_the_list_is_filtered_by_time_and_source(anns: Door) -> None:
    early, late = await anns.run(), await anns.run()
    between = {"created_after": late["created_at"]}
    assert [one["id"] for one in (await anns.http.get("predictions", params=between)).json()["results"]] == [late["id"]]
    before = {"created_before": late["created_at"]}
    found = (await anns.http.get("predictions", params=before)).json()["results"]
    assert [one["id"] for one in found] == [early["id"]]
    assert (await anns.http.get("predictions", params={"source": "web"})).json()["results"] == []


async def test_what_is_made_natively_is_in_the_list_too(ann: Person, anns: Door) -> None:
    native = await ann.run("natively", output="text")
    (shown,) = (await anns.http.get("predictions")).json()["results"]
    assert (shown["id"], shown["output"], shown["source"]) == (native["id"], "natively", "api")


async def test_a_model_without_a_price_is_refused_with_the_way_to_price_it(here: Service, anns: Door) -> None:
    version = "0" * 64
    for path, body, reference in (
        ("models/a/b.c/predictions", {}, "a/b.c"),
        ("predictions", {"version": f"a/b:{version}"}, f"a/b:{version}"),
        ("predictions", {"version": version}, version),
        ("deployments/a/b/predictions", {}, "deployments/a/b"),
    ):
        answer = await anns.ask(path, body=body)
        assert answer.status_code == 422
        assert answer.json()["title"] == "This model has no price here"
        assert f'reference = "{reference}"' in answer.json()["detail"]


async def test_with_a_default_price_any_model_runs_at_it_but_none_below_its_own(
    database_url: str, tmp_path: Path, runner: RunnerProcess
) -> None:
    default = {"price": {"per_run": 1}, "credit_type": "image_generation"}
    settings = settings_for(database_url, tmp_path, runner, default_model=default)
    async with service(settings, runner) as here, here.person("ann") as ann, door(here.url, ann.key) as anns:
        painted = await anns.run(path="models/mutoscope/painter/predictions", body={"input": {"prompt": "a pond"}})
        assert painted["status"] == "succeeded", painted
        assert await ann.credits() == (999, 0, 1)
        await anns.run()
        assert await ann.credits() == (999 - PRICE, 0, 1 + PRICE)
        native = {"model": "mutoscope/echo", "input": {"text": "a", "output": "text"}}
        answer = await ann.http.post("/v1/generations", json=native, headers={"Prefer": "wait=30"})
        assert (answer.json()["model"], answer.json()["credits"]["charged"]) == ("echo", PRICE)
        version = (await anns.http.get("models/mutoscope/echo")).json()["latest_version"]["id"]
        for other_name in (version, f"mutoscope/echo:{version}"):
            by_version = await anns.ask(path="predictions", body={"version": other_name})
            assert (by_version.status_code, by_version.json()["title"]) == (422, "This model has no price here")
            answer = await ann.http.post("/v1/generations", json={**native, "model": other_name})
            assert (answer.status_code, answer.json()["code"]) == (422, "model_not_priced")
        assert await ann.credits() == (999 - 2 * PRICE, 0, 1 + 2 * PRICE)
        assert (await anns.http.post(ECHO, json={"input": {"nope": 1}})).status_code == 422
        unknown = await anns.http.post("models/nobody/x/predictions", json={"input": {}})
        assert (unknown.status_code, unknown.json()["status"]) == (422, 422)
        assert unknown.json()["detail"].startswith("Replicate has no nobody/x, or none that")


def invented(number: int) -> Json:
    return {"model": f"nobody/y{number}", "input": {}}


async def test_who_invents_models_is_slowed_down_and_nobody_else(database_url: str, tmp_path: Path) -> None:
    async with upstream() as theirs:
        nobody = RunnerProcess(theirs.url, "")
        theirs.pages = {"models/mutoscope/echo": {"latest_version": {"openapi_schema": ANY_INPUT}}}
        more = {"default_model": {"price": {"per_run": 1}}, "replicate_webhook_secret": None}
        settings = settings_for(database_url, tmp_path, nobody, **more)
        async with service(settings, nobody) as here, here.person("ann") as ann, door(here.url, ann.key) as anns:
            number = 0
            async with asyncio.timeout(60):
                while (answer := await anns.ask(f"models/nobody/x{number}/predictions")).status_code == 422:
                    number += 1
            assert number >= UNLISTED.burst
            assert (answer.status_code, answer.json()["retry_after"]) == (429, 1)
            assert theirs.paths() == [f"models/nobody/x{one}" for one in range(number)]
            async with asyncio.timeout(60):
                while (answer := await ann.http.post("/v1/quotes", json=invented(number))).status_code != 429:
                    number += 1
            assert (answer.json()["code"], answer.headers["retry-after"]) == ("too_many_reads", "1")
            assert (await anns.ask()).status_code == 201
            assert await ann.credits() == (1000 - PRICE, PRICE, 0)


@pytest.mark.parametrize(("models", "bare_versions"), [({}, False), ({"echo": echo()}, True)])
async def test_a_version_alone_runs_at_the_default_price_where_no_other_is_in_danger_or_that_is_meant(
    database_url: str, tmp_path: Path, runner: RunnerProcess, models: Json, bare_versions: bool
) -> None:
    """All that both official clients send of ``owner/name:version``."""
    default = {"price": {"per_run": 1}, "bare_versions": bare_versions}
    settings = settings_for(database_url, tmp_path, runner, models=models, default_model=default)
    async with service(settings, runner) as here, here.person("ann") as ann, door(here.url, ann.key) as anns:
        version = (await anns.http.get("models/mutoscope/painter")).json()["latest_version"]["id"]
        done = await anns.run(path="predictions", body={"version": version, "input": {"prompt": "a pond"}})
        assert (done["status"], done["version"]) == ("succeeded", version)
        assert await ann.credits() == (999, 0, 1)
