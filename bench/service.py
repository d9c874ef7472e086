"""The real service as a process: ``python -m bench.service SETTINGS.json``, on a free port of this machine.

With ``--webhooks`` its public URL is its own address; with ``--no-engine`` it accepts and does nothing more.
"""

import argparse
import asyncio
import json
import signal
from pathlib import Path

import uvicorn

from bench.processes import announce
from mutoscope.api.app import build_app
from mutoscope.api.serving import listen, serving, url_of
from mutoscope.bootstrap import open_runtime
from mutoscope.core.settings import Settings


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser()
    parser.add_argument("settings", type=Path)
    parser.add_argument("--webhooks", action="store_true")
    parser.add_argument("--no-engine", action="store_true")
    arguments = parser.parse_args()
    settings = Settings.model_validate(json.loads(arguments.settings.read_text()))
    with asyncio.Runner(loop_factory=uvicorn.Config("", log_config=None).get_loop_factory()) as runner:
        runner.run(_serve(settings, webhooks=arguments.webhooks, run_engine=not arguments.no_engine))


async def _serve(settings: Settings, *, webhooks: bool, run_engine: bool) -> None:
    listener = listen("127.0.0.1", 0)
    url = url_of(listener)
    if webhooks:
        settings = settings.model_copy(update={"public_url": url})
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with open_runtime(settings, base_url=url) as runtime:
        app = build_app(runtime, run_engine=run_engine)
        async with serving(app, listener):
            announce({"url": url})
            await stop.wait()


if __name__ == "__main__":
    main()
