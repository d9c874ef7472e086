"""``mutoscope runner``: a local Replicate, for developing without a token and for running models of your own."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from mutoscope.cli.output import say
from mutoscope.cli.setup import Host
from mutoscope.core.errors import ConfigurationError
from mutoscope.core.logging import configure_logging
from mutoscope.core.stopping import stop_signals


def runner(  # noqa: PLR0913 - each is an option
    *,
    state: Annotated[Path, typer.Option(help="Where predictions and files are kept.")] = Path(".mutoscope/runner"),
    host: Host = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port to listen on; 0 takes a free one.")] = 5001,
    token: Annotated[str | None, typer.Option(help="The token that clients must send.", show_default="any")] = None,
    webhook_secret: Annotated[
        str | None, typer.Option(help="Signs webhooks: whsec_…", show_default="made and kept")
    ] = None,
    fault_plan: Annotated[Path | None, typer.Option(help="A JSON file of faults to commit.")] = None,
    log_level: Annotated[str, typer.Option(help="What is logged.")] = "INFO",
    with_parent: Annotated[bool, typer.Option("--with-parent", hidden=True)] = False,
) -> None:
    """Serve Replicate's HTTP API over models on this machine, until Ctrl-C. Prints its address as JSON when ready."""
    configure_logging(log_level)
    given: dict[str, Any] = {"host": host, "port": port, "token": token, "webhook_secret": webhook_secret}
    asyncio.run(_run({"state_dir": state, **given}, fault_plan, with_parent=with_parent))


async def _run(fields: dict[str, Any], fault_plan: Path | None, *, with_parent: bool) -> None:
    try:
        from mutoscope.runner.config import RunnerConfig
        from mutoscope.runner.faults import FaultPlan
        from mutoscope.runner.server import serve
    except ImportError as error:
        raise ConfigurationError(f"{error}: install mutoscope[runner].") from error
    if fault_plan:
        fields["fault_plan"] = FaultPlan.parse(fault_plan.read_bytes())  # noqa: ASYNC240 - before anything runs
    config = RunnerConfig.model_validate(fields)

    def ready(url: str) -> None:
        kept = config.state_dir / "webhook_secret"
        say(json.dumps({"url": url, "webhook_secret": config.webhook_secret or kept.read_text().strip()}))
        sys.stdout.flush()

    with stop_signals() as asked:
        if with_parent:
            await _connect_stdin(asked)
        await serve(config, ready=ready, asked=asked)


async def _connect_stdin(asked: asyncio.Event) -> None:
    """End when whoever started us does, however that comes: the kernel closes its end of our standard input."""

    class Watch(asyncio.Protocol):
        def connection_lost(self, exc: Exception | None) -> None:
            asked.set()

    await asyncio.get_running_loop().connect_read_pipe(Watch, sys.stdin)
