"""A runner in this process or in one of its own, a client of it, and a receiver of its webhooks; all over real HTTP."""

import asyncio
import json
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mutoscope.replicate_protocol.webhooks import InvalidSignature, verify
from mutoscope.runner.config import RunnerConfig
from mutoscope.runner.server import serve
from tests.servers.http import serving

Json = dict[str, Any]
TERMINAL = {"succeeded", "failed", "canceled", "aborted"}


async def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    """Wait for a condition, and fail when it does not come."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


async def eventually(read: Callable[[], Awaitable[Json]], wanted: Callable[[Json], bool], seconds: float = 20) -> Json:
    """Read again and again until the answer is as wanted, and fail when it never is."""
    async with asyncio.timeout(seconds):
        while not wanted(answer := await read()):
            await asyncio.sleep(0.01)
    return answer


@dataclass
class Client:
    """Talks to one runner."""

    url: str
    secret: str
    http: httpx.AsyncClient

    async def create(
        self, model_input: Json | None = None, *, model: str = "mutoscope/echo", **options: Any
    ) -> httpx.Response:
        faults, headers = options.pop("faults", None), dict(options.pop("headers", {}))
        if faults:
            headers["X-Runner-Faults"] = json.dumps(faults)
        body = {"version": model, "input": model_input or {}, **options}
        return await self.http.post("/v1/predictions", json=body, headers=headers)

    async def start(self, model_input: Json | None = None, **options: Any) -> Json:
        answer = await self.create(model_input, **options)
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def get(self, prediction_id: str) -> Json:
        answer = await self.http.get(f"/v1/predictions/{prediction_id}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def reach(self, prediction_id: str, statuses: set[str], seconds: float = 20) -> Json:
        return await eventually(lambda: self.get(prediction_id), lambda shown: shown["status"] in statuses, seconds)

    async def run(self, model_input: Json | None = None, **options: Any) -> Json:
        return await self.reach((await self.start(model_input, **options))["id"], TERMINAL, 60)

    async def stats(self) -> Json:
        return (await self.http.get("/_runner/stats")).json()


@asynccontextmanager
async def client(url: str, secret: str) -> AsyncGenerator[Client, None]:
    headers = {"authorization": "Bearer test"}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=70) as http:
        yield Client(url, secret, http)


@asynccontextmanager
async def running(state_dir: Path, **options: Any) -> AsyncGenerator[Client, None]:
    """A runner in this process."""
    config = RunnerConfig.model_validate({"state_dir": state_dir, "webhook_retry_s": 0.05, **options})
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(serve(config, ready=ready.set_result))
    await asyncio.wait([ready, task], timeout=20, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        await task
    secret = config.webhook_secret or (state_dir / "webhook_secret").read_text()
    try:
        async with client(ready.result(), secret) as one:
            yield one
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@asynccontextmanager
async def process(state_dir: Path, *arguments: str) -> AsyncGenerator[tuple[Client, asyncio.subprocess.Process], None]:
    """A runner in a process of its own, in a group of its own; it is killed at the end if it still lives."""
    command = [sys.executable, "-m", "mutoscope.runner", "--state", str(state_dir), *arguments]
    child = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, start_new_session=True)
    assert child.stdout
    try:
        async with asyncio.timeout(30):
            announced = json.loads(await child.stdout.readline())
        async with client(announced["url"], announced["webhook_secret"]) as one:
            yield one, child
    finally:
        if child.returncode is None:
            child.kill()
        await child.wait()


@dataclass
class Receiver:
    """Takes webhooks, and keeps those whose signature is good apart from those whose is not."""

    url: str = ""
    secret: str = ""
    good: list[Json] = field(default_factory=list[Json])
    ids: list[str] = field(default_factory=list[str])
    bad: list[Json] = field(default_factory=list[Json])
    answers: list[int] = field(default_factory=list[int])
    hold: asyncio.Event | None = None

    async def take(self, request: Request) -> Response:
        body = await request.body()
        try:
            message_id = verify([self.secret], request.headers, body, now=datetime.now(UTC))
        except InvalidSignature:
            self.bad.append(json.loads(body))
            return Response(status_code=401)
        self.good.append(json.loads(body))
        self.ids.append(message_id)
        if self.hold:
            await self.hold.wait()
        status = self.answers.pop(0) if self.answers else 204
        return Response(status_code=status, headers={"location": f"{self.url}/elsewhere"} if status == 302 else {})

    def statuses(self) -> list[str]:
        return [one["status"] for one in self.good]


@asynccontextmanager
async def receiver(secret: str = "") -> AsyncGenerator[Receiver, None]:
    one = Receiver(secret=secret)
    async with serving(Starlette(routes=[Route("/{path:path}", one.take, methods=["POST", "GET"])])) as url:
        one.url = f"{url}/hook"
        yield one
