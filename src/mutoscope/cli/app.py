"""All commands under one name. Each is imported when it is asked for, so that a light one starts at once."""

import importlib
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from mutoscope import __version__

# Each command's module, and its function or group of functions there.
COMMANDS = {
    "demo": ("mutoscope.cli.demo.command", "demo"),
    "serve": ("mutoscope.cli.serve", "serve"),
    "worker": ("mutoscope.cli.worker", "worker"),
    "runner": ("mutoscope.cli.runner", "runner"),
    "generate": ("mutoscope.cli.generate", "generate"),
    "models": ("mutoscope.cli.models", "models"),
    "accounts": ("mutoscope.cli.accounts", "app"),
    "credits": ("mutoscope.cli.credit", "app"),
    "keys": ("mutoscope.cli.keys", "app"),
    "webhooks": ("mutoscope.cli.webhooks", "app"),
    "migrate": ("mutoscope.cli.migrate", "migrate"),
    "doctor": ("mutoscope.cli.doctor", "doctor"),
    "audit": ("mutoscope.cli.audit", "audit"),
}


class _Commands(TyperGroup):
    """The commands above, which Typer would rather have all at once."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Their names, in the order in which people meet them."""
        del ctx
        return [*COMMANDS]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """One of them, or nothing."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module, name = COMMANDS[cmd_name]
        found = getattr(importlib.import_module(module), name)
        if not isinstance(found, typer.Typer):
            single = typer.Typer(add_completion=False)
            single.command(cmd_name)(found)
            found = single
        command = typer.main.get_command(found)
        command.name = cmd_name
        return command


app = typer.Typer(
    name="mutoscope",
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def top(
    ctx: typer.Context,
    config: Annotated[
        Path | None, typer.Option(help="The settings file.", envvar="MUTOSCOPE_CONFIG", show_default="mutoscope.toml")
    ] = None,
    _: Annotated[bool, typer.Option("--version", help="Say the version.", callback=_version, is_eager=True)] = False,
) -> None:
    """Paid AI generation: credits, durable jobs and stored results in one service."""
    ctx.obj = config
