"""What is passed through from the provider: read only, briefly kept, and with nothing of the operator's in it."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response

from mutoscope.providers.pages import RATE, RATE_EACH
from tests.api.service import Service, service
from tests.compat.door import Door, door
from tests.compat.upstream import TOKEN, Upstream, upstream
from tests.world import RunnerProcess, echo, settings_for

VERSION = "5" * 64


@pytest.fixture
async def theirs() -> AsyncIterator[Upstream]:
    async with upstream() as one:
        yield one


@pytest.fixture
async def here(database_url: str, tmp_path: Path, theirs: Upstream) -> AsyncIterator[Service]:
    """The provider is the stand-in; nothing is run."""
    nobody = RunnerProcess(theirs.url, "")
    models = {"mine": echo(reference="acme/hidden"), "deployed": echo(reference="deployments/acme/fast")}
    settings = settings_for(
        database_url, tmp_path, nobody, models=models, replicate_api_token=TOKEN, replicate_webhook_secret=None
    )
    async with service(settings, nobody) as one:
        yield one


@pytest.fixture
async def anns(here: Service) -> AsyncIterator[Door]:
    async with here.person("ann") as ann, door(here.url, ann.key) as one:
        yield one


def model(owner: str, name: str, visibility: str = "public") -> dict[str, Any]:
    return {"owner": owner, "name": name, "visibility": visibility, "url": f"https://replicate.com/{owner}/{name}"}


async def test_pages_come_through_as_they_are(theirs: Upstream, anns: Door) -> None:
    pages = {
        "hardware": [{"name": "CPU", "sku": "cpu"}],
        "collections": {"previous": None, "next": None, "results": [{"slug": "a", "name": "A", "description": "x"}]},
        "collections/a": {"slug": "a", "name": "A", "description": "x", "models": []},
        "search": {"query": "cats", "models": [], "collections": [], "pages": []},
        "models": {"previous": None, "next": None, "results": [model("a", "b")]},
        "models/a/b": model("a", "b"),
        "models/a/b/versions": {"previous": None, "next": None, "results": []},
        f"models/a/b/versions/{VERSION}": {"id": VERSION, "created_at": "2026-01-01T00:00:00Z"},
        "models/a/b/examples": {"previous": None, "next": None, "results": []},
    }
    theirs.pages = dict(pages)
    for path, page in pages.items():
        answer = await anns.http.get(path)
        assert (answer.status_code, answer.json()) == (200, page), path
    await anns.http.get("search", params={"query": "cats & dogs", "limit": "3"})
    assert dict(theirs.asked[-1].query_params) == {"query": "cats & dogs", "limit": "3"}


async def test_the_readme_is_text_and_search_has_its_own_method(theirs: Upstream, anns: Door) -> None:
    theirs.pages = {
        "models/a/b": model("a", "b"),
        "models/a/b/readme": PlainTextResponse("# Hello"),
        "QUERY models": {"previous": None, "next": None, "results": [model("a", "found")]},
    }
    readme = await anns.http.get("models/a/b/readme")
    assert (readme.text, readme.headers["content-type"].partition(";")[0]) == ("# Hello", "text/plain")
    found = await anns.http.request("QUERY", "models", content="ünder water", headers={"Content-Type": "text/plain"})
    assert found.json()["results"][0]["name"] == "found"
    assert theirs.asked[-1].method == "QUERY"
    assert (await theirs.asked[-1].body()).decode() == "ünder water"
    too_long = await anns.http.request("QUERY", "models", params={"x": "y" * 1000}, content="water")
    assert (too_long.status_code, len(theirs.asked)) == (422, 3)


async def test_only_the_token_of_the_operator_goes_there_and_it_never_comes_back(
    here: Service, theirs: Upstream, anns: Door
) -> None:
    theirs.pages = {"hardware": []}
    answer = await anns.http.get("hardware", headers={"X-Mine": "secret", "Cookie": "a=b"})
    (asked,) = theirs.asked
    assert asked.headers["authorization"] == f"Bearer {TOKEN}"
    assert not {"x-mine", "cookie", "mutoscope-account"} & set(asked.headers)
    assert TOKEN not in answer.text + str(answer.headers)


async def test_a_token_that_was_replaced_is_not_used_again(database_url: str, tmp_path: Path, theirs: Upstream) -> None:
    nobody = RunnerProcess(theirs.url, "")
    settings = settings_for(
        database_url, tmp_path, nobody, replicate_api_token="r8_refused", replicate_old_api_tokens=[TOKEN]
    )
    theirs.pages, theirs.known = {"hardware": [], "collections": {"results": []}}, TOKEN
    async with service(settings, nobody) as here, here.person("ann") as ann, door(here.url, ann.key) as anns:
        for path in ("hardware", "collections"):
            assert (await anns.http.get(path)).status_code == 200, path
    assert theirs.tokens() == ["r8_refused", TOKEN, TOKEN]


async def test_what_an_account_may_run_is_read_with_its_token(
    database_url: str, tmp_path: Path, theirs: Upstream
) -> None:
    nobody, own = RunnerProcess(theirs.url, ""), "r8_of_the_other_account"
    theirs.pages = {
        "models/acme/hidden": model("acme", "hidden", "private"),
        "models/acme/hidden/versions": {"results": []},
        "deployments/acme/fast": {"owner": "acme", "name": "fast"},
        "deployments/acme/eu": {"owner": "acme", "name": "eu"},
    }
    models = {
        "hidden": echo(reference=f"acme/hidden:{VERSION}", accounts=["eu"]),
        "fast": echo(reference="deployments/acme/fast"),
        "eu": echo(reference="deployments/acme/eu", accounts=["eu"]),
    }
    more = {"replicate_api_token": TOKEN, "replicate_accounts": {"eu": {"api_tokens": [own]}}}
    settings = settings_for(database_url, tmp_path, nobody, models=models, replicate_webhook_secret=None, **more)
    async with service(settings, nobody) as here, here.person("ann") as ann, door(here.url, ann.key) as anns:
        for path in ("models/acme/hidden", "models/acme/hidden/versions"):
            assert (await anns.http.get(path)).status_code == 200, path
        listed = (await anns.http.get("deployments")).json()["results"]
    assert [one["name"] for one in listed] == ["fast", "eu"]
    assert theirs.tokens() == [own, own, TOKEN, own]


async def test_the_next_page_is_ours_too(here: Service, theirs: Upstream, anns: Door) -> None:
    """A client follows the link with the caller's key, which must not leave."""
    theirs.pages = {"models": {"next": f"{theirs.url}/v1/models?cursor=abc", "previous": None, "results": []}}
    assert (await anns.http.get("models")).json()["next"] == f"{here.url}/replicate/v1/models?cursor=abc"
    theirs.pages = {"collections": {"next": "https://elsewhere.example/v1/x", "previous": 7, "results": []}}
    page = (await anns.http.get("collections")).json()
    assert (page["next"], page["previous"]) == (None, None)


async def test_a_page_is_kept_for_a_moment(theirs: Upstream, anns: Door) -> None:
    theirs.pages = {"models/a/b": model("a", "b"), "models/a/b/versions": {"results": []}}
    for path in ("models/a/b", "models/a/b", "models/a/b/versions", "models/a/b?x=1", "models/a/b/versions"):
        assert (await anns.http.get(path)).status_code == 200
    assert theirs.paths() == ["models/a/b", "models/a/b/versions", "models/a/b"]


async def test_more_deployments_than_one_may_read_pages_are_listed_all_the_same(
    database_url: str, tmp_path: Path, theirs: Upstream
) -> None:
    names = [f"d{number}" for number in range(RATE.burst + RATE_EACH.burst)]
    theirs.pages = {f"deployments/acme/{name}": {"owner": "acme", "name": name} for name in names}
    nobody = RunnerProcess(theirs.url, "")
    models = {name: echo(reference=f"deployments/acme/{name}") for name in names}
    settings = settings_for(database_url, tmp_path, nobody, models=models, replicate_webhook_secret=None)
    async with service(settings, nobody) as here, here.person("ann") as ann, door(here.url, ann.key) as anns:
        async with asyncio.timeout(40):
            while (answer := await anns.http.get("deployments")).status_code == 429:
                await asyncio.sleep(answer.json()["retry_after"])  # as it asks for
        assert answer.status_code == 200, answer.text
        assert [one["name"] for one in answer.json()["results"]] == names
        assert len(theirs.asked) == len(names), "each was read once"


async def test_private_models_and_deployments_show_only_where_they_are_offered(theirs: Upstream, anns: Door) -> None:
    release = {"number": 1, "model": "acme/hidden", "version": VERSION}
    theirs.pages = {
        "models/acme/secret": model("acme", "secret", "private"),
        "models/acme/secret/versions": {"results": [{"id": VERSION}]},
        "models/acme/secret/readme": PlainTextResponse("internal"),
        "models/acme/hidden": model("acme", "hidden", "private"),
        "models/acme/fast": model("acme", "fast", "private"),
        "models/acme/odd": {"owner": "acme", "name": "odd"},
        "deployments": {"results": [{"owner": "acme", "name": "secret"}]},
        "deployments/acme/fast": {"owner": "acme", "name": "fast", "current_release": release},
        "deployments/acme/secret": {"owner": "acme", "name": "secret"},
    }
    secret = ("models/acme/secret", "models/acme/secret/versions", "models/acme/secret/readme")
    for path in (*secret, "models/acme/odd", "models/acme/fast"):
        assert (await anns.http.get(path)).status_code == 404, path
    assert (await anns.http.get("deployments/acme/secret")).status_code == 404
    assert (await anns.http.get("models/acme/hidden")).json()["name"] == "hidden"
    (only,) = (await anns.http.get("deployments")).json()["results"]
    assert only["name"] == (await anns.http.get("deployments/acme/fast")).json()["name"] == "fast"
    assert "deployments/acme/secret" not in theirs.paths()


@pytest.mark.parametrize(
    ("page", "status"),
    [
        (JSONResponse({"detail": "bad limit"}, 400), 400),
        (JSONResponse({"detail": "Unauthenticated"}, 401), 502),
        (JSONResponse({"detail": "no"}, 403), 502),
        (JSONResponse({"detail": "slow down"}, 429, {"Retry-After": "7"}), 429),
        (JSONResponse({"detail": "slow down", "retry_after": 7}, 429), 429),
        (JSONResponse({"detail": "Your rate limit resets in ~7s."}, 429), 429),
        (JSONResponse({"detail": "oops"}, 500), 503),
        (RedirectResponse("https://elsewhere.example/"), 502),
        (Response("<html>", media_type="text/html"), 503),
        (Response(b"[" * 100_000, media_type="application/json"), 503),
        (Response(bytes(9_000_000), media_type="application/json"), 503),
        (Response(b'{"a": NaN}', media_type="application/json"), 503),
    ],
)
async def test_what_the_provider_does_wrong_is_said_in_replicates_shape(
    theirs: Upstream, anns: Door, page: Response, status: int
) -> None:
    theirs.pages = {"hardware": page}
    answer = await anns.http.get("hardware")
    assert (answer.status_code, answer.json()["status"]) == (status, status)
    assert answer.json()["detail"]
    if status == 429:
        assert (answer.json()["retry_after"], answer.headers["retry-after"]) == (7, "7")


async def test_what_json_can_say_and_utf8_cannot_comes_through(theirs: Upstream, anns: Door) -> None:
    theirs.pages = {"hardware": Response(b'[{"name": "\\ud800", "sku": "\xc3\xa9"}]', media_type="application/json")}
    answer = await anns.http.get("hardware")
    assert (answer.status_code, answer.json()) == (200, [{"name": "\ud800", "sku": "é"}])


async def test_nothing_can_be_changed_there(theirs: Upstream, anns: Door) -> None:
    for method, path in (
        ("POST", "models"),
        ("PATCH", "models/a/b"),
        ("DELETE", "models/a/b"),
        ("DELETE", f"models/a/b/versions/{VERSION}"),
        ("POST", "deployments"),
        ("PATCH", "deployments/acme/fast"),
        ("DELETE", "deployments/acme/fast"),
    ):
        answer = await anns.http.request(method, path, content=json.dumps({}))
        assert (answer.status_code, answer.json()["status"]) == (403, 403), path
    assert theirs.asked == []


async def test_an_account_reads_no_more_than_its_share(theirs: Upstream, anns: Door) -> None:
    theirs.pages = {"search": {"models": [], "collections": [], "pages": []}}
    async with asyncio.timeout(30):
        number = 0
        while (answer := await anns.http.get("search", params={"query": str(number)})).status_code == 200:
            number += 1
    assert number >= RATE_EACH.burst
    assert (answer.status_code, answer.json()["status"], answer.json()["retry_after"]) == (429, 429, 1)
    assert answer.headers["retry-after"] == "1"
    assert len(theirs.asked) == number
