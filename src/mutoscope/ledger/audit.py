"""Proof that the ledger adds up: each check is one query that returns only what is wrong.

Balances, lots and holds are figures that the hot path keeps; the transfers are the truth they are compared with. A
check is one statement, so that it sees one moment even while credits move, and runs over a page of accounts at a time,
so that no statement grows with the number of accounts.
"""

from collections.abc import AsyncIterator, Mapping
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from mutoscope.core.findings import Finding
from mutoscope.ledger import tables
from mutoscope.ledger.audit_queries import OVER_ALL, PER_PAGE
from mutoscope.ledger.rules import MOVES

PAGE_BALANCES = 1000
MAX_FINDINGS = 1000

_balances, _transfers = tables.balances, tables.transfers


async def findings(session: AsyncSession) -> list[Finding]:
    """Everything in the ledger that does not add up, at most ``MAX_FINDINGS``; then a last one says there are more."""
    found: list[Finding] = []
    async for finding in _all(session):
        if len(found) == MAX_FINDINGS:
            return [*found, Finding("ledger.more", "ledger", f"There are more than {MAX_FINDINGS} findings")]
        found.append(finding)
    return found


async def _all(session: AsyncSession) -> AsyncIterator[Finding]:
    for check, query in OVER_ALL.items():
        async for finding in _run(session, check, query, {}):
            yield finding
    async for low, high in _pages(session):
        for check, query in PER_PAGE.items():
            async for finding in _run(session, check, query, {"low": low, "high": high}):
                yield finding
        async for finding in _odd_transfers(session, low, high):
            yield finding


async def _pages(session: AsyncSession) -> AsyncIterator[tuple[str, str]]:
    """Ranges of account ids, ``low`` left out and ``high`` included, that cover every balance."""
    low = ""
    while True:
        account_ids = select(_balances.c.account_id).where(_balances.c.account_id > low)
        page = (await session.scalars(account_ids.order_by(_balances.c.account_id).limit(PAGE_BALANCES))).all()
        if not page:
            return
        yield low, page[-1]
        low = page[-1]


async def _run(session: AsyncSession, check: str, query: str, page: Mapping[str, str]) -> AsyncIterator[Finding]:
    rows = await session.execute(text(f"{query} LIMIT {MAX_FINDINGS + 1}"), page)
    for row in rows.mappings():
        yield Finding(f"ledger.{check}", str(row["subject"]), _detail(row))


def _detail(row: Mapping[Any, Any]) -> str:
    """Name the figures that differ from their true ones, or all figures where there is nothing to compare."""
    figures = {key: value for key, value in row.items() if key != "subject"}
    compared = [
        f"{key} is {value}, must be {figures['true_' + key]}"
        for key, value in figures.items()
        if "true_" + key in figures and value != figures["true_" + key]
    ]
    return "; ".join(compared or [f"{key} {value}" for key, value in figures.items()])


async def _odd_transfers(session: AsyncSession, low: str, high: str) -> AsyncIterator[Finding]:
    """Transfers that no function of ours makes: between other ledger accounts than their kind says."""
    usual = [
        (_transfers.c.kind == kind) & (_transfers.c.debit == debit) & (_transfers.c.credit == credit)
        for kind, (debit, credit) in MOVES.items()
    ]
    odd = select(_transfers).where(_transfers.c.account_id > low, _transfers.c.account_id <= high)
    for one in usual:
        odd = odd.where(~one)
    for row in await session.execute(odd.limit(MAX_FINDINGS + 1)):
        yield Finding("ledger.transfer_shape", str(row.id), f"a {row.kind} from {row.debit} to {row.credit}")
