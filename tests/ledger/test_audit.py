"""The audit finds what somebody changed by hand, and nothing else."""

import pytest
from sqlalchemy import insert

from mutoscope.accounts.models import Account
from mutoscope.db.base import table
from mutoscope.ledger.audit import MAX_FINDINGS, PAGE_BALANCES
from mutoscope.ledger.models import CreditBalance
from tests.ledger.bank import IMAGES, Bank

A_TRANSFER = (
    "INSERT INTO credit_transfers (account_id, credit_type, kind, debit, credit, amount, lot_id, hold_id, created_at) "
    "SELECT account_id, credit_type, {kind}, {debit}, {credit}, amount, lot_id, hold_id, created_at "
    "FROM credit_transfers WHERE kind = '{like}'"
)


@pytest.fixture
async def busy(bank: Bank) -> Bank:
    """An account with one pending, one posted and one voided hold, and another account."""
    await bank.open_account("acct_b")
    await bank.grant(3, account_id="acct_b")
    await bank.grant(5, external_id="first", days=1)
    await bank.grant(20, external_id="second")
    await bank.reserve(4, "pending")
    await bank.post((await bank.reserve(3, "posted")).id, 3)
    await bank.void((await bank.reserve(2, "voided")).id)
    assert await bank.findings() == []
    return bank


@pytest.mark.parametrize(
    ("damage", "checks"),
    [
        (
            "UPDATE credit_balances SET available = available + 1, issued = issued - 1 WHERE account_id = 'acct_a'",
            {"balance_transfers", "balance_lots"},
        ),
        (
            "UPDATE credit_balances SET held = held + 1, available = available - 1 WHERE account_id = 'acct_a'",
            {"balance_transfers", "balance_lots", "balance_holds"},
        ),
        (
            "UPDATE credit_lots SET remaining = remaining - 1, spent = spent + 1 WHERE external_id = 'second'",
            {"balance_lots", "lot_transfers"},
        ),
        (
            "UPDATE credit_lots SET amount = amount + 1, remaining = remaining + 1 WHERE external_id = 'second'",
            {"balance_lots", "lot_transfers"},
        ),
        (
            "UPDATE credit_holds SET state = 'posted', posted = amount, settled_at = created_at WHERE key = 'pending'",
            {"hold_settlement", "hold_lots", "balance_holds"},
        ),
        (
            "UPDATE credit_holds SET state = 'voided', settled_at = created_at WHERE key = 'pending'",
            {"hold_settlement", "hold_lots", "balance_holds"},
        ),
        ("UPDATE credit_holds SET amount = amount + 1 WHERE key = 'pending'", {"hold_settlement", "balance_holds"}),
        (
            A_TRANSFER.format(kind="kind", debit="debit", credit="credit", like="post"),
            {"hold_settlement", "hold_settled_twice", "hold_lots", "balance_transfers", "lot_transfers"},
        ),
        (
            A_TRANSFER.format(kind="'gift'", debit="'issued'", credit="'spent'", like="grant"),
            {"transfer_shape", "balance_transfers", "lot_transfers"},
        ),
        (
            "UPDATE credit_lots SET account_id = 'acct_b' WHERE external_id = 'second'",
            {"balance_lots", "lot_transfers", "hold_owner"},
        ),
        (
            "UPDATE credit_lots SET credit_type = 'video_generation' WHERE external_id = 'second'",
            {"balance_lots", "lot_transfers", "hold_owner", "balance_missing"},
        ),
        ("DELETE FROM credit_balances WHERE account_id = 'acct_b'", {"balance_missing"}),
    ],
)
async def test_damage_is_found(busy: Bank, damage: str, checks: set[str]) -> None:
    await busy.by_hand(damage)
    assert {finding.check for finding in await busy.findings()} == {f"ledger.{check}" for check in checks}


async def test_a_sum_that_is_not_zero_is_found(busy: Bank) -> None:
    async with busy.database.write() as session:
        connection = await session.connection()
        drop = "ALTER TABLE credit_balances DROP CONSTRAINT ck_credit_balances_zero_sum"
        await connection.exec_driver_sql("PRAGMA ignore_check_constraints = ON" if busy.database.is_sqlite else drop)
        await connection.exec_driver_sql("UPDATE credit_balances SET spent = spent + 1 WHERE account_id = 'acct_b'")
    assert "ledger.zero_sum" in {finding.check for finding in await busy.findings()}


async def test_a_finding_names_the_figures(busy: Bank) -> None:
    await busy.by_hand("UPDATE credit_balances SET held = 5, available = available - 1 WHERE account_id = 'acct_a'")
    finding = next(one for one in await busy.findings() if one.check == "ledger.balance_transfers")
    assert finding.subject == f"acct_a {IMAGES}"
    assert finding.detail == "available is 17, must be 18; held is 5, must be 4"


async def test_every_page_of_accounts_is_looked_at_and_the_report_is_bounded(bank: Bank) -> None:
    names = [f"acct_{number:05}" for number in range(PAGE_BALANCES + 5)]
    figures = {"credit_type": IMAGES, "issued": 0, "available": 0, "held": 0, "spent": 0, "expired": 0}
    fixed = {"priority": 0, "metadata": {}, "created_at": bank.now}
    async with bank.database.write() as session:
        await session.execute(insert(table(Account)), [{"id": one, "external_id": one, **fixed} for one in names])
        await session.execute(insert(table(CreditBalance)), [{"account_id": one, **figures} for one in names])
    await bank.by_hand("UPDATE credit_balances SET available = 1, issued = -1 WHERE account_id = :last", last=names[-1])
    found = await bank.findings()
    assert {(one.check, one.subject) for one in found} == {
        ("ledger.balance_transfers", f"{names[-1]} {IMAGES}"), ("ledger.balance_lots", f"{names[-1]} {IMAGES}")
    }  # fmt: skip
    await bank.by_hand("UPDATE credit_balances SET available = 1, issued = -1")
    found = await bank.findings()
    assert (len(found), found[-1].check) == (MAX_FINDINGS + 1, "ledger.more")
