"""Follow a generation's text: what there is of it from any position, then what comes, then how it ended.

Readers read the tape and never the provider, each at its own pace, so a slow one costs a connection and nothing else.
The first reader in a process makes a pump for the generation and the last one ends it. When the generation has ended,
its output is the text, whatever the tape has.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncGenerator, Generator
from contextlib import contextmanager

from mutoscope.core.errors import Conflict, MutoscopeError
from mutoscope.core.settings import StreamSettings
from mutoscope.generations.machine import Machine
from mutoscope.generations.models import Generation
from mutoscope.generations.service import Generations
from mutoscope.generations.states import FINAL, Phase
from mutoscope.generations.streams import reading
from mutoscope.generations.streams.positions import Position
from mutoscope.generations.streams.pump import Pump
from mutoscope.generations.streams.reading import News

log = logging.getLogger(__name__)

# Rung bells can be lost between processes, so a reader also looks by itself.
LOOK_AGAIN_S = 2.0
PUMP_AGAIN_S = 2.0


class NotStreamed(Conflict):
    """Nobody asked for a stream when the generation was made."""

    code, title = "not_streamed", "This generation is not streamed"


class TooManyReaders(MutoscopeError):
    """As many streams are being read as may be."""

    status, code, title, retryable = 429, "too_many_streams", "Too many streams are open", True
    retry_after_s = 5


class Streams:
    """The service behind the stream routes of both APIs.

    Args:
        machine: The parts that pumps work with.
        generations: Where rows are read.
        settings: How many may read, and for how long.
    """

    def __init__(self, machine: Machine, generations: Generations, settings: StreamSettings) -> None:
        self._machine, self._generations, self._settings = machine, generations, settings
        self._pumps: dict[str, tuple[int, asyncio.Task[None]]] = {}
        self._readers: Counter[str] = Counter()
        self._by_account: Counter[str] = Counter()

    async def open(self, account_id: str, generation_id: str) -> Generation:
        """The generation whose stream may be followed.

        Raises:
            NotFound: There is no such generation of this account.
            NotStreamed: It was asked for without a stream.
            TooManyReaders: This process or this account reads as many streams as it may.
        """
        row = await self._generations.get(account_id, generation_id)
        if not row.stream:
            raise NotStreamed(f"{row.id} was made without a stream. Ask for one with stream: true.")
        most = self._settings.max_readers_per_account
        if self._by_account[account_id] >= most or self._readers.total() >= self._settings.max_readers:
            raise TooManyReaders(f"This account may read {most} streams at once. Close one, or try again shortly.")
        return row

    async def follow(self, row: Generation, after: Position, stopping: asyncio.Event) -> AsyncGenerator[News]:
        """What there is after a position, and then what comes, until the end or ``settings.max_s``.

        Args:
            row: From ``open``.
            after: What the reader has had.
            stopping: Set when the process ends; then the reader is to come again elsewhere.
        """
        at, clock = after, asyncio.get_running_loop().time
        give_up_at = clock() + self._settings.max_s
        with self._reading(row):
            async with self._generations.signals.watching(row.id) as changed:
                said_at = clock()
                while not stopping.is_set() and clock() < give_up_at:
                    changed.clear()
                    async for news in self._news(row, at):
                        at, said_at = news.position, clock()
                        yield news
                        if news.kind == "done":
                            return
                    if clock() - said_at >= self._settings.keep_alive_s:
                        said_at = clock()
                        yield News("nothing", at)
                    await _rung(changed, stopping, min(LOOK_AGAIN_S, self._settings.keep_alive_s))

    async def aclose(self) -> None:
        """End all pumps."""
        pumps = [task for _, task in self._pumps.values()]
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)

    async def _news(self, row: Generation, at: Position) -> AsyncGenerator[News]:
        """All that is new now. Looks again while the row waits for its provider and nobody has rung."""
        database = self._machine.database
        row = await self._generations.get(row.account_id, row.id)
        if row.status in FINAL:
            async for news in reading.last_news(database, row, at):
                yield news
            return
        self._ensure_pump(row)
        async for news in reading.from_tape(database, row.id, at):
            yield news

    def _ensure_pump(self, row: Generation) -> None:
        if row.phase != Phase.AWAIT or not row.stream_url:
            return
        attempt, old = self._pumps.get(row.id, (None, None))
        if attempt == row.attempt:
            return
        if old:
            old.cancel()
        task = asyncio.create_task(Pump(self._machine, row).run(), name=f"pump {row.id}")
        self._pumps[row.id] = (row.attempt, task)
        # One that has ended, or found that another process has the tape, is not made anew at once.
        task.add_done_callback(lambda _: self._forget_soon(row.id, task))

    def _forget_soon(self, generation_id: str, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()):
            log.error("%s: the pump ended with an error", generation_id, exc_info=error)

        def forget() -> None:
            if self._pumps.get(generation_id, (0, None))[1] is task:
                del self._pumps[generation_id]

        task.get_loop().call_later(PUMP_AGAIN_S, forget)

    @contextmanager
    def _reading(self, row: Generation) -> Generator[None]:
        self._readers[row.id] += 1
        self._by_account[row.account_id] += 1
        try:
            yield
        finally:
            for counter, key in ((self._readers, row.id), (self._by_account, row.account_id)):
                counter[key] -= 1
                if not counter[key]:
                    del counter[key]
            if row.id not in self._readers and (pump := self._pumps.pop(row.id, None)):
                pump[1].cancel()


async def _rung(changed: asyncio.Event, stopping: asyncio.Event, timeout_s: float) -> None:
    """Return when either is set, or after a while."""
    waiting = {asyncio.ensure_future(one.wait()) for one in (changed, stopping)}
    try:
        await asyncio.wait(waiting, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in waiting:
            one.cancel()
