"""Nothing of another account is ever readable: every route there is, with another account's key."""

import re
from typing import Any

import httpx
from fastapi import APIRouter
from fastapi.routing import APIRoute
from starlette.routing import Mount

from mutoscope.api.app import _OUTSIDE, _V1, build_app
from tests.api.service import Person, Service, client

OPEN = {"/healthz", "/readyz", "/openapi.json", "/docs", "/docs/oauth2-redirect"}
FOR_ANYBODY_WITH_A_KEY = {("GET", "/v1/models"), ("GET", "/v1/models/{alias}"), ("POST", "/v1/quotes")}
GRANT = {"credit_type": "image_generation", "amount": 5, "source": "promo", "external_id": "theft"}
BODIES: dict[str, Any] = {
    "/v1/generations": {"model": "echo", "input": {}},
    "/v1/quotes": {"model": "echo", "input": {}},
    "/v1/files": {"any": "bytes"},
    "/v1/accounts": {"external_id": "new"},
    "/v1/accounts/{account}/keys": {"name": "theft"},
    "/v1/accounts/{account}/grants": GRANT,
    "/v1/generations/{generation_id}/refunds": {"amount": 1, "reason": "theft"},
}


def routes(document: dict[str, Any]) -> list[tuple[str, str]]:
    """Method and path of everything that OpenAPI says there is."""
    return [(method.upper(), path) for path, item in document["paths"].items() for method in item]


async def test_every_route_of_v1_needs_a_key(here: Service) -> None:
    document = (await here.operator.get("/openapi.json")).json()
    assert len(routes(document)) > 18
    async with client(here.url, None) as nobody:
        for method, path in routes(document):
            if path in OPEN:
                continue
            url = re.sub(r"\{\w+\}", "x", path)
            answer = await nobody.request(method, url, json=BODIES.get(path), headers={"Idempotency-Key": "k"})
            assert answer.status_code == 401, f"{method} {path}: {answer.status_code}"


def test_nothing_is_served_that_is_not_in_the_document(here: Service) -> None:
    """So that the tests that go through the document go through everything."""
    document = build_app(here.runtime, run_engine=False).openapi()
    served = {f"/v1{path}" for room in _V1 for path in _paths(room.router)}
    served |= {path for room in _OUTSIDE for path in _paths(room.router)}
    assert served == {path for _, path in routes(document)} | {
        "/callbacks/{provider}",
        "/callbacks/self-test",
        "/files/{key:path}",
    }
    # The front door is an application of its own; tests/compat/test_tenancy.py goes through it.
    mounts = [route.path for route in build_app(here.runtime, run_engine=False).routes if isinstance(route, Mount)]
    assert mounts == ["/replicate"]


def _paths(router: APIRouter) -> set[str]:
    return {route.path for route in router.routes if isinstance(route, APIRoute)}


async def test_no_route_shows_or_changes_another_accounts_things(here: Service, ann: Person, bob: Person) -> None:
    done = await ann.run("hers alone")
    (key,) = (await here.operator.get("/v1/accounts/ann/keys")).json()["data"]
    file = (await ann.http.post("/v1/files", content=b"hers alone")).json()
    hers = {
        "generation_id": done["id"],
        "file_id": file["id"],
        "account": ann.account_id,
        "key_id": key["id"],
        "alias": "echo",
    }
    before = await _everything(here, ann, file["id"])
    document = (await here.operator.get("/openapi.json")).json()
    for method, path in routes(document):
        if path in OPEN or (method, path) in FOR_ANYBODY_WITH_A_KEY:
            continue
        for headers in ({}, {"Mutoscope-Account": "ann"}, {"Mutoscope-Account": ann.account_id}):
            answer = await bob.http.request(
                method, path.format_map(hers), json=BODIES.get(path), headers={"Idempotency-Key": "theft", **headers}
            )
            _shows_nothing(answer, f"{method} {path} {headers}", done["id"], ann.account_id, headers)
    assert await _everything(here, ann, file["id"]) == before


def _shows_nothing(answer: httpx.Response, what: str, generation_id: str, account_id: str, headers: Any) -> None:
    if headers:
        assert answer.status_code == 403, what
    shown = answer.text.replace(answer.request.url.path, "")
    if answer.is_success:
        assert generation_id not in shown, what
        assert account_id not in shown, what
        assert "hers alone" not in shown, what
    else:
        assert answer.status_code in {403, 404}, f"{what}: {answer.status_code} {answer.text}"


async def _everything(here: Service, person: Person, file_id: str) -> list[Any]:
    headers = {"Mutoscope-Account": person.account_id}
    paths = (
        "/v1/generations",
        "/v1/credits",
        "/v1/credits/transfers",
        "/v1/events",
        f"/v1/files/{file_id}",
        f"/v1/accounts/{person.account_id}",
    )
    found = [(await here.operator.get(path, headers=headers)).json() for path in paths]
    for one in found[0]["data"]:
        for file in one["files"]:
            del file["url"], file["expires_at"]
        del one["output"]
    del found[4]["url"]
    return found


async def test_lists_show_only_ones_own(ann: Person, bob: Person) -> None:
    await ann.run("hers")
    for path, count in (("/v1/generations", 0), ("/v1/credits/transfers", 1), ("/v1/events", 1)):
        his = (await bob.http.get(path)).json()["data"]
        assert "hers" not in str(his)
        assert len(his) == count


async def test_an_external_id_in_any_script_finds_its_account(here: Service) -> None:
    async with here.person("zoë ❄:x") as zoe:
        answer = await here.operator.get("/v1/credits", headers=[(b"Mutoscope-Account", "zoë ❄:x".encode())])
        assert answer.json() == (await zoe.http.get("/v1/credits")).json()
