"""``mutoscope runner``: a local Replicate, for developing without a token and for running models of your own."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from mutoscope.cli.output import say
from mutoscope.core.errors import ConfigurationError
from mutoscope.core.logging import configure_logging
from mutoscope.core.stopping import stop_signals

_DEFAULTS: dict[str, Any] = {"state_dir": Path(".mutoscope/runner"), "port": 5001}


def runner(  # noqa: PLR0913 - each is an option
    *,
    state: Annotated[
        Path | None,
        typer.Option(help="Where predictions and files are kept.", show_default=str(_DEFAULTS["state_dir"])),
    ] = None,
    host: Annotated[str | None, typer.Option(help="The address to listen on.", show_default="127.0.0.1")] = None,
    port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65535, help="The port to listen on; 0 takes a free one.", show_default=str(_DEFAULTS["port"])
        ),
    ] = None,
    token: Annotated[str | None, typer.Option(help="The token that clients must send.", show_default="any")] = None,
    webhook_secret: Annotated[
        str | None, typer.Option(help="Signs webhooks: whsec_…", show_default="made and kept")
    ] = None,
    fault_plan: Annotated[Path | None, typer.Option(help="A JSON file of faults to commit.")] = None,
    model: Annotated[
        list[str] | None, typer.Option(help="A model of your own: [NAME=]PATH.py[:CLASS]. May be given again.")
    ] = None,
    reload: Annotated[bool, typer.Option("--reload", help="Load --model again when its files change.")] = False,
    cog: Annotated[list[str] | None, typer.Option(help="A Cog server that runs: NAME=URL.")] = None,
    cog_command: Annotated[list[str] | None, typer.Option(help="A Cog server to run: NAME=COMMAND.")] = None,
    config: Annotated[Path | None, typer.Option(help="A JSON file with more: see docs/runner.md.")] = None,
    log_level: Annotated[str, typer.Option(help="What is logged.")] = "INFO",
    with_parent: Annotated[bool, typer.Option("--with-parent", hidden=True)] = False,
) -> None:
    """Serve Replicate's HTTP API over models on this machine, until Ctrl-C. Prints its address as JSON when ready."""
    configure_logging(log_level)
    given: dict[str, Any] = {"state_dir": state, "host": host, "port": port, "token": token}
    given |= {"webhook_secret": webhook_secret, "reload": reload or None}
    models: dict[str, list[str]] = {"model": model or [], "cog": cog or [], "cog_command": cog_command or []}
    fields = {name: one for name, one in given.items() if one is not None}
    asyncio.run(_run(config, fields, models, fault_plan, with_parent=with_parent))


async def _run(
    file: Path | None,
    fields: dict[str, Any],
    models: dict[str, list[str]],
    fault_plan: Path | None,
    *,
    with_parent: bool,
) -> None:
    try:
        from mutoscope.runner.faults import FaultPlan
        from mutoscope.runner.options import configured, predictors, read_config, upstreams
        from mutoscope.runner.parent import end_with_parent
        from mutoscope.runner.server import serve
    except ImportError as error:
        raise ConfigurationError(f"{error}: install mutoscope[runner].") from error
    if fault_plan:
        fields["fault_plan"] = FaultPlan.parse(fault_plan.read_bytes())  # noqa: ASYNC240 - before anything runs
    given = {"predictors": predictors(models["model"])}
    given |= {"cogs": upstreams(models["cog"]), "cog_commands": upstreams(models["cog_command"])}
    fields |= {name: one for name, one in given.items() if one}
    config = configured({**_DEFAULTS, **read_config(file), **fields})

    def ready(url: str) -> None:
        kept = config.state_dir / "webhook_secret"
        say(json.dumps({"url": url, "webhook_secret": config.webhook_secret or kept.read_text().strip()}))
        sys.stdout.flush()

    with stop_signals() as asked:
        if with_parent:
            await end_with_parent(asked)
        await serve(config, ready=ready, asked=asked)
