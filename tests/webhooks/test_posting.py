"""One post: to the address that was looked at, within its time, and nowhere else."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import closing

import pytest

from mutoscope.webhooks.posting import CheckedNetwork, Poster, PostFailed, PostRefused
from tests.webhooks.receiver import Answer, Receiver

TIMEOUT_S = 0.5


@pytest.fixture
async def poster() -> AsyncIterator[Poster]:
    one = Poster(timeout_s=TIMEOUT_S, public_only=False)
    yield one
    await one.aclose()


async def test_the_body_arrives_as_it_is(poster: Poster, hook: Receiver) -> None:
    body = '{"snow": "❄"}'.encode()
    assert await poster.post(hook.url, {"webhook-id": "msg_1", "Content-Type": "application/json"}, body) == 204
    (taken,) = hook.taken
    assert taken.body == body
    assert taken.target == "/hook?tag=1"
    assert taken.headers["host"] == hook.url.split("/")[2]
    assert (taken.headers["webhook-id"], taken.headers["content-type"]) == ("msg_1", "application/json")


async def test_a_connection_is_used_again(poster: Poster, hook: Receiver) -> None:
    for _ in range(5):
        await poster.post(hook.url, {}, b"{}")
    assert (len(hook.taken), hook.connections) == (5, 1)


@pytest.mark.parametrize("status", [200, 301, 302, 307, 308, 400, 410, 500])
async def test_any_status_is_the_answer_and_no_redirect_is_followed(
    poster: Poster, hook: Receiver, status: int
) -> None:
    hook.answers.append(status)
    assert await poster.post(hook.url, {}, b"{}") == status
    assert len(hook.taken) == 1


@pytest.mark.parametrize("answer", ["lost", "silent", "nonsense"])
async def test_no_answer_is_a_failure(poster: Poster, hook: Receiver, answer: Answer) -> None:
    hook.answers.append(answer)
    with pytest.raises(PostFailed):
        await poster.post(hook.url, {}, b"{}")


async def test_a_silent_receiver_is_not_waited_for_longer_than_allowed(poster: Poster, hook: Receiver) -> None:
    hook.answers.append("silent")
    began = time.monotonic()
    with pytest.raises(PostFailed, match=r"0\.5 s"):
        await poster.post(hook.url, {}, b"{}")
    assert time.monotonic() - began < 10 * TIMEOUT_S


async def test_an_answer_without_end_is_cut_off(poster: Poster, hook: Receiver) -> None:
    hook.answers.append("endless")
    async with asyncio.timeout(20):
        assert await poster.post(hook.url, {}, b"{}") == 200


async def test_nobody_there_is_a_failure(poster: Poster) -> None:
    with closing(await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)) as server:
        port = server.sockets[0].getsockname()[1]
    await server.wait_closed()
    with pytest.raises(PostFailed):
        await poster.post(f"http://127.0.0.1:{port}/", {}, b"{}")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "2130706433", "localhost.localhost"])
async def test_in_production_this_machine_is_not_called(hook: Receiver, host: str) -> None:
    poster = Poster(timeout_s=5, public_only=True)
    port = hook.url.split(":")[2].split("/")[0]
    with pytest.raises(PostRefused):
        await poster.post(f"https://{host}:{port}/", {}, b"{}")
    await poster.aclose()
    assert hook.connections == 0


async def test_a_name_is_judged_by_its_addresses_when_the_connection_is_made(hook: Receiver) -> None:
    network = CheckedNetwork(public_only=True)
    with pytest.raises(PostRefused, match="public internet"):
        await network.connect_tcp("localhost", int(hook.url.split(":")[2].split("/")[0]))
    assert hook.connections == 0


@pytest.mark.parametrize("url", ["http://127.0.0.1/a\r\nHost: evil", "ftp://127.0.0.1/", "", "http://", "http://a b/"])
async def test_what_is_no_url_is_refused(poster: Poster, url: str) -> None:
    with pytest.raises(PostRefused):
        await poster.post(url, {}, b"{}")
