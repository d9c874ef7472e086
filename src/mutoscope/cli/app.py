"""All commands under one name."""

from pathlib import Path
from typing import Annotated

import typer

from mutoscope import __version__
from mutoscope.cli import accounts, audit, credit, doctor, generate, keys, migrate, models, runner, serve, worker
from mutoscope.cli.demo import command as demo

app = typer.Typer(
    name="mutoscope",
    help="Paid AI generation: credits, durable jobs and stored results in one service.",
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


app.command("demo")(demo.demo)
app.command("serve")(serve.serve)
app.command("worker")(worker.worker)
app.command("runner")(runner.runner)
app.command("generate")(generate.generate)
app.command("models")(models.models)
app.add_typer(accounts.app, name="accounts", help="Accounts of your users (directly on the database).")
app.add_typer(credit.app, name="credits", help="Credits of an account (directly on the database).")
app.add_typer(keys.app, name="keys", help="API keys (directly on the database).")
app.command("migrate")(migrate.migrate)
app.command("doctor")(doctor.doctor)
app.command("audit")(audit.audit)
