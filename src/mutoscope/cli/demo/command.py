"""``mutoscope demo``: starts the parts, plays the story, and serves until it is told to stop."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from mutoscope.api.app import build_app
from mutoscope.api.serving import listen, serving, url_of
from mutoscope.bootstrap import Runtime, open_runtime
from mutoscope.cli.demo.child import RunnerChild, runner_child
from mutoscope.cli.demo.report import print_ledger, print_next_steps, print_pictures
from mutoscope.cli.demo.stage import Stage, set_stage
from mutoscope.cli.demo.story import fresh_keys, tell
from mutoscope.cli.output import note, say
from mutoscope.cli.setup import prepare
from mutoscope.core.errors import PartEnded
from mutoscope.core.logging import configure_logging
from mutoscope.core.stopping import drop, ended_before, stop_signals

PROMPT = "a lighthouse on a cliff at sunset, calm sea, first stars"


@dataclass(frozen=True, slots=True)
class Show:
    """The parts, running."""

    runtime: Runtime
    url: str
    runner: RunnerChild | None
    parts: Sequence[asyncio.Task[None]]


def demo(
    ctx: typer.Context,
    *,
    prompt: Annotated[str, typer.Option(help="What to paint.")] = PROMPT,
    once: Annotated[bool, typer.Option("--once", help="Do not go on serving.")] = False,
    directory: Annotated[Path, typer.Option("--dir", help="Where everything is kept.")] = Path(".mutoscope/demo"),
    port: Annotated[int, typer.Option(min=0, max=65535, help="The service's port; 0 takes a free one.")] = 0,
) -> None:
    """Show it: two paid generations on this machine, then serve until Ctrl-C.

    Needs nothing but this machine. With REPLICATE_API_TOKEN it uses Replicate, with AWS_* and AWS_S3_BUCKET_NAME a
    bucket.
    """
    stage = set_stage(ctx.obj, directory)
    listener = listen("127.0.0.1", port)
    try:
        asyncio.run(_demo(stage, listener, prompt, once=once))
    finally:
        listener.close()


async def _demo(stage: Stage, listener: socket.socket, prompt: str, *, once: bool) -> None:
    with stop_signals() as asked:
        playing = asyncio.create_task(_play(stage, listener, prompt, once=once))
        if not await ended_before(asked, playing):
            note("Stopping.")
            await drop(playing)
            return
        await playing


async def _play(stage: Stage, listener: socket.socket, prompt: str, *, once: bool) -> None:
    async with _running(stage, listener) as show:
        operator, user = await fresh_keys(show.runtime)
        _introduce(stage, show)
        # A provider on the internet cannot fetch from this machine, but it can from a bucket.
        by_link = stage.local or show.runtime.settings.aws_s3_bucket_name is not None
        outcome = await tell(show.url, operator, prompt, by_link=by_link)
        print_ledger(outcome)
        await print_pictures(show.runtime, outcome.generations)
        if once:
            return
        print_next_steps(show.url, user, operator)
        say("Serving until Ctrl-C.")
        await _until_something_ends(show)


@asynccontextmanager
async def _running(stage: Stage, listener: socket.socket) -> AsyncGenerator[Show]:
    url = url_of(listener)
    async with AsyncExitStack() as stack:
        runner = await stack.enter_async_context(runner_child(stage.directory)) if stage.local else None
        settings = stage.settings(url, runner)
        configure_logging(settings.log_level, as_json=settings.log_json)
        await prepare(settings)
        runtime = await stack.enter_async_context(open_runtime(settings, base_url=url))
        app = build_app(runtime, run_engine=True)
        server = await stack.enter_async_context(serving(app, listener))
        yield Show(runtime, url, runner, [server, app.state.engine])


def _introduce(stage: Stage, show: Show) -> None:
    bucket = show.runtime.settings.aws_s3_bucket_name
    say(f"service  {show.url}")
    if show.runner:
        say(f"runner   {show.runner.url} (a local Replicate; its painter is a program, not AI)")
    else:
        say(f"models   {show.runtime.settings.replicate_base_url}")
    say(f"files    {f'bucket {bucket}' if bucket else stage.directory / 'files'}\n")


async def _until_something_ends(show: Show) -> None:
    runner = [asyncio.create_task(_ended(show.runner))] if show.runner else []
    try:
        await asyncio.wait([*show.parts, *runner], return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in runner:
            task.cancel()
    raise PartEnded("A part of the demo ended by itself; see runner.log and the messages above.")


async def _ended(runner: RunnerChild) -> None:
    await runner.process.wait()
