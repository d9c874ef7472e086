"""Nothing of another account is ever readable through the front door: every route there is, with another's key."""

from typing import Any

import httpx
from sqlalchemy import select
from starlette.routing import Route

from mutoscope.api.app import build_app
from mutoscope.compat.app import ROUTES
from mutoscope.webhooks.models import WebhookDelivery
from tests.api.service import Person, Service
from tests.compat.door import Door, door
from tests.webhooks.receiver import Receiver

# Ids in paths that are of one account only.
OWNED = ("prediction_id", "training_id", "file_id")
# For whoever holds the link; nobody can make one, see test_outputs.py, test_streams.py and test_files.py.
OPEN = {
    "/outputs/{generation_id}/{signature}/{file}",
    "/streams/{generation_id}/{signature}",
    "/v1/files/{file_id}/download",
}


def routes() -> list[tuple[str, str]]:
    """Method and path of everything that is served."""
    return [(method, route.path) for route in ROUTES for method in sorted(route.methods or ()) if method != "HEAD"]


def test_the_front_door_has_no_routes_that_are_not_gone_through_here(here: Service) -> None:
    app = build_app(here.runtime, run_engine=False)
    (mounted,) = [one for one in app.routes if getattr(one, "path", "") == "/replicate"]
    served = [one for one in getattr(mounted, "routes", []) if isinstance(one, Route)]
    assert {one.path for one in served} == {path for _, path in routes()}
    assert len(routes()) > 35


async def test_every_route_needs_a_key(here: Service) -> None:
    async with door(here.url, None) as nobody:
        for method, path in routes():
            if path not in OPEN:
                url = f"{here.url}/replicate{path.format_map(_Named())}"
                answer = await nobody.http.request(method, url)
                assert answer.status_code == 401, (method, path)


async def test_no_route_shows_or_changes_another_accounts_things(
    here: Service, ann: Person, anns: Door, bobs: Door, hook: Receiver
) -> None:
    hers = await anns.run(text="hers alone", body={"webhook": hook.url})
    running = await anns.start(text="hers alone", seconds=60)
    secret = (await anns.http.get("webhooks/default/secret")).json()["key"]
    file = (await anns.http.post("files", files={"content": ("hers alone.txt", b"hers alone")})).json()
    secrets = [hers["id"], running["id"], file["id"], "hers alone", secret, ann.account_id]
    for prediction_id in (hers["id"], running["id"]):
        ids = {"prediction_id": prediction_id, "training_id": prediction_id, "file_id": file["id"]}
        names = _Named(ids, owner="mutoscope", name="echo")
        for method, path in routes():
            for act_for in (None, "ann", ann.account_id) if path not in OPEN else ():
                answer = await _try(bobs, method, f"{here.url}/replicate", path, names, act_for)
                assert not [one for one in secrets if one in _told(answer, names)], (method, path, act_for)
    assert (await anns.get(running["id"]))["status"] in {"starting", "processing"}, "nobody else has canceled it"
    assert (await anns.http.get(f"files/{file['id']}")).json() == file, "nobody else has deleted it"
    for path in ("predictions", "files"):
        assert (await bobs.http.get(path)).json()["results"] == []
    await anns.http.post(f"predictions/{running['id']}/cancel")


async def _try(bobs: Door, method: str, base: str, path: str, names: "_Named", act_for: str | None) -> httpx.Response:
    headers = {"Mutoscope-Account": act_for} if act_for else {}
    answer = await bobs.http.request(method, base + path.format_map(names), headers=headers)
    if act_for:
        assert answer.status_code == 403, (method, path)
    elif any(f"{{{one}}}" in path for one in OWNED):
        assert answer.status_code == 404, (method, path)
    return answer


def _told(answer: httpx.Response, names: "_Named") -> str:
    """What an answer says; an error may say again what it was asked for."""
    text = answer.text
    for one in names.values() if answer.is_error else ():
        text = text.replace(one, "")
    return text


async def test_a_key_of_one_account_may_be_used_by_another(anns: Door, bobs: Door) -> None:
    headers = {"Idempotency-Key": "the same words"}
    hers, his = await anns.ask(text="hers", headers=headers), await bobs.ask(text="his", headers=headers)
    assert (hers.status_code, his.status_code) == (201, 201)
    assert hers.json()["id"] != his.json()["id"]


async def test_webhooks_are_signed_with_ones_own_secret_only(
    here: Service, anns: Door, bobs: Door, hook: Receiver
) -> None:
    """Two accounts send to the same receiver; neither can be taken for the other."""
    await anns.run(body={"webhook": hook.url})
    await bobs.run(body={"webhook": hook.url})
    await hook.until(lambda: len(hook.taken) == 2)
    async with here.runtime.database.read() as session:
        found = {one.message_id: one.account_id for one in await session.scalars(select(WebhookDelivery))}
    assert len({found[one.message_id] for one in hook.taken}) == 2
    signatures = [one.headers["webhook-signature"] for one in hook.taken]
    assert len(set(signatures)) == 2


class _Named(dict[str, str]):
    """Anything that is not named is ``x``."""

    def __missing__(self, key: str) -> Any:
        return "x"
