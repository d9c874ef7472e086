"""A receiver of webhooks on a bare socket, so that it can also be slow, silent, endless, or gone before it answers."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

Answer = int | Literal["lost", "silent", "endless", "nonsense"]


@dataclass(frozen=True)
class Taken:
    """One request that came in."""

    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def message_id(self) -> str:
        return self.headers["webhook-id"]

    def json(self) -> dict[str, Any]:
        return json.loads(self.body)


@dataclass
class Receiver:
    """Keeps what it is sent, and answers as it is told: first ``answers``, one after the other, then ``usual``."""

    url: str = ""
    taken: list[Taken] = field(default_factory=list[Taken])
    answers: deque[Answer] = field(default_factory=deque[Answer])
    usual: Answer = 204
    connections: int = 0
    # Set: whoever waits for an answer is sent away without one.
    freed: asyncio.Event = field(default_factory=asyncio.Event)

    def statuses(self) -> list[str]:
        return [one.json()["status"] for one in self.taken]

    async def until(self, enough: Callable[[], bool], timeout_s: float = 20) -> None:
        async with asyncio.timeout(timeout_s):
            while not enough():
                await asyncio.sleep(0.01)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while await self._one(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        target = first.split(" ")[1]
        if not target.startswith("/hook"):
            # Meant for the service of an earlier test, whose port this is now.
            writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            return True
        self.taken.append(Taken(target, headers, body))
        match self.answers.popleft() if self.answers else self.usual:
            case "lost":
                return False
            case "silent":
                gone, freed = asyncio.create_task(reader.read()), asyncio.create_task(self.freed.wait())
                await asyncio.wait({gone, freed}, return_when=asyncio.FIRST_COMPLETED)
                gone.cancel()
                freed.cancel()
                return False
            case "nonsense":
                writer.write(b"what is this?\r\n\r\n")
                return False
            case "endless":
                writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                while True:
                    writer.write(b"10000\r\n" + bytes(65536) + b"\r\n")
                    await writer.drain()
            case int() as status:
                where = f"Location: {self.url}/elsewhere\r\n" if 300 <= status < 400 else ""
                writer.write(f"HTTP/1.1 {status} So\r\n{where}Content-Length: 0\r\n\r\n".encode())
        return True


@asynccontextmanager
async def receiver() -> AsyncGenerator[Receiver]:
    one = Receiver()
    server = await asyncio.start_server(one.serve, "127.0.0.1", 0)
    one.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook?tag=1"
    try:
        yield one
    finally:
        server.close()
