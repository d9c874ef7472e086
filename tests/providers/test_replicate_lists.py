"""Replicate's adapter and what it follows and believes: lists page by page, and webhooks only with a secret."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from mutoscope.core.ids import new_id
from mutoscope.providers.base import ProviderDown
from mutoscope.providers.replicate import MAX_PAGES, Replicate
from mutoscope.replicate_protocol.webhooks import InvalidSignature, new_webhook_secret, sign
from tests.providers.benches import RunnerBench, request
from tests.providers.reads import MADE, NOW, everything
from tests.providers.servers import ScriptedServer, answer, scripted_server
from tests.world import RunnerProcess


def page(*results: dict[str, Any], following: str | None = None) -> bytes:
    return answer(200, {"results": list(results), "next": following, "previous": None})


async def test_the_list_is_read_page_by_page(runner: RunnerProcess) -> None:
    """Against a real runner, whose pages hold 100."""
    bench, text = RunnerBench.make(runner), new_id("paging")
    since = datetime.now(UTC) - timedelta(seconds=1)
    places = asyncio.Semaphore(8)

    async def make() -> str:
        async with places:
            return (await bench.provider.create(request(bench.references["official"], text))).id

    made = await asyncio.gather(*(make() for _ in range(105)))
    found = [one async for one in bench.provider.recent(since)]
    assert [one.created_at for one in found] == sorted((one.created_at for one in found), reverse=True)
    assert sorted(made) == sorted(one.id for one in found if one.input["text"] == text)
    await bench.provider.aclose()


async def test_the_list_asks_only_for_what_is_new(server: ScriptedServer, replicate: Replicate) -> None:
    server.will(page(MADE))
    assert await everything(replicate) == ["p1"]
    path = httpx.URL(server.asked[0].path)
    assert datetime.fromisoformat(path.params["created_after"]) == NOW


async def test_an_endless_list_has_an_end(server: ScriptedServer, replicate: Replicate) -> None:
    server.will(page(MADE, following=f"{server.url}/v1/predictions?cursor=again"))
    assert len(await everything(replicate)) == MAX_PAGES == len(server.asked)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.2", "127.0.0.1"])
async def test_a_list_that_goes_on_elsewhere_is_not_followed(
    server: ScriptedServer, replicate: Replicate, host: str
) -> None:
    """Not even on another port of the same host: the token is for one server."""
    async with scripted_server() as elsewhere:
        elsewhere.will(page(MADE))
        port = httpx.URL(elsewhere.url).port
        server.will(page(MADE, following=f"http://{host}:{port}/v1/predictions?cursor=next"))
        with pytest.raises(ProviderDown):
            await everything(replicate)
        assert elsewhere.asked == []


# Webhooks.


async def test_without_a_secret_no_webhook_is_believed(replicate: Replicate) -> None:
    secret, body = new_webhook_secret(), b'{"id": "p1", "status": "succeeded", "created_at": "2026-01-01T00:00:00Z"}'
    timestamp = int(NOW.timestamp())
    signature = sign(secret, "m1", timestamp, body)
    headers = {"webhook-id": "m1", "webhook-timestamp": str(timestamp), "webhook-signature": signature}
    with pytest.raises(InvalidSignature):
        replicate.read_webhook(headers, body, now=NOW)


async def test_the_secret_can_be_learnt_and_is_not_if_one_was_given(runner: RunnerProcess) -> None:
    body = b'{"id": "p1", "status": "succeeded", "created_at": "2026-01-01T00:00:00Z"}'
    timestamp = int(NOW.timestamp())
    given = new_webhook_secret()
    for mine, secret in ((), runner.secret), ((given,), given):
        replicate = Replicate(runner.url, "test", webhook_secrets=mine)
        await replicate.learn_webhook_secret(now=NOW)
        signature = sign(secret, "m1", timestamp, body)
        headers = {"webhook-id": "m1", "webhook-timestamp": str(timestamp), "webhook-signature": signature}
        assert replicate.read_webhook(headers, body, now=NOW).prediction.id == "p1"
        await replicate.aclose()


@pytest.mark.parametrize("body", [{}, {"key": None}, {"key": "secret"}, []])
async def test_a_secret_that_is_none_is_not_taken(server: ScriptedServer, replicate: Replicate, body: Any) -> None:
    server.will(answer(200, body))
    await replicate.learn_webhook_secret(now=NOW)
    assert not await replicate.renew_webhook_secret(now=NOW + timedelta(hours=1))
    with pytest.raises(InvalidSignature):
        replicate.read_webhook({}, b"{}", now=NOW)
