"""Generations over HTTP: asked for, waited for, listed, canceled, and paid once."""

import asyncio

import httpx

from tests.api.service import Person, Service
from tests.world import PRICE


async def test_a_generation_is_accepted_then_completed_with_its_file(here: Service, ann: Person) -> None:
    answer = await ann.ask("a lighthouse", seconds=0.2)
    assert answer.status_code == 202
    accepted = answer.json()
    assert accepted["status"] in {"queued", "processing"}
    assert answer.headers["location"] == f"/v1/generations/{accepted['id']}"
    assert accepted["credits"] == {
        "type": "image_generation", "held": PRICE, "charged": None, "refunded": None, "refund_reason": None
    }  # fmt: skip
    done = (await ann.http.get(f"/v1/generations/{accepted['id']}", headers={"Prefer": "wait=30"})).json()
    assert done["status"] == "completed"
    assert done["progress"]["percent"] == 100
    assert done["credits"]["charged"] == PRICE
    (file,) = done["files"]
    assert done["output"] == file["url"]
    assert file["url"].startswith(f"{here.url}/files/")
    assert (file["media_type"], file["number"]) == ("image/png", 0)
    async with httpx.AsyncClient() as anybody:
        got = await anybody.get(file["url"])
    assert got.status_code == 200
    assert len(got.content) == file["size_bytes"]
    assert await ann.credits() == (1000 - PRICE, 0, PRICE)


async def test_what_is_inside_stays_inside(here: Service, ann: Person) -> None:
    done = await ann.run("a secret")
    assert done["provider"] is None
    assert not {"phase", "epoch", "hold_id", "terms", "prediction_id", "idempotency_key"} & done.keys()
    mine = {"Mutoscope-Account": "ann"}
    seen = (await here.operator.get(f"/v1/generations/{done['id']}", headers=mine)).json()
    assert seen["provider"]["name"] == "replicate"
    assert seen["provider"]["prediction_status"] == "succeeded"


async def test_a_failure_says_why_and_gives_the_credits_back(ann: Person) -> None:
    failed = await ann.run("a failure", fail="list index out of range")
    assert failed["status"] == "failed"
    assert failed["failure"] == {"code": "provider_failed", "detail": "list index out of range"}
    assert failed["output"] is None
    assert failed["credits"]["refunded"] == PRICE
    assert failed["credits"]["refund_reason"] == "provider_failed"
    assert await ann.credits() == (1000, 0, 0)


async def test_a_wait_ends_with_the_generation_or_with_its_time(ann: Person) -> None:
    ended = await ann.ask("quick", headers={"Prefer": "respond-async, wait=30"})
    assert (ended.status_code, ended.headers["preference-applied"]) == (200, "wait=30")
    assert ended.json()["status"] == "completed"
    still = await ann.ask("slow", headers={"Prefer": "wait=1"}, seconds=60)
    assert (still.status_code, still.headers["preference-applied"]) == (202, "wait=1")
    assert still.json()["status"] == "processing"
    capped = await ann.http.get(f"/v1/generations/{ended.json()['id']}", headers={"Prefer": 'wait="999"'})
    assert capped.headers["preference-applied"] == "wait=60"
    ignored = await ann.ask("whatever", headers={"Prefer": "wait=soon"})
    assert ignored.status_code == 202
    assert "preference-applied" not in ignored.headers
    await ann.http.post(f"/v1/generations/{still.json()['id']}/cancel")


async def test_progress_shows_while_it_runs_and_a_cancel_ends_it(ann: Person) -> None:
    asked = (await ann.ask("long", seconds=60)).json()
    path = f"/v1/generations/{asked['id']}"
    async with asyncio.timeout(20):
        while not (shown := (await ann.http.get(path)).json())["progress"]["percent"]:
            await asyncio.sleep(0.05)
    assert "it/s" in shown["progress"]["logs"]
    answer = await ann.http.post(f"{path}/cancel")
    assert answer.status_code == 202
    assert answer.json()["cancel_requested"] is True
    ended = (await ann.http.get(path, headers={"Prefer": "wait=30"})).json()
    assert (ended["status"], ended["failure"]["code"]) == ("canceled", "canceled_by_user")
    assert (await ann.http.post(f"{path}/cancel")).json()["status"] == "canceled"
    assert await ann.credits() == (1000, 0, 0)


async def test_a_list_is_cut_into_pages_and_filtered(ann: Person) -> None:
    made = [(await ann.run(f"number {number}", output="text"))["id"] for number in range(5)]
    seen: list[str] = []
    params = {"limit": "2"}
    while True:
        page = (await ann.http.get("/v1/generations", params=params)).json()
        assert len(page["data"]) <= 2
        seen += [one["id"] for one in page["data"]]
        if not page["has_more"]:
            assert page["next_cursor"] is None
            break
        params["before"] = page["next_cursor"]
    assert seen == made[::-1]
    for query, count in (("status=completed", 5), ("status=failed", 0), ("model=echo", 5), ("model=other", 0)):
        assert len((await ann.http.get(f"/v1/generations?{query}")).json()["data"]) == count


async def test_a_query_parameter_that_is_not_there_is_refused_by_name(here: Service, ann: Person) -> None:
    """Else whoever misspells a cursor reads the first page for ever."""
    for path in ("generations", "credits/transfers", "events", "models", "credits"):
        refused = await ann.http.get(f"/v1/{path}?next_cursor=x")
        assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")
        assert refused.json()["errors"] == [{"in": "query", "path": "/next_cursor", "message": "unknown"}]
    known = (await ann.http.get("/v1/generations?page=2")).json()["detail"]
    assert known == "There is no query parameter 'page'; this takes before, limit, model, status."
    for path in ("accounts", f"accounts/{ann.account_id}/keys"):
        assert (await here.operator.get(f"/v1/{path}?before=x")).status_code == 422
    async with httpx.AsyncClient(base_url=here.url) as anybody:
        assert (await anybody.get("/v1/generations?page=2")).status_code == 401


async def test_metadata_comes_back_as_it_was(ann: Person) -> None:
    metadata = {"order": 7, "tags": ["a", None, 1.5], "snow": "❄"}
    body = {"model": "echo", "input": {}, "metadata": metadata}
    answer = await ann.http.post("/v1/generations", json=body)
    assert answer.json()["metadata"] == metadata


async def test_twenty_at_once_with_one_key_are_one_generation(ann: Person) -> None:
    headers = {"Idempotency-Key": "the one"}
    answers = await asyncio.gather(*(ann.ask("once", headers=headers) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == 1
    later = await ann.ask("once", headers={**headers, "Prefer": "wait=30"})
    assert later.json()["id"] == answers[0].json()["id"]
    assert await ann.credits() == (1000 - PRICE, 0, PRICE)
    other = await ann.ask("twice", headers=headers)
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_conflict")
    assert other.json()["generation_id"] == later.json()["id"]


async def test_a_key_is_the_accounts_own(ann: Person, bob: Person) -> None:
    headers = {"Idempotency-Key": "same words"}
    hers, his = await ann.ask("hers", headers=headers), await bob.ask("his", headers=headers)
    assert (hers.status_code, his.status_code) == (202, 202)
    assert hers.json()["id"] != his.json()["id"]


async def test_without_credits_the_answer_says_how_many_are_missing(here: Service) -> None:
    async with here.person("poor", credits=PRICE + 1) as poor:
        first = await poor.ask("affordable", seconds=60)
        answer = await poor.ask("too much")
        assert answer.status_code == 402
        assert answer.headers["content-type"] == "application/problem+json"
        problem = answer.json()
        figures = {name: problem[name] for name in ("code", "needed", "available", "held", "credit_type", "status")}
        assert figures == {
            "code": "insufficient_credits", "needed": PRICE, "available": 1, "held": PRICE,
            "credit_type": "image_generation", "status": 402,
        }  # fmt: skip
        assert len((await poor.http.get("/v1/generations")).json()["data"]) == 1
        await poor.http.post(f"/v1/generations/{first.json()['id']}/cancel")


async def test_a_stop_answers_those_who_wait(here: Service, ann: Person) -> None:
    waiting = asyncio.create_task(ann.ask("for ever", headers={"Prefer": "wait=60"}, seconds=120))
    async with asyncio.timeout(20):
        while not (await ann.http.get("/v1/generations")).json()["data"]:
            await asyncio.sleep(0.02)
    here.stopping.set()
    answer = await waiting
    assert answer.status_code == 202
