"""Workers in processes of their own, to be killed."""

import asyncio
import multiprocessing
import signal
from collections.abc import Generator
from contextlib import contextmanager
from multiprocessing.context import ForkServerProcess

from mutoscope.bootstrap import open_runtime, running
from mutoscope.core.settings import Settings


@contextmanager
def worker(settings: Settings) -> Generator[ForkServerProcess]:
    """An engine and nothing else, until the end of the block."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.engines.workers"])
    process = context.Process(target=_main, args=(settings.model_dump(),))
    process.start()
    try:
        yield process
    finally:
        process.kill()
        process.join()


def _main(values: dict[str, object]) -> None:
    asyncio.run(_work(Settings.model_validate(values)))


async def _work(settings: Settings) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with open_runtime(settings) as runtime, running(runtime):
        await stop.wait()
