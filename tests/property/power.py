"""What can be done to a worker from outside: hold it at an outside call, let it go on, or cut its power at a commit."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from mutoscope.generations.models import Generation
from mutoscope.providers.base import (
    FileCopy,
    FileToSend,
    Kind,
    Prediction,
    PredictionRequest,
    StreamEvent,
    WebhookMessage,
)
from mutoscope.providers.fake import FakeProvider
from mutoscope.storage.base import StorageError, StoredObject
from mutoscope.storage.memory import MemoryStore
from mutoscope.storage.sources import SourceFailed, SourceGone

PATIENCE_S = 20


class PowerCut(BaseException):
    """The worker's machine is gone. Nothing of ours catches it; transactions under way are rolled back."""


class Power:
    """Kill points, one of which may be armed: the first worker that passes it is gone."""

    def __init__(self) -> None:
        self.armed: str | None = None

    def reach(self, name: str) -> None:
        if name == self.armed:
            self.armed = None
            raise PowerCut(name)


@dataclass(eq=False)
class Worker:
    """One run of ``advance`` on a claimed row, which can be held at the nth outside call that it passes."""

    name: str
    row: Generation
    hold_at: int = 0
    held_in: str = ""
    task: asyncio.Task[datetime | None] | None = None
    _holding: asyncio.Event = field(default_factory=asyncio.Event)
    _go_on: asyncio.Event = field(default_factory=asyncio.Event)

    async def passes(self, place: str) -> None:
        self.hold_at -= 1
        if self.hold_at == 0:
            self.held_in = place
            self._holding.set()
            await self._go_on.wait()

    async def run(self, *, hold_at: int) -> bool:
        """Go on until held again; ``True`` when it has ended. Raises what ended it."""
        assert self.task
        self.hold_at, self.held_in = hold_at, ""
        self._holding.clear()
        self._go_on.set()
        self._go_on = asyncio.Event()
        holding = asyncio.create_task(self._holding.wait())
        done, _ = await asyncio.wait({self.task, holding}, timeout=PATIENCE_S, return_when=asyncio.FIRST_COMPLETED)
        holding.cancel()
        assert done, f"{self.name} hangs"
        if self.task in done:
            self.task.result()
        return self.task.done()

    async def die(self) -> None:
        """Gone in the middle of its call."""
        assert self.task
        self.task.cancel()
        await asyncio.wait({self.task})


working: ContextVar[Worker | None] = ContextVar("working", default=None)


async def passes(place: str) -> None:
    """An outside call: here a worker may be held."""
    if worker := working.get():
        await worker.passes(place)


class HeldProvider:
    """The fake provider, before and after each call of which a worker can be held."""

    def __init__(self, fake: FakeProvider) -> None:
        self.fake, self.name = fake, fake.name

    def of(self, kind: Kind) -> "HeldProvider":
        return HeldProvider(self.fake.of(kind))

    async def create(self, request: PredictionRequest) -> Prediction:
        await passes("before create")
        try:
            return await self.fake.create(request)
        finally:
            await passes("after create")

    async def get(self, prediction_id: str) -> Prediction:
        await passes(f"before get {prediction_id}")
        found = await self.fake.get(prediction_id)
        await passes(f"after get {prediction_id}")
        return found

    async def cancel(self, prediction_id: str) -> Prediction:
        await passes(f"before cancel {prediction_id}")
        return await self.fake.cancel(prediction_id)

    async def recent(self, since: datetime) -> AsyncIterator[Prediction]:
        await passes("before list")
        listed = [one async for one in self.fake.recent(since)]
        await passes("after list")
        for one in listed:
            yield one

    def stream(self, url: str, *, last_event_id: str | None) -> AsyncIterator[StreamEvent]:
        return self.fake.stream(url, last_event_id=last_event_id)

    async def send_file(self, file: FileToSend) -> FileCopy:
        return await self.fake.send_file(file)

    async def find_file(self, ref: str) -> FileCopy | None:
        return await self.fake.find_file(ref)

    async def openapi_schema(self, reference: str) -> dict[str, Any]:
        return await self.fake.openapi_schema(reference)

    async def renew_webhook_secret(self, *, now: datetime) -> bool:
        return await self.fake.renew_webhook_secret(now=now)

    def read_webhook(self, headers: Mapping[str, str], body: bytes, *, now: datetime) -> WebhookMessage:
        return self.fake.read_webhook(headers, body, now=now)

    async def aclose(self) -> None:
        await self.fake.aclose()


class FlakyStore:
    """A store in memory that can be down, or fail after it has written."""

    def __init__(self, inner: MemoryStore) -> None:
        self.inner = inner
        self.trouble = ""

    async def put(self, key: str, chunks: AsyncIterator[bytes], *, media_type: str) -> None:
        await passes(f"before put {key.rpartition('/')[2]}")
        if self.trouble == "store down":
            raise StorageError("The store is down")
        await self.inner.put(key, chunks, media_type=media_type)
        await passes(f"after put {key.rpartition('/')[2]}")
        if self.trouble == "store mute":
            raise StorageError("The store wrote it and did not say so")

    async def head(self, key: str) -> StoredObject:
        return await self.inner.head(key)

    async def read(self, key: str) -> AsyncIterator[bytes]:
        async for chunk in self.inner.read(key):
            yield chunk

    async def delete(self, key: str) -> None:
        await self.inner.delete(key)

    async def link(self, key: str, *, expires_s: int, media_type: str) -> str:
        return await self.inner.link(key, expires_s=expires_s, media_type=media_type)

    async def check(self) -> None:
        await self.inner.check()

    async def aclose(self) -> None:
        await self.inner.aclose()


class Files:
    """What the provider's file server has."""

    HOST = "https://files.example/"

    def __init__(self) -> None:
        self.bytes: dict[str, bytes] = {}
        self.trouble = ""

    def add(self, name: str, data: bytes) -> str:
        self.bytes[self.HOST + name] = data
        return self.HOST + name

    def is_file(self, text: str) -> bool:
        return text.startswith(self.HOST)

    async def open(self, url: str) -> AsyncGenerator[bytes]:
        await passes(f"before fetch {url.removeprefix(self.HOST)}")
        if self.trouble == "files broken":
            raise SourceFailed("The transfer broke")
        if self.trouble == "files gone":
            raise SourceGone("It is gone")
        data = self.bytes[url]
        yield data[: len(data) // 2]
        yield data[len(data) // 2 :]
