"""``mutoscope webhooks``: an account's signing secret, and how its deliveries went, directly on the database."""

import asyncio
from collections.abc import Sequence
from typing import Annotated

import typer

from mutoscope.cli.output import print_json, print_table, say
from mutoscope.cli.setup import Json, opened, settings_of
from mutoscope.core.clock import SystemClock
from mutoscope.core.settings import Settings
from mutoscope.webhooks import deliveries
from mutoscope.webhooks.models import WebhookDelivery
from mutoscope.webhooks.secrets import WebhookSecrets

app = typer.Typer(no_args_is_help=True, help="Webhooks that go out (directly on the database).")
Account = Annotated[str, typer.Argument(help="Whose, by id or external id.")]


@app.command("secret")
def secret(
    ctx: typer.Context,
    account: Account,
    *,
    rotate: Annotated[
        bool, typer.Option("--rotate", help="Make a new one first; the old one signs beside it for a day.")
    ] = False,
) -> None:
    """Print the secret that signs the account's webhooks; made if there is none."""
    say(asyncio.run(_secret(settings_of(ctx), account, rotate=rotate)))


@app.command("deliveries")
def list_deliveries(
    ctx: typer.Context,
    account: Account,
    *,
    limit: Annotated[int, typer.Option(min=1, max=500)] = 50,
    as_json: Json = False,
) -> None:
    """List what was sent and what is owed, newest first. What ended is kept for a week."""
    rows = asyncio.run(_deliveries(settings_of(ctx), account, limit))
    shown = [(r.message_id, r.subject_id, r.event, r.state, r.attempts, r.last_status, r.last_error) for r in rows]
    columns = ("id", "about", "event", "state", "tries", "answer", "error")
    if as_json:
        print_json([dict(zip(columns, one, strict=True)) for one in shown])
    else:
        print_table(columns, shown)


async def _secret(settings: Settings, account: str, *, rotate: bool) -> str:
    async with opened(settings) as (database, accounts):
        owner, secrets = await accounts.get(account), WebhookSecrets(database, SystemClock())
        return await (secrets.rotate(owner.id) if rotate else secrets.current(owner.id))


async def _deliveries(settings: Settings, account: str, limit: int) -> Sequence[WebhookDelivery]:
    async with opened(settings) as (database, accounts):
        owner = await accounts.get(account)
        async with database.read() as session:
            return await deliveries.of(session, owner.id, limit=limit)
