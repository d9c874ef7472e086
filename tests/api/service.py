"""The service behind a real socket, and clients that talk to it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from mutoscope.api.app import build_app
from mutoscope.api.serving import listen, serving, url_of
from mutoscope.bootstrap import Runtime, open_runtime
from mutoscope.core.settings import Settings
from tests.world import CREDITS, RunnerProcess

Json = dict[str, Any]


@dataclass(frozen=True)
class Person:
    """Somebody with a key."""

    http: httpx.AsyncClient
    account_id: str
    key: str

    async def ask(self, text: str, *, headers: dict[str, str] | None = None, **inputs: Any) -> httpx.Response:
        """Ask for a generation of the test model, and give the answer as it is."""
        body = {"model": "echo", "input": {"text": text, "output": "file", **inputs}}
        return await self.http.post("/v1/generations", json=body, headers=headers)

    async def run(self, text: str, **inputs: Any) -> Json:
        answer = await self.ask(text, headers={"Prefer": "wait=30"}, **inputs)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def credits(self) -> tuple[int, int, int]:
        """Available, held and spent."""
        (one,) = (await self.http.get("/v1/credits")).json()["data"]
        return one["available"], one["held"], one["spent"]


@dataclass(frozen=True)
class Service:
    """One running service."""

    runtime: Runtime
    runner: RunnerProcess
    url: str
    operator: httpx.AsyncClient
    stopping: asyncio.Event

    @asynccontextmanager
    async def person(self, external_id: str, *, credits: int = 1000) -> AsyncGenerator[Person]:
        """A user with an account, a key and credits, made over HTTP as an app would."""
        account = (await self.operator.post("/v1/accounts", json={"external_id": external_id})).json()
        made = (await self.operator.post(f"/v1/accounts/{account['id']}/keys", json={})).json()
        if credits:
            body = {"credit_type": CREDITS, "amount": credits, "source": "plan", "external_id": "first"}
            answer = await self.operator.post(f"/v1/accounts/{account['id']}/grants", json=body)
            assert answer.status_code == 201, answer.text
        async with client(self.url, made["secret"]) as http:
            yield Person(http, account["id"], made["secret"])


def client(url: str, key: str | None, **headers: str) -> httpx.AsyncClient:
    if key:
        headers["Authorization"] = f"Bearer {key}"
    return httpx.AsyncClient(base_url=url, headers=headers, timeout=70, trust_env=False)


@asynccontextmanager
async def service(settings: Settings, runner: RunnerProcess, *, webhooks: bool = False) -> AsyncGenerator[Service]:
    """The service on a free port of loopback, with its engine."""
    listener = listen("127.0.0.1", 0)
    url = url_of(listener)
    if webhooks:
        settings = settings.model_copy(update={"public_url": url})
    async with open_runtime(settings, base_url=url) as runtime:
        _, secret = await runtime.accounts.create_key("operator", name="tests")
        app = build_app(runtime, run_engine=True)
        async with serving(app, listener), client(url, secret) as operator:
            yield Service(runtime, runner, url, operator, app.state.stopping)
