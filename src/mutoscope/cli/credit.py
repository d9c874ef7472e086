"""``mutoscope credits``: grant credits, and show what an account has and every movement of it."""

import asyncio
from datetime import timedelta
from typing import Annotated

import typer
from pydantic import ValidationError

from mutoscope.api.money import generations_of, give
from mutoscope.api.shapes.money import BalanceRead, GrantCreate, LotRead, TransferRead
from mutoscope.cli.accounts import Ref
from mutoscope.cli.output import print_json, print_table, say
from mutoscope.cli.setup import Json, opened, settings_of
from mutoscope.core.clock import SystemClock
from mutoscope.core.ids import new_id
from mutoscope.core.settings import Settings
from mutoscope.ledger import service as ledger

app = typer.Typer(no_args_is_help=True, help="Credits of an account (directly on the database).")


# So that -5 is an amount, which is refused as one, and not an option that there is none of.
@app.command("grant", context_settings={"ignore_unknown_options": True})
def grant(  # noqa: PLR0913 - each is an option
    ctx: typer.Context,
    account: Ref,
    *,
    amount: Annotated[int, typer.Argument(help="Whole credits.")],
    credit_type: Annotated[str, typer.Option("--type", help="Which credits.")] = "image_generation",
    source: Annotated[str, typer.Option(help="purchase, plan, promo or adjustment.")] = "adjustment",
    external_id: Annotated[
        str | None, typer.Option(help="Your own id of the grant: the same one again gives nothing more.")
    ] = None,
    days: Annotated[int | None, typer.Option(min=1, max=36500, help="They expire after so many days.")] = None,
    as_json: Json = False,
) -> None:
    """Give credits to an account."""
    fields = {
        "amount": amount,
        "credit_type": credit_type,
        "source": source,
        "external_id": external_id or new_id("cli"),
        "expires_at": SystemClock().now() + timedelta(days=days) if days else None,
    }
    try:
        new = GrantCreate.model_validate(fields)
    except ValidationError as error:
        said = "; ".join(f"{one['loc'][0]}: {one['msg']}" for one in error.errors())
        raise typer.BadParameter(said) from error
    lot = asyncio.run(_grant(settings_of(ctx), account, new))
    if as_json:
        print_json(lot)
        return
    say(f"{lot.amount} {lot.credit_type} credits given ({lot.external_id}); {lot.remaining} of them are left.")


@app.command("show")
def show(ctx: typer.Context, account: Ref, as_json: Json = False) -> None:
    """Show what an account has."""
    rows = asyncio.run(_balances(settings_of(ctx), account))
    if as_json:
        print_json(rows)
        return
    columns = ("credit type", "available", "held", "spent", "expired")
    print_table(columns, [(r.credit_type, r.available, r.held, r.spent, r.expired) for r in rows])


@app.command("transfers")
def transfers(
    ctx: typer.Context,
    account: Ref,
    before: Annotated[int | None, typer.Option(help="Only those older than this number.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=500)] = 50,
    as_json: Json = False,
) -> None:
    """List movements of an account's credits, newest first."""
    rows = asyncio.run(_transfers(settings_of(ctx), account, before, limit))
    if as_json:
        print_json(rows)
        return
    columns = ("id", "created_at", "kind", "debit", "credit", "amount", "credit_type", "reason", "generation_id")
    print_table(
        columns,
        [(r.id, f"{r.created_at:%Y-%m-%d %H:%M:%S}", *(getattr(r, name) for name in columns[2:])) for r in rows],
    )


async def _grant(settings: Settings, account: str, new: GrantCreate) -> LotRead:
    async with opened(settings) as (database, accounts):
        owner = await accounts.get(account)
        return LotRead.of(await give(database, SystemClock(), owner.id, new))


async def _balances(settings: Settings, account: str) -> list[BalanceRead]:
    async with opened(settings) as (database, accounts):
        owner = await accounts.get(account)
        async with database.read() as session:
            return [BalanceRead.of(one) for one in await ledger.balances(session, owner.id, now=SystemClock().now())]


async def _transfers(settings: Settings, account: str, before: int | None, limit: int) -> list[TransferRead]:
    async with opened(settings) as (database, accounts):
        owner = await accounts.get(account)
        async with database.read() as session:
            rows = await ledger.transfers(session, owner.id, after=before, limit=limit)
            generations = await generations_of(session, rows)
    return [TransferRead.of(row, generations) for row in rows]
