"""``mutoscope runner``: a local Replicate, for developing without a token and for running models of your own."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Annotated, Any, cast

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
    given: dict[str, Any] = {"host": host, "port": port, "token": token, "webhook_secret": webhook_secret}
    models: dict[str, list[str]] = {"model": model or [], "cog": cog or [], "cog_command": cog_command or []}
    fields = {**_read(config), "state_dir": state, **{name: one for name, one in given.items() if one is not None}}
    asyncio.run(_run({**fields, **({"reload": True} if reload else {})}, models, fault_plan, with_parent=with_parent))


def _read(config: Path | None) -> dict[str, Any]:
    try:
        fields: object = json.loads(config.read_bytes()) if config else {}
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{config} is not a JSON file that can be read: {error}.") from error
    if not isinstance(fields, dict):
        raise ConfigurationError(f"{config} must hold a JSON object.")
    return cast("dict[str, Any]", fields)


async def _run(
    fields: dict[str, Any], models: dict[str, list[str]], fault_plan: Path | None, *, with_parent: bool
) -> None:
    try:
        from mutoscope.runner.config import RunnerConfig
        from mutoscope.runner.faults import FaultPlan
        from mutoscope.runner.options import predictors, upstreams
        from mutoscope.runner.parent import end_with_parent
        from mutoscope.runner.server import serve
    except ImportError as error:
        raise ConfigurationError(f"{error}: install mutoscope[runner].") from error
    if fault_plan:
        fields["fault_plan"] = FaultPlan.parse(fault_plan.read_bytes())  # noqa: ASYNC240 - before anything runs
    given = {"predictors": predictors(models["model"])}
    given |= {"cogs": upstreams(models["cog"]), "cog_commands": upstreams(models["cog_command"])}
    config = RunnerConfig.model_validate({**fields, **{name: one for name, one in given.items() if one}})

    def ready(url: str) -> None:
        kept = config.state_dir / "webhook_secret"
        say(json.dumps({"url": url, "webhook_secret": config.webhook_secret or kept.read_text().strip()}))
        sys.stdout.flush()

    with stop_signals() as asked:
        if with_parent:
            await end_with_parent(asked)
        await serve(config, ready=ready, asked=asked)
