"""Signals: the first one asks a process to end well, the second one ends it."""

import asyncio
import signal
from collections.abc import Generator
from contextlib import contextmanager

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stop_signals() -> Generator[asyncio.Event]:
    """An event that is set by the first SIGINT or SIGTERM; after it they do what they always do."""
    loop, asked = asyncio.get_running_loop(), asyncio.Event()

    def ask() -> None:
        asked.set()
        restore()

    def restore() -> None:
        for one in SIGNALS:
            loop.remove_signal_handler(one)

    for one in SIGNALS:
        loop.add_signal_handler(one, ask)
    try:
        yield asked
    finally:
        restore()
