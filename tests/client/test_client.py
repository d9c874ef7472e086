"""Both clients against a real service, and against a server that misbehaves."""

import asyncio
import hashlib
import socket
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

import mutoscope
from mutoscope.client import ApiError, AsyncClient, Client, DownloadFailed, File, Generation, NotMutoscope, Unreachable
from tests.api.service import Service, service
from tests.servers.processes import free_ports
from tests.world import PRICE, RunnerProcess, runner_process, settings_for

INPUT = {"text": "a picture", "output": "file"}


@pytest.fixture(scope="session")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunnerProcess]:
    with runner_process(tmp_path_factory.mktemp("runner")) as one:
        yield one


@pytest.fixture
async def here(database_url: str, tmp_path: Path, runner: RunnerProcess) -> AsyncGenerator[Service]:
    async with service(settings_for(database_url, tmp_path, runner), runner, webhooks=True) as one:
        yield one


async def test_generate_waits_shows_progress_and_downloads(here: Service, tmp_path: Path) -> None:
    seen: list[int | None] = []
    async with here.person("ann") as ann, AsyncClient(here.url, ann.key) as client:
        inputs = {**INPUT, "seconds": 1.5}
        done = await client.generate("echo", inputs, on_progress=lambda shown: seen.append(shown.progress.percent))
        assert (done.status, done.credits.charged, done.ended) == ("completed", PRICE, True)
        assert seen[-1] == 100
        assert len(seen) > 1
        path = await client.download(done.files[0], tmp_path / "picture.png")
        assert hashlib.sha256(path.read_bytes()).hexdigest() == done.files[0].sha256
        changed = done.files[0].model_copy(update={"sha256": "0" * 64})
        with pytest.raises(DownloadFailed, match="other bytes"):
            await client.download(changed, tmp_path / "other.png")
        forged = done.files[0].model_copy(update={"url": done.files[0].url.replace("expires=1", "expires=2")})
        with pytest.raises(DownloadFailed, match="403"):
            await client.download(forged, tmp_path / "other.png")
        assert {one.name for one in tmp_path.iterdir() if "png" in one.name} == {"picture.png"}  # noqa: ASYNC240


async def test_an_operator_does_everything_for_an_account(here: Service) -> None:
    key = here.operator.headers["authorization"].removeprefix("Bearer ")
    async with AsyncClient(here.url, key, account="zoë") as client:
        async with AsyncClient(here.url, key) as nobody:
            account = await nobody.create_account("zoë")
        assert [one.external_id async for one in client.accounts()] == ["zoë"]
        lot = await client.grant("zoë", 10, external_id="welcome")
        assert (lot.account_id, lot.remaining) == (account.id, 10)
        assert (await client.grant("zoë", 10, external_id="welcome")).id == lot.id
        made = await client.create_key("zoë", name="phone")
        assert [one.id async for one in client.keys("zoë")] == [made.key.id]
        done = await client.generate("echo", INPUT)
        assert (await client.credits())[0].spent == PRICE
        kinds = [one.kind async for one in client.transfers()]
        assert kinds == ["post", "reserve", "grant"]
        assert [one.id async for one in client.list(status="completed")] == [done.id]
        assert (await client.quote("echo", INPUT)).credits == PRICE
        assert [one.alias for one in await client.models()] == ["echo"]
        assert "text" in ((await client.model("echo")).input_schema or {})["properties"]
        await client.revoke_key(made.key.id)
        async with AsyncClient(here.url, made.secret) as revoked:
            with pytest.raises(ApiError) as caught:
                await revoked.credits()
        assert (caught.value.status, caught.value.code) == (401, "unauthenticated")


async def test_no_credits_is_an_error_with_the_figures(here: Service) -> None:
    async with here.person("poor", credits=1) as poor, AsyncClient(here.url, poor.key) as client:
        with pytest.raises(ApiError) as caught:
            await client.generate("echo", INPUT)
    assert (caught.value.status, caught.value.code) == (402, "insufficient_credits")
    assert (caught.value.extra["needed"], caught.value.extra["available"], caught.value.extra["held"]) == (PRICE, 1, 0)


async def test_the_same_key_is_the_same_generation(here: Service) -> None:
    async with here.person("ann") as ann, AsyncClient(here.url, ann.key) as client:
        made = [await client.generate("echo", INPUT, idempotency_key="k", wait=False) for _ in range(3)]
        assert len({one.id for one in made}) == 1
        assert (await client.cancel(made[0].id)).id == made[0].id


async def test_the_plain_client_does_the_same(here: Service, tmp_path: Path) -> None:
    seen: list[Generation] = []

    def use(key: str) -> None:
        with mutoscope.Client(here.url, key) as client:
            done = client.generate("echo", INPUT, on_progress=seen.append)
            assert (client.get(done.id).credits, seen[-1].id) == (done.credits, done.id)
            assert (
                client.download(done.files[0], str(tmp_path / "picture.png")).stat().st_size == done.files[0].size_bytes
            )
            assert [one.id for one in client.list()] == [done.id]
            assert [one.kind for one in client.transfers()] == ["post", "reserve", "grant"]
            with pytest.raises(TimeoutError):
                client.generate("echo", {**INPUT, "seconds": 60}, timeout_s=0.2)
            assert client.cancel(next(iter(client.list())).id).credits.held == PRICE
        client.close()

    async with here.person("ann") as ann:
        await asyncio.to_thread(use, ann.key)


@asynccontextmanager
async def answering(answer: Callable[[Request, int], Response]) -> AsyncGenerator[tuple[str, list[Request]]]:
    """A server that answers the n-th request as told."""
    seen: list[Request] = []

    async def take(request: Request) -> Response:
        await request.body()
        seen.append(request)
        return answer(request, len(seen))

    app = Starlette(routes=[Route("/{path:path}", take, methods=["GET", "POST"])])
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off", ws="none"))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", seen
    finally:
        server.should_exit = True
        await task
        listener.close()


BUSY = {"status": 503, "code": "unavailable", "title": "Busy", "detail": "Later."}


async def test_a_busy_service_is_asked_again_with_the_same_key() -> None:
    def answer(_: Request, count: int) -> Response:
        if count < 3:
            return JSONResponse(BUSY, 503, headers={"Retry-After": "0"})
        return JSONResponse({"code": "stop", "detail": "Enough."}, 418)

    async with answering(answer) as (url, seen), AsyncClient(url, "key") as client:
        with pytest.raises(ApiError, match="Enough"):
            await client.generate("echo", {})
    assert len(seen) == 3
    assert len({request.headers["idempotency-key"] for request in seen}) == 1


async def test_what_is_no_mutoscope_is_said_to_be_none() -> None:
    for other in (JSONResponse({"hello": "world"}), JSONResponse([1]), Response("<html>", media_type="text/html")):
        async with answering(lambda _, __, other=other: other) as (url, _), AsyncClient(url, "key") as client:
            for ask in (client.models, client.credits, lambda client=client: client.get("gen_1")):
                with pytest.raises(NotMutoscope, match=r"127\.0\.0\.1.* is not a Mutoscope service") as refused:
                    await ask()
                assert "\n" not in str(refused.value)


async def test_what_is_not_repeatable_is_sent_once() -> None:
    async with answering(lambda _, __: JSONResponse(BUSY, 503)) as (url, seen), AsyncClient(url, "key") as client:
        with pytest.raises(ApiError) as caught:
            await client.create_key("ann")
    assert caught.value.code == "unavailable"
    assert len(seen) == 1


async def test_nobody_there_is_unreachable_after_a_few_tries() -> None:
    async with AsyncClient(f"http://127.0.0.1:{free_ports(1)[0]}", "key") as client:
        with pytest.raises(Unreachable):
            await client.credits()


async def test_an_answer_that_is_no_problem_document_is_still_an_error() -> None:
    async with (
        answering(lambda _, __: Response("<h1>Bad gateway</h1>", 502)) as (url, _),
        AsyncClient(url, "key") as client,
    ):
        with pytest.raises(ApiError, match="Bad gateway") as caught:
            await client.credits()
    assert (caught.value.status, caught.value.code) == (502, "unknown")


async def test_the_key_is_not_sent_with_a_download(tmp_path: Path) -> None:
    async with (
        answering(lambda _, __: Response(b"data")) as (url, seen),
        AsyncClient("http://127.0.0.1:9", "key") as client,
    ):
        sha256 = hashlib.sha256(b"data").hexdigest()
        file = File(number=0, url=url, media_type="text/plain", size_bytes=4, sha256=sha256, expires_at=None)
        await client.download(file, tmp_path / "data.txt")
    assert "authorization" not in seen[0].headers


def test_a_plain_client_can_be_made_and_closed_without_a_service() -> None:
    client = Client("http://127.0.0.1:9", "key")
    client.close()
