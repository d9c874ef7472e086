"""A client of the front door that speaks as Replicate's clients do."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

Json = dict[str, Any]
ENDED = {"succeeded", "failed", "canceled", "aborted"}
ECHO = "models/mutoscope/echo/predictions"


@dataclass(frozen=True)
class Door:
    """``http`` has ``…/replicate/v1/`` as its base, so paths are Replicate's without a slash before them."""

    http: httpx.AsyncClient

    async def ask(
        self, path: str = ECHO, *, headers: dict[str, str] | None = None, body: Json | None = None, **inputs: Any
    ) -> httpx.Response:
        values = {"text": "hello", "output": "text", **inputs}
        return await self.http.post(path, json={"input": values, **(body or {})}, headers=headers)

    async def start(self, **inputs: Any) -> Json:
        answer = await self.ask(**inputs)
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def run(self, **inputs: Any) -> Json:
        answer = await self.ask(headers={"Prefer": "wait=30"}, **inputs)
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def get(self, prediction_id: str) -> Json:
        answer = await self.http.get(f"predictions/{prediction_id}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def reach(self, prediction_id: str, *statuses: str, timeout_s: float = 30) -> Json:
        async with asyncio.timeout(timeout_s):
            while (shown := await self.get(prediction_id))["status"] not in (statuses or ENDED):
                await asyncio.sleep(0.05)
            return shown


@asynccontextmanager
async def door(url: str, key: str | None, scheme: str = "Bearer") -> AsyncGenerator[Door]:
    headers = {"Authorization": f"{scheme} {key}"} if key else {}
    base = f"{url}/replicate/v1/"
    async with httpx.AsyncClient(base_url=base, headers=headers, timeout=70, trust_env=False) as http:
        yield Door(http)
