"""The floor of ``pipeline``: the whole job by hand, on raw drivers and bare ASGI, with the same promises on the way.

Five commits for one generation: the order; the intent before the call; the prediction's id after it; the webhook's id;
and the file, the money and the status together. No recovery, retries, deadlines, keys, schemas or fairness.

``python -m bench.floors.pipeline DATABASE_URL ACCOUNTS RUNNER_URL WEBHOOK_SECRET DIRECTORY``
"""

import asyncio
import hashlib
import json
import os
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bench.floors import order, sql
from bench.floors.asgi import answer, read_body
from bench.floors.database import Step, Transactions, open_by_hand
from bench.floors.serving import serve
from bench.wire import Connections, request
from mutoscope.replicate_protocol import webhooks

RUNNER_CONNECTIONS = 50
DONE_S = 60
AUTH = {"Authorization": "Bearer bench"}


@dataclass
class ByHand:
    """Everything it works with."""

    url: str
    database: Transactions
    runner: Connections
    secret: str
    directory: Path
    waiting: dict[str, asyncio.Event] = field(default_factory=dict[str, asyncio.Event])

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """One request: an order, or a webhook."""
        body = await read_body(receive)
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        if scope["path"] == "/hook":
            await self.hook(scope["query_string"].decode().partition("=")[2], headers, body)
            await answer(send, 204, b"")
        else:
            made = await self.generate(headers["account"], json.loads(body))
            await answer(send, 200, json.dumps(made).encode())

    async def generate(self, account_id: str, body: Any) -> dict[str, Any]:
        """From the order to the stored file."""
        taken = await order.take(self.database, account_id, body)
        done = self.waiting[taken.id] = asyncio.Event()
        await self.database.run(Step(sql.INTEND, (taken.id,)))
        prediction = await self.create(taken.id, body["input"])
        await self.database.run(Step(sql.BIND, (taken.id, prediction["id"])))
        async with asyncio.timeout(DONE_S):
            await done.wait()
        del self.waiting[taken.id]
        prediction = (await self.runner.ask(request("GET", f"/v1/predictions/{prediction['id']}", **AUTH))).json()
        content = (await self.runner.ask(request("GET", urlsplit(prediction["output"]).path))).body
        digest, path = hashlib.sha256(content).hexdigest(), self.directory / f"{taken.id}.png"
        await asyncio.to_thread(_keep, path, content)
        await order.settle(self.database, taken, str(path), len(content), digest)
        return {"id": taken.id, "status": "completed", "output": str(path), "sha256": digest}

    async def create(self, ref: str, model_input: Any) -> dict[str, Any]:
        """Ask for a prediction."""
        body = {"input": model_input, "webhook": f"{self.url}/hook?ref={ref}", "webhook_events_filter": ["completed"]}
        path = "/v1/models/mutoscope/echo/predictions"
        made = await self.runner.ask(request("POST", path, body, Cancel_After="600s", **AUTH))
        assert made.status == 201, made
        return made.json()

    async def hook(self, ref: str, headers: dict[str, str], body: bytes) -> None:
        """Check a webhook, take it once, and wake who waits."""
        message_id = webhooks.verify([self.secret], headers, body, now=datetime.now(UTC))
        await self.database.run(Step(sql.MESSAGE, (message_id,)))
        self.waiting[ref].set()


def _keep(path: Path, content: bytes) -> None:
    draft = path.with_suffix(".draft")
    with draft.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    os.fsync(folder)
    os.close(folder)


async def build(url: str) -> ByHand:
    """The application."""
    database_url, accounts, runner_url, secret, directory = sys.argv[1:6]
    database = await open_by_hand(database_url, int(accounts))
    runner = Connections(int(runner_url.rpartition(":")[2]), RUNNER_CONNECTIONS)
    return ByHand(url, database, runner, secret, Path(directory))


if __name__ == "__main__":
    serve(build)
