"""What is not under ``/v1``: health, webhooks, and files behind signed links."""

import asyncio
import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from mutoscope.replicate_protocol.webhooks import sign
from tests.api.plug import plugged
from tests.api.service import Person, Service, service
from tests.storage.streams import stream
from tests.world import RunnerProcess, settings_for

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@ON_SQLITE
async def test_readiness_ends_before_the_service_does(here: Service) -> None:
    async with httpx.AsyncClient(base_url=here.url) as anybody:
        assert (await anybody.get("/healthz")).json() == {"status": "ok"}
        ready = await anybody.get("/readyz")
        fine = dict.fromkeys(("status", "database", "storage", "engine"), "ok")
        assert (ready.status_code, ready.json()) == (200, fine)
        here.stopping.set()
        stopping = await anybody.get("/readyz")
        assert (stopping.status_code, stopping.json()["status"]) == (503, "down")


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_a_database_that_goes_away_is_said_to_be_down(
    database_url: str, tmp_path: Path, runner: RunnerProcess
) -> None:
    port = urlsplit(database_url).port
    assert port
    async with plugged(port) as (plug, plug_port):
        settings = settings_for(database_url.replace(f":{port}/", f":{plug_port}/"), tmp_path, runner)
        async with service(settings, runner) as here, httpx.AsyncClient(base_url=here.url) as anybody:
            assert (await here.operator.get("/v1/models")).status_code == 200
            await plug.pull()
            down = await anybody.get("/readyz")
            assert down.status_code == 503
            assert down.json() == {"status": "down", "database": "down", "storage": "ok", "engine": "ok"}
            assert (await anybody.get("/healthz")).status_code == 200
            refused = await here.operator.post("/v1/accounts", json={"external_id": "a"})
            assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
            assert int(refused.headers["retry-after"]) >= 1


def webhook(here: Service, body: bytes, *, message_id: str = "msg_1", age_s: int = 0) -> dict[str, str]:
    timestamp = int((datetime.now(UTC) - timedelta(seconds=age_s)).timestamp())
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign(here.runner.secret, message_id, timestamp, body),
    }


async def test_webhooks_are_taken_only_from_the_provider(here: Service, ann: Person) -> None:
    asked = (await ann.ask("held", seconds=60)).json()
    path = f"/v1/generations/{asked['id']}"
    async with asyncio.timeout(20):
        while not (shown := (await here.operator.get(path, headers={"Mutoscope-Account": "ann"})).json())["provider"][
            "prediction_id"
        ]:
            await asyncio.sleep(0.05)
    prediction = {
        "id": shown["provider"]["prediction_id"], "status": "processing", "input": {}, "output": None, "error": None,
        "logs": " 42%|####      | 42/100 [00:01<00:01, 40.00it/s]\n", "model": "mutoscope/echo", "version": "a" * 64,
        "created_at": "2026-01-01T00:00:00Z", "urls": {},
    }  # fmt: skip
    body = json.dumps(prediction).encode()
    async with httpx.AsyncClient(base_url=here.url) as provider:
        taken = await provider.post("/callbacks/replicate", content=body, headers=webhook(here, body))
        assert (taken.status_code, taken.content) == (204, b"")
        again = await provider.post("/callbacks/replicate", content=body, headers=webhook(here, body))
        assert again.status_code == 204
        for headers in ({}, webhook(here, body + b" "), webhook(here, body, age_s=3600)):
            forged = await provider.post("/callbacks/replicate", content=body, headers=headers)
            assert (forged.status_code, forged.json()["code"]) == (401, "invalid_signature")
        unknown = await provider.post("/callbacks/other", content=body, headers=webhook(here, body))
        assert unknown.status_code == 404
        nothing = b'{"no": "prediction"}'
        odd = await provider.post(
            "/callbacks/replicate", content=nothing, headers=webhook(here, nothing, message_id="2")
        )
        assert odd.status_code == 422
        nul = await provider.post("/callbacks/replicate?ref=%00", content=body, headers=webhook(here, body))
        assert nul.status_code == 422
    await ann.http.post(f"{path}/cancel")


@ON_SQLITE
async def test_a_file_is_served_to_whoever_holds_its_link(ann: Person) -> None:
    (file,) = (await ann.run("a file"))["files"]
    async with httpx.AsyncClient() as anybody:
        whole = await anybody.get(file["url"])
        assert hashlib.sha256(whole.content).hexdigest() == file["sha256"]
        assert whole.headers["content-type"] == "image/png"
        assert whole.headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in whole.headers["content-security-policy"]
        assert "content-disposition" not in whole.headers
        part = await anybody.get(file["url"], headers={"Range": "bytes=1-3"})
        assert (part.status_code, part.content) == (206, b"PNG")
        assert part.headers["content-range"] == f"bytes 1-3/{file['size_bytes']}"
        for wanted, status, code in (
            ("bytes=9999999-", 416, "range_not_satisfiable"),
            ("bytes=3-1", 400, "invalid_range"),
            ("words=1-2", 400, "invalid_range"),
        ):
            refused = await anybody.get(file["url"], headers={"Range": wanted})
            assert (refused.status_code, refused.json()["code"]) == (status, code)
            assert refused.headers["content-type"] == "application/problem+json"
            assert refused.headers.get("content-range") == (f"bytes */{file['size_bytes']}" if status == 416 else None)
        head = await anybody.head(file["url"])
        assert (head.headers["content-length"], head.content) == (str(file["size_bytes"]), b"")


@ON_SQLITE
async def test_a_link_that_was_changed_or_is_over_serves_nothing(here: Service, ann: Person) -> None:
    (file,) = (await ann.run("a file"))["files"]
    links = here.runtime.links
    key = httpx.URL(file["url"]).path.removeprefix("/files/")
    over = links.sign(key, datetime.now(UTC) - timedelta(seconds=1), "image/png")
    gone = links.sign("generations/a/b/0.png", datetime.now(UTC) + timedelta(seconds=60), "image/png")
    async with httpx.AsyncClient() as anybody:
        for url, status, code in (
            (file["url"].replace("image%2Fpng", "text%2Fhtml"), 403, "invalid_link"),
            (file["url"].replace("/0.png", "/1.png"), 403, "invalid_link"),
            (file["url"].partition("?")[0], 403, "invalid_link"),
            (f"{here.url}/files/..%2f..%2fsecret?expires=1&type=a&signature=b", 403, "invalid_link"),
            (f"{here.url}/files/", 403, "invalid_link"),
            (over, 403, "link_expired"),
            (gone, 404, "object_missing"),
        ):
            answer = await anybody.get(url)
            assert (answer.status_code, answer.json()["code"]) == (status, code), url
            assert answer.headers["content-type"] == "application/problem+json"


@ON_SQLITE
async def test_only_harmless_types_are_shown_in_a_browser(here: Service) -> None:
    shown = {"film.mp4": "video/mp4", "text.txt": "text/plain", "paper.pdf": "application/pdf", "a.webp": "image/webp"}
    saved = {"page.html": "text/html", "drawing.svg": "image/svg+xml", "a.zip": "application/zip"}
    async with httpx.AsyncClient() as anybody:
        for name, media_type in (shown | saved).items():
            await here.runtime.store.put(name, stream(b"<script>alert(1)</script>"), media_type=media_type)
            answer = await anybody.get(await here.runtime.store.link(name, expires_s=60, media_type=media_type))
            assert answer.status_code == 200
            assert answer.headers["content-type"].partition(";")[0] == media_type
            assert ("content-disposition" in answer.headers) == (name in saved)
            assert answer.headers["x-content-type-options"] == "nosniff"


@ON_SQLITE
async def test_models_and_quotes_say_what_a_run_will_cost(ann: Person) -> None:
    listed = (await ann.http.get("/v1/models")).json()["data"]
    assert [one["alias"] for one in listed] == ["echo", "per-file"]
    assert listed[0]["price"]["text"] == "3 image_generation credits per run"
    assert listed[1]["price"]["text"] == "2 image_generation credits per output"
    shown = (await ann.http.get("/v1/models/echo")).json()
    assert shown["input_schema"]["properties"]["seconds"]["maximum"] == 600
    assert shown["limits"]["run_timeout_s"] == 600
    quote = (await ann.http.post("/v1/quotes", json={"model": "echo", "input": {"text": "a"}})).json()
    assert (quote["credits"], quote["credit_type"]) == (3, "image_generation")
    assert quote["breakdown"] == [{"part": "run", "quantity": 1, "price_credits": 3, "credits": 3}]
    assert await ann.credits() == (1000, 0, 0)


async def test_events_are_followed_without_gaps(ann: Person) -> None:
    for number in range(3):
        await ann.run(f"number {number}", output="text")
    numbers: list[int] = []
    types: list[str] = []
    after = 0
    while True:
        page = (await ann.http.get(f"/v1/events?after={after}&limit=2")).json()
        numbers += [one["number"] for one in page["data"]]
        types += [one["type"] for one in page["data"]]
        if not page["has_more"]:
            break
        after = int(page["next_cursor"])
    assert numbers == [*range(1, 8)]
    assert types == ["credits.granted", *(["generation.queued", "generation.completed"] * 3)]
