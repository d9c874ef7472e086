"""``mutoscope audit``: check what must always hold, directly on the database and the file store."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Annotated

import typer

from mutoscope.adapters import open_links, open_store
from mutoscope.cli.output import print_json, print_table, say
from mutoscope.cli.setup import Json, opened, settings_of
from mutoscope.core.findings import Finding
from mutoscope.core.settings import Settings
from mutoscope.events import audit as events
from mutoscope.generations import audit as generations
from mutoscope.ledger import audit as ledger
from mutoscope.ledger.audit_queries import OVER_ALL, PER_PAGE

MAX_SHOWN = 20

_LEDGER = {
    "balance_transfers": "Every balance is the sum of its transfers",
    "balance_lots": "Every balance is the sum of its lots",
    "balance_holds": "Held credits are those of pending holds",
    "lot_transfers": "Every lot is the sum of its transfers",
    "hold_settlement": "Every hold was settled as its transfers say",
    "hold_settled_twice": "No hold was settled twice",
    "hold_lots": "Every hold took its credits from lots",
    "hold_owner": "A hold's transfers belong to its account",
}
_EVENTS = {events.CHECK: "Every account's events are numbered 1, 2, 3 … without gaps"}
_GENERATIONS = {
    "holds": "Every hold belongs to a generation, and ends when it does",
    "charges": "What was charged is what the ledger posted",
    "liveness": "Whatever has not ended will be looked at again",
    "predictions": "Every prediction is explained by an attempt",
    "outputs": "What completed has its output, and nothing else has",
    "stored_files": "Every stored file is there, with the bytes that were stored",
}


def audit(
    ctx: typer.Context,
    quick: Annotated[
        bool, typer.Option("--quick", help="Do not read the files, only look that they are there.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show every check with what it found. Exit status 1 when anything was found."""
    found = asyncio.run(_findings(settings_of(ctx), hash_files=not quick))
    by_check: defaultdict[str, list[Finding]] = defaultdict(list)
    for finding in found:
        by_check[finding.check].append(finding)
    checks = {**_checks(), **{name: name for name in by_check if name not in _checks()}}
    if as_json:
        print_json([{"check": name, "says": says, "findings": _plain(by_check[name])} for name, says in checks.items()])
    else:
        _print(checks, by_check)
    if found:
        raise typer.Exit(1)


def _checks() -> dict[str, str]:
    """Every check there is, by name, with what it says."""
    names = [*OVER_ALL, *PER_PAGE]
    in_ledger = {f"ledger.{name}": _LEDGER.get(name, name.replace("_", " ").capitalize()) for name in names}
    return {**in_ledger, "ledger.transfer_shape": "Every transfer is of a known kind", **_EVENTS, **_GENERATIONS}


def _plain(findings: Sequence[Finding]) -> list[dict[str, str]]:
    return [{"subject": one.subject, "detail": one.detail} for one in findings]


def _print(checks: Mapping[str, str], by_check: Mapping[str, Sequence[Finding]]) -> None:
    rows = [(name, says, _result(by_check.get(name, ()))) for name, says in checks.items()]
    print_table(("check", "what must hold", "found"), rows)
    for name in checks:
        for finding in by_check.get(name, ())[:MAX_SHOWN]:
            say(f"{name}: {finding.subject}: {finding.detail}")
        if (hidden := len(by_check.get(name, ())) - MAX_SHOWN) > 0:
            say(f"{name}: and {hidden} more; --json shows them all")


def _result(findings: Sequence[Finding]) -> str:
    return f"{len(findings)} wrong" if findings else "ok"


async def _findings(settings: Settings, *, hash_files: bool) -> list[Finding]:
    async with opened(settings, create=False) as (database, _):
        store = open_store(settings, open_links(settings, "http://127.0.0.1"))
        try:
            async with database.read() as session:
                found = await ledger.findings(session) + await events.findings(session)
            return found + await generations.findings(database, store, hash_files=hash_files)
        finally:
            await store.aclose()
