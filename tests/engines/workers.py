"""Workers in processes of their own, to be killed."""

import asyncio
import multiprocessing
import signal
from collections.abc import Callable, Generator
from contextlib import contextmanager
from multiprocessing.context import ForkServerProcess

from mutoscope.bootstrap import open_runtime, running
from mutoscope.cli.worker import _work as command  # the command without its shell
from mutoscope.core.settings import Settings


@contextmanager
def worker(settings: Settings) -> Generator[ForkServerProcess]:
    """An engine and nothing else, until the end of the block."""
    with _process(_main, settings) as process:
        yield process


@contextmanager
def connected_worker(settings: Settings) -> Generator[ForkServerProcess]:
    """``mutoscope worker --connect``, until the end of the block."""
    with _process(_main_connected, settings) as process:
        yield process


@contextmanager
def _process(main: Callable[[dict[str, object]], None], settings: Settings) -> Generator[ForkServerProcess]:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.engines.workers"])
    process = context.Process(target=main, args=(settings.model_dump(),))
    process.start()
    try:
        yield process
    finally:
        process.kill()
        process.join()


def _main(values: dict[str, object]) -> None:
    asyncio.run(_work(Settings.model_validate(values)))


def _main_connected(values: dict[str, object]) -> None:
    asyncio.run(command(Settings.model_validate(values), connect=True))


async def _work(settings: Settings) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with open_runtime(settings) as runtime, running(runtime):
        await stop.wait()
