"""Signals: the first one asks a process to end well, the second one ends it."""

import asyncio
import signal
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stop_signals() -> Generator[asyncio.Event]:
    """An event that is set by the first SIGINT or SIGTERM; after it they do what they did before."""
    loop, asked = asyncio.get_running_loop(), asyncio.Event()
    before = {one: signal.getsignal(one) for one in SIGNALS}

    def ask() -> None:
        asked.set()
        restore()

    def restore() -> None:
        for one in SIGNALS:
            if loop.remove_signal_handler(one):
                signal.signal(one, before[one])

    for one in SIGNALS:
        loop.add_signal_handler(one, ask)
    try:
        yield asked
    finally:
        restore()


async def ended_before(asked: asyncio.Event, *work: asyncio.Future[Any]) -> bool:
    """Wait until any of the work has ended, or the signal has come; says whether the work has. It is left running."""
    stopped = asyncio.create_task(asked.wait())
    try:
        await asyncio.wait({stopped, *work}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopped.cancel()
    return any(one.done() for one in work)


async def drop(task: asyncio.Task[Any]) -> None:
    """Cancel a task, and wait until it has tidied up."""
    task.cancel()
    await asyncio.wait({task})
