"""The bell between processes: whatever becomes of its connection, it rings again."""

import asyncio
import itertools
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

import pytest
from sqlalchemy import make_url

from mutoscope.engines.notify import PostgresBell
from mutoscope.generations.signals import Signals

pytestmark = pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
# How the log-in is answered: not at all, "authentication ok" and nothing more, then in a state nobody knows, nonsense.
OK = b"R\x00\x00\x00\x08\x00\x00\x00\x00"
BROKEN = [b"", OK, OK + b"Z\x00\x00\x00\x05?Z\x00\x00\x00\x05?", b"\xff" * 64]


@pytest.mark.slow
async def test_a_bell_whose_connection_breaks_rings_again(database_url: str) -> None:
    async with breaking_proxy(database_url) as (dsn, connections):
        here, there = Signals(), Signals()
        direct = make_url(database_url).set(drivername="postgresql").render_as_string(hide_password=False)
        bells = [PostgresBell(dsn, here), PostgresBell(direct, there)]
        tasks = [asyncio.create_task(bell.run()) for bell in bells]
        async with here.watching("gen_1") as changed:
            async with asyncio.timeout(60):
                while not changed.is_set():
                    bells[1].changed("gen_1")
                    with suppress(TimeoutError):
                        await asyncio.wait_for(changed.wait(), 0.1)
        assert len(connections) > len(BROKEN)
        for task in tasks:
            assert not task.done()
            task.cancel()
        await asyncio.wait(tasks)


@asynccontextmanager
async def breaking_proxy(database_url: str) -> AsyncGenerator[tuple[str, list[int]]]:
    """In front of the database: its first connections break, each in another way."""
    target, numbers = make_url(database_url), itertools.count()
    connections: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(number := next(numbers))
        with suppress(ConnectionError):
            if number < len(BROKEN):
                await reader.readexactly(8)  # whether it may be encrypted
                writer.write(b"N")
                await reader.read(1024)
                writer.write(BROKEN[number])
                await writer.drain()
            else:
                upstream = await asyncio.open_connection(target.host, target.port)
                await asyncio.gather(_pipe(reader, upstream[1]), _pipe(upstream[0], writer))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        url = target.set(drivername="postgresql", host="127.0.0.1", port=port)
        yield url.render_as_string(hide_password=False), connections


async def _pipe(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while chunk := await source.read(65536):
        target.write(chunk)
        await target.drain()
    target.close()
