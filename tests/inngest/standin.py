"""Speaks Inngest's protocols as a server does, for where none can be: events, registration, signed step requests.

Not Inngest: no fairness, no history, no limits but the number of steps at once. It retries at once and does cron at a
test's word, so that tests wait for nothing but what they are about. What it says and expects was taken from a real
server; the suite in ``tests/inngest_server`` checks the same against one.
"""

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from inngest._internal.net import sign_request
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mutoscope.core.ids import new_id
from tests.servers.http import serving

Json = dict[str, Any]
STEPS_AT_ONCE = 5
_GENERATION = re.compile(r"async\.data\.generation_id == '([^']+)'")
_UNITS = {"w": 604800, "d": 86400, "h": 3600, "m": 60, "s": 1}


@dataclass
class Run:
    """One run of a function."""

    function: Json
    event: Json
    id: str = field(default_factory=lambda: new_id("run"))
    steps: Json = field(default_factory=dict[str, Any])
    # Names in the order in which they were done.
    done: list[str] = field(default_factory=list[str])
    status: str = "running"
    requests: int = 0
    task: asyncio.Task[None] | None = None

    @property
    def function_id(self) -> str:
        return self.function["id"]


@dataclass
class StandIn:
    """The server's memory, and what a test does to it."""

    url: str = ""
    signing_key: str | None = None
    functions: dict[str, Json] = field(default_factory=dict[str, Json])
    runs: list[Run] = field(default_factory=list[Run])
    events: list[Json] = field(default_factory=list[Json])
    # Events with these names are taken, and nothing comes of them.
    deaf: set[str] = field(default_factory=set[str])
    refused: list[str] = field(default_factory=list[str])
    # Whoever waits for an event never gets it: it came just before.
    misses_waits: bool = False
    down: bool = False
    # Each request is made so many times at once; the first answer counts.
    times: int = 1
    _seen: set[str] = field(default_factory=set[str])
    _waits: list[tuple[str, str | None, asyncio.Future[Json]]] = field(default_factory=list[Any])
    _busy: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(STEPS_AT_ONCE))
    _http: httpx.AsyncClient = field(default_factory=lambda: httpx.AsyncClient(trust_env=False, timeout=60))

    def runs_of(self, name: str, generation_id: str | None = None) -> list[Run]:
        """Runs of a function by the end of its id, perhaps of one generation only."""
        found = [one for one in self.runs if one.function_id.endswith(f"-{name}")]
        return [one for one in found if generation_id in (None, one.event["data"].get("generation_id"))]

    def send(self, event: Json) -> None:
        """Take an event: once per id."""
        if event["name"] in self.deaf:
            self.refused.append(event["name"])
            return
        if event["id"] in self._seen:
            return
        self._seen.add(event["id"])
        self.events.append(event)
        for waited in [one for one in self._waits if one[0] == event["name"] and not self.misses_waits]:
            if waited[1] in (None, event["data"].get("generation_id")) and not waited[2].done():
                waited[2].set_result(event)
        for function in [*self.functions.values()]:
            if any(_matches(trigger, event) for trigger in function["triggers"]):
                self._begin(function, event)

    def tick(self) -> None:
        """A minute has passed, as far as cron is concerned."""
        for function in [*self.functions.values()]:
            if any("cron" in trigger for trigger in function["triggers"]):
                self._begin(function, {"id": new_id("event"), "name": "inngest/scheduled.timer", "data": {}, "ts": 0})

    async def forget(self) -> None:
        """Lose everything, as a server whose disk has gone does."""
        tasks = [one.task for one in self.runs if one.task]
        for one in tasks:
            one.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.functions.clear()
        self.runs.clear()
        self.events.clear()
        self._seen.clear()
        self._waits.clear()

    def cancel(self, run: Run) -> None:
        """As somebody does by hand."""
        assert run.task
        run.task.cancel()
        run.status = "cancelled"
        self._ended(run, "inngest/function.cancelled", {"name": "cancelled", "message": "function cancelled"})

    def fail(self, run: Run) -> None:
        """All its tries were in vain."""
        assert run.task
        run.task.cancel()
        run.status = "failed"
        self._ended(run, "inngest/function.failed", {"name": "Error", "message": "in vain"})

    def _begin(self, function: Json, event: Json) -> None:
        run = Run(function, event)
        self.runs.append(run)
        run.task = asyncio.create_task(self._drive(run))

    async def _drive(self, run: Run) -> None:
        attempt, most = 0, 1 + (run.function["steps"]["step"].get("retries") or {"attempts": 3})["attempts"]
        while True:
            try:
                answer = await self.call(run, attempt, most)
            except httpx.TransportError:
                answer = Response(status_code=502)
            if answer.status_code == 200:
                run.status = "completed"
                return
            if answer.status_code == 206:
                attempt = await self._perform(run, json.loads(bytes(answer.body)), attempt)
            else:
                attempt += 1
                if answer.headers.get("x-inngest-no-retry") == "true":
                    attempt = most
                await asyncio.sleep(0.2)
            if attempt >= most:
                run.status = "failed"
                self._ended(run, "inngest/function.failed", json.loads(bytes(answer.body) or b"{}"))
                return

    async def call(self, run: Run, attempt: int = 0, most: int = 4) -> Response:
        """One request to the app, as often as ``times`` says."""
        run.requests += 1
        context = {"attempt": attempt, "disable_immediate_execution": False, "max_attempts": most}
        context |= {"run_id": run.id, "stack": {"stack": [*run.steps]}}
        body = json.dumps({
            "ctx": context, "event": run.event, "events": [run.event], "steps": run.steps, "use_api": False
        }).encode()  # fmt: skip
        url = run.function["steps"]["step"]["runtime"]["url"]
        async with self._busy:
            found = await asyncio.gather(*(self.post(url, body) for _ in range(self.times)))
        return Response(found[0].content, found[0].status_code, dict(found[0].headers))

    async def post(self, url: str, body: bytes, *, signature: str | None = None) -> httpx.Response:
        """A step request, signed if there is a key."""
        headers = {"content-type": "application/json", "x-inngest-server-kind": "cloud" if self.signing_key else "dev"}
        if self.signing_key:
            signed = sign_request(body, self.signing_key)
            assert isinstance(signed, str)
            headers["x-inngest-signature"] = signature or signed
        return await self._http.post(url, content=body, headers=headers)

    async def _perform(self, run: Run, operations: list[Json], attempt: int) -> int:
        (operation,) = operations  # functions here do one thing at a time
        name, key = operation["displayName"], operation["id"]
        match operation["op"]:
            case "StepRun":
                run.steps[key] = {"data": operation.get("data")}
            case "Sleep":
                until = datetime.fromisoformat(operation["name"])
                await asyncio.sleep(max((until - datetime.now(UTC)).total_seconds(), 0))
                run.steps[key] = {"data": None}
            case "WaitForEvent":
                run.steps[key] = await self._wait(operation)
            case "StepError" | "StepFailed":
                await asyncio.sleep(0.2)
                return attempt + 1 if operation["op"] == "StepError" else 10**6
            case other:
                raise AssertionError(f"no such operation: {other}")
        run.done.append(name)
        return 0

    async def _wait(self, operation: Json) -> Json | None:
        expression = operation["opts"].get("if")
        found = _GENERATION.fullmatch(expression) if expression else None
        assert found or not expression, f"an expression that no server would understand: {expression}"
        said: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        waiting = (operation["name"], found[1] if found else None, said)
        self._waits.append(waiting)
        try:
            async with asyncio.timeout(_duration(operation["opts"]["timeout"]).total_seconds()):
                return await said
        except TimeoutError:
            return None
        finally:
            with suppress(ValueError):
                self._waits.remove(waiting)

    def _ended(self, run: Run, name: str, error: Any) -> None:
        data = {"function_id": run.function_id, "run_id": run.id, "event": run.event, "error": error}
        self.send({"id": new_id("event"), "name": name, "data": data, "ts": 0})

    async def aclose(self) -> None:
        await self.forget()
        await self._http.aclose()


def _matches(trigger: Json, event: Json) -> bool:
    if trigger.get("event") != event["name"]:
        return False
    if not (expression := trigger.get("expression")):
        return True
    found = re.fullmatch(r"event\.data\.function_id == '([^']+)'", expression)
    assert found, f"an expression that no server would understand: {expression}"
    return event["data"]["function_id"] == found[1]


def _duration(text: str) -> timedelta:
    return timedelta(seconds=int(text[:-1]) * _UNITS[text[-1]])


@asynccontextmanager
async def standin(*, signing_key: str | None = None) -> AsyncGenerator[StandIn]:
    """A server, for the length of the block."""
    server = StandIn(signing_key=signing_key)

    async def take(request: Request) -> JSONResponse:
        if server.down:
            return JSONResponse({"error": "down"}, 503)
        events = await request.json()
        for event in events:
            server.send({"ts": 0, **event, "id": event.get("id") or new_id("event")})
        return JSONResponse({"ids": [event.get("id") or "" for event in events], "status": 200})

    async def register(request: Request) -> JSONResponse:
        if server.down:
            return JSONResponse({"error": "down"}, 503)
        asked = await request.json()
        server.functions = {one["id"]: one for one in asked["functions"]}
        return JSONResponse({"ok": True, "modified": True, "status": 200})

    async def health(_: Request) -> JSONResponse:
        return JSONResponse({"status": 503 if server.down else 200}, 503 if server.down else 200)

    routes = [
        Route("/health", health),
        Route("/e/{key}", take, methods=["POST"]),
        Route("/fn/register", register, methods=["POST"]),
    ]
    async with serving(Starlette(routes=routes)) as server.url:
        try:
            yield server
        finally:
            await server.aclose()


@contextmanager
def standin_process() -> Generator[str]:
    """The address of one in a process of its own, for tests that block theirs, until the end of the block."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.inngest.standin"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


async def _main() -> None:
    async with standin() as server:
        sys.stdout.write(f"{server.url}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_main())
