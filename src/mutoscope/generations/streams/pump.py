"""Copies a provider's stream to the tape, as long as somebody in this process reads it.

The provider is read no faster than the tape is written: between them is a short queue, and everything that has come
during one commit is written by the next. Text and the provider's event id are written together, so a connection, a
process or a commit may break anywhere, and reading goes on behind the last event that is on the tape.
"""

import asyncio
import logging
from contextlib import suppress

from mutoscope.core.errors import MutoscopeError
from mutoscope.core.ids import new_id
from mutoscope.core.json_limits import keepable
from mutoscope.generations import pacing
from mutoscope.generations.machine import Machine
from mutoscope.generations.models import Generation, StreamTape
from mutoscope.generations.states import Phase
from mutoscope.generations.streams import tapes
from mutoscope.generations.transitions import wake
from mutoscope.providers.base import StreamGone
from mutoscope.replicate_protocol.streams import StreamEvent, as_streamed

log = logging.getLogger(__name__)

QUEUED_EVENTS = 16
BETWEEN_COMMITS_S = 0.05

_END = StreamEvent("done")


class Pump:
    """One generation's pump in this process. Whoever dies or is slow loses the tape to another."""

    def __init__(self, machine: Machine, row: Generation) -> None:
        self._machine, self._row = machine, row
        self._owner = new_id("pump")

    async def run(self) -> None:
        """Until the stream has ended, or is somebody else's, or this task is cancelled."""
        machine, row = self._machine, self._row
        try:
            async with machine.database.write() as session:
                tape = await tapes.take(session, row, self._owner, now=machine.clock.now())
            empty = 0
            while tape is not None and not tape.ended:
                # Without ids nobody knows where to go on, in this process or another; then the output brings the rest.
                if tape.chars and tape.last_event_id is None:
                    await self._end()
                    return
                before = tape.chars
                tape = await self._copy(tape)
                empty = 0 if tape.chars > before else empty + 1
                if not tape.ended:
                    await asyncio.sleep(pacing.backoff_s(empty, cap_s=5))
        except tapes.TapeLost:
            return
        finally:
            await self._release()

    async def _copy(self, tape: StreamTape) -> StreamTape:
        """One connection, from where the tape ends."""
        events: asyncio.Queue[StreamEvent | None] = asyncio.Queue(QUEUED_EVENTS)
        reading = asyncio.create_task(self._read(tape.last_event_id, events), name=f"stream {self._row.id}")
        try:
            while not tape.ended:
                batch, cut = await self._batch(events)
                tape = await self._write(tape, batch)
                if cut:
                    break
                await asyncio.sleep(BETWEEN_COMMITS_S)
            return tape
        finally:
            reading.cancel()
            with suppress(asyncio.CancelledError):
                await reading

    async def _read(self, last_event_id: str | None, events: asyncio.Queue[StreamEvent | None]) -> None:
        provider = self._machine.provider(self._row)
        try:
            async for event in provider.stream(str(self._row.stream_url), last_event_id=last_event_id):
                await events.put(event)
        except StreamGone:
            await events.put(_END)
        except MutoscopeError as error:
            log.info("%s: the provider's stream was cut: %s", self._row.id, error.detail)
        except Exception:
            # The edge of a connection: whatever was wrong with it, the tape must not wait for it for ever.
            log.exception("%s: reading the provider's stream failed unexpectedly", self._row.id)
        await events.put(None)

    async def _batch(self, events: asyncio.Queue[StreamEvent | None]) -> tuple[list[StreamEvent], bool]:
        """All that has come, at least one event or a while of nothing; and whether the connection has ended."""
        batch: list[StreamEvent] = []
        try:
            async with asyncio.timeout(tapes.LIFE.total_seconds() / 3):
                first = await events.get()
        except TimeoutError:
            return [], False
        while first is not None:
            batch.append(first)
            if events.empty():
                return batch, False
            first = events.get_nowait()
        return batch, True

    async def _write(self, tape: StreamTape, batch: list[StreamEvent]) -> StreamTape:
        machine, row = self._machine, self._row
        pieces = [as_streamed(one.data) for one in batch if one.event == "output" and not machine.is_file(one.data)]
        text = str(keepable("".join(pieces)))[: tapes.MAX_CHARS - tape.chars]
        ended = any(one.event in ("done", "error") for one in batch) or tape.chars + len(text) >= tapes.MAX_CHARS
        last_id = next((one.id[:255] for one in reversed(batch) if one.id), tape.last_event_id)
        now = machine.clock.now()
        async with machine.commit("stream") as session:
            tape = await tapes.append(session, tape, text, last_event_id=last_id, ended=ended, now=now)
            if ended and row.phase == Phase.AWAIT:
                await wake(session, row.id, now=now)  # a hint, as a webhook is: look at the prediction now
        if text or ended:
            machine.bell.changed(row.id)
        if ended:
            machine.bell.ring()
        return tape

    async def _end(self) -> None:
        async with self._machine.database.write() as session:
            await tapes.end(session, self._row.id, self._owner)

    async def _release(self) -> None:
        with suppress(MutoscopeError):
            async with self._machine.database.write() as session:
                await tapes.release(session, self._row.id, self._owner)
