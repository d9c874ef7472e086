"""``mutoscope keys``: make, list and revoke API keys, directly on the database."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated

import typer

from mutoscope.accounts.models import ApiKey
from mutoscope.api.shapes.account import KeyCreated, KeyRead
from mutoscope.cli.output import note, print_json, print_record, print_table, say, shown
from mutoscope.cli.setup import Json, opened, settings_of
from mutoscope.core.clock import SystemClock
from mutoscope.core.settings import Settings

app = typer.Typer(no_args_is_help=True, help="API keys (directly on the database).")


@app.command("create")
def create(
    ctx: typer.Context,
    *,
    account: Annotated[str | None, typer.Option(help="Whose key it is, by id or external id.")] = None,
    operator: Annotated[bool, typer.Option("--operator", help="A key that may do everything.")] = False,
    name: Annotated[str | None, typer.Option(help="What it is for.")] = None,
    days: Annotated[int | None, typer.Option(min=1, max=36500, help="It expires after so many days.")] = None,
    as_json: Json = False,
) -> None:
    """Make a key and print it. It cannot be shown again."""
    if operator == (account is not None):
        raise typer.BadParameter("say either --account or --operator")
    expires_at = SystemClock().now() + timedelta(days=days) if days else None
    key, secret = asyncio.run(_create(settings_of(ctx), account, name, expires_at))
    if as_json:
        print_json(KeyCreated(key=KeyRead.of(key), secret=secret))
        return
    note(f"{key.id}, shown this once:")
    say(secret)


@app.command("list")
def list_all(
    ctx: typer.Context,
    *,
    account: Annotated[str | None, typer.Option(help="Only this account's.")] = None,
    after: Annotated[str | None, typer.Option(help="Only those made after this id.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=500)] = 100,
    as_json: Json = False,
) -> None:
    """List keys, oldest first, revoked ones too."""
    rows = asyncio.run(_list(settings_of(ctx), account, after, limit))
    if as_json:
        print_json([KeyRead.of(row) for row in rows])
        return
    columns = ("id", "scope", "account", "name", "begins with", "state", "last used")
    print_table(
        columns,
        [(r.id, r.scope, r.account_id, r.name, r.hint, _state(r), _time(r.last_used_at)) for r in rows],
    )


@app.command("revoke")
def revoke(
    ctx: typer.Context, key_id: Annotated[str, typer.Argument(help="The key's id.")], as_json: Json = False
) -> None:
    """End a key now and for ever."""
    row = asyncio.run(_revoke(settings_of(ctx), key_id))
    (print_json if as_json else print_record)(shown(KeyRead.of(row)))


def _state(key: ApiKey) -> str:
    if key.revoked_at:
        return "revoked"
    return "expired" if key.expires_at and key.expires_at <= SystemClock().now() else "good"


def _time(when: datetime | None) -> str | None:
    return f"{when:%Y-%m-%d %H:%M}" if when else None


async def _create(
    settings: Settings, account: str | None, name: str | None, expires_at: datetime | None
) -> tuple[ApiKey, str]:
    async with opened(settings) as (_, accounts):
        return await accounts.create_key("account" if account else "operator", account, name, expires_at)


async def _list(settings: Settings, account: str | None, after: str | None, limit: int) -> Sequence[ApiKey]:
    async with opened(settings) as (_, accounts):
        account_id = (await accounts.get(account)).id if account else None
        return await accounts.list_keys(account_id, after, limit)


async def _revoke(settings: Settings, key_id: str) -> ApiKey:
    async with opened(settings) as (_, accounts):
        return await accounts.revoke_key(key_id)
