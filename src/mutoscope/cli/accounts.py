"""``mutoscope accounts``: make, list and show accounts, directly on the database."""

import asyncio
from collections.abc import Sequence
from typing import Annotated

import typer

from mutoscope.accounts.models import Account
from mutoscope.api.shapes.account import AccountRead
from mutoscope.cli.output import print_json, print_record, print_table, shown
from mutoscope.cli.setup import Json, opened, settings_of
from mutoscope.core.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Accounts of your users (directly on the database).")

Ref = Annotated[str, typer.Argument(metavar="ACCOUNT", help="Its id or external id.")]


@app.command("create")
def create(
    ctx: typer.Context,
    external_id: Annotated[str, typer.Argument(help="Your own id of the user.")],
    name: Annotated[str | None, typer.Option(help="A name to show.")] = None,
    priority: Annotated[int, typer.Option(min=-(2**31), max=2**31 - 1, help="A higher one goes first.")] = 0,
    as_json: Json = False,
) -> None:
    """Make an account, or show the one that is there."""
    _show(asyncio.run(_create(settings_of(ctx), external_id, name, priority)), as_json)


@app.command("list")
def list_all(
    ctx: typer.Context,
    after: Annotated[str | None, typer.Option(help="Only those made after this id.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=500)] = 100,
    as_json: Json = False,
) -> None:
    """List accounts, oldest first."""
    rows = asyncio.run(_list(settings_of(ctx), after, limit))
    if as_json:
        print_json([AccountRead.of(row) for row in rows])
        return
    columns = ("id", "external id", "name", "priority", "created")
    print_table(columns, [(r.id, r.external_id, r.name, r.priority, f"{r.created_at:%Y-%m-%d %H:%M}") for r in rows])


@app.command("show")
def show(ctx: typer.Context, account: Ref, as_json: Json = False) -> None:
    """Show one account."""
    _show(asyncio.run(_get(settings_of(ctx), account)), as_json)


def _show(row: Account, as_json: bool) -> None:
    (print_json if as_json else print_record)(shown(AccountRead.of(row)))


async def _create(settings: Settings, external_id: str, name: str | None, priority: int) -> Account:
    async with opened(settings) as (_, accounts):
        return await accounts.create(external_id, name, priority)


async def _list(settings: Settings, after: str | None, limit: int) -> Sequence[Account]:
    async with opened(settings) as (_, accounts):
        return await accounts.list(after, limit)


async def _get(settings: Settings, account: str) -> Account:
    async with opened(settings) as (_, accounts):
        return await accounts.get(account)
