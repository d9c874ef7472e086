"""Waits for a generation on behalf of a request: not for ever, and not while the service shuts down."""

import asyncio
from contextlib import suppress

from mutoscope.generations.models import Generation
from mutoscope.generations.service import Generations
from mutoscope.generations.states import FINAL


async def until_ended(
    generations: Generations, row: Generation, *, timeout_s: float, stopping: asyncio.Event
) -> Generation:
    """The generation when it has ended, or as it is when the wait is over or the service stops."""
    if row.status in FINAL or timeout_s <= 0:
        return row
    waiting = asyncio.create_task(generations.wait(row.account_id, row.id, timeout_s=timeout_s), name=f"wait {row.id}")
    stopped = asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait({waiting, stopped}, return_when=asyncio.FIRST_COMPLETED)
        return waiting.result() if waiting.done() else row
    finally:
        for task in (waiting, stopped):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
