"""What each movement of credits does, in order and alone."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.exc import DatabaseError

from mutoscope.core.errors import Conflict, InvalidRequest, NotFound
from mutoscope.ledger import service as ledger
from mutoscope.ledger.errors import GrantConflict, InsufficientCredits
from tests.ledger.bank import IMAGES, Bank


async def test_a_grant_is_available_at_once(bank: Bank) -> None:
    lot = await bank.grant(10, source="purchase", external_id="pi_1", priority=3)
    assert (lot.amount, lot.remaining, lot.priority, lot.source) == (10, 10, 3, "purchase")
    assert await bank.figures() == (10, 0, 0, 0)


async def test_the_same_grant_again_changes_nothing(bank: Bank) -> None:
    first = await bank.grant(10, external_id="pi_1", days=3)
    again = await bank.grant(10, external_id="pi_1", days=3)
    assert again.id == first.id
    assert await bank.figures() == (10, 0, 0, 0)
    other = await bank.grant(10, external_id="pi_1", source="purchase", days=3)
    assert other.id != first.id


@pytest.mark.parametrize("change", [{"amount": 11}, {"days": 4}, {"days": None}])
async def test_the_same_external_id_with_other_terms_is_refused(bank: Bank, change: dict[str, Any]) -> None:
    await bank.grant(10, external_id="pi_1", days=3)
    terms: dict[str, Any] = {"amount": 10, "days": 3, "external_id": "pi_1"} | change
    with pytest.raises(GrantConflict) as refused:
        await bank.grant(**terms)
    assert (refused.value.status, refused.value.code) == (409, "grant_conflict")
    assert await bank.figures() == (10, 0, 0, 0)


@pytest.mark.parametrize(
    "terms",
    [
        {"amount": 0}, {"amount": -1}, {"amount": 10**15 + 1}, {"amount": 1.5}, {"amount": True}, {"days": 0},
        {"source": "gift"}, {"credit_type": "Bad Type"}, {"external_id": ""}, {"external_id": "x" * 256},
        {"external_id": "nul\0"},
    ],
)  # fmt: skip
async def test_a_grant_that_cannot_be_is_refused(bank: Bank, terms: dict[str, Any]) -> None:
    amount: dict[str, Any] = {"amount": 1}
    with pytest.raises(InvalidRequest):
        await bank.grant(**(amount | terms))


async def test_a_grant_needs_an_account(bank: Bank) -> None:
    with pytest.raises(NotFound):
        await bank.grant(1, account_id="acct_nobody")


async def test_grants_cannot_outgrow_an_integer(bank: Bank) -> None:
    await bank.grant(1)
    await bank.by_hand("UPDATE credit_balances SET issued = -1000000000000000000, available = 1000000000000000000")
    with pytest.raises(InvalidRequest):
        await bank.grant(1)


async def test_reserve_takes_from_lots_in_burn_down_order(bank: Bank) -> None:
    await bank.grant(5, external_id="never")
    await bank.grant(5, external_id="late", days=9)
    await bank.grant(5, external_id="soon-second", days=1, priority=2)
    await bank.grant(5, external_id="soon-first", days=1, priority=1)
    hold = await bank.reserve(12, "gen_1")
    assert (hold.amount, hold.posted, hold.state) == (12, 0, "pending")
    assert await bank.figures() == (8, 12, 0, 0)
    assert await bank.lots() == {
        "soon-first": (0, 5, 0, 0), "soon-second": (0, 5, 0, 0), "late": (3, 2, 0, 0), "never": (5, 0, 0, 0)
    }  # fmt: skip


async def test_the_same_key_reserves_once(bank: Bank) -> None:
    await bank.grant(5)
    first = await bank.reserve(3, "gen_1")
    assert await bank.reserve(3, "gen_1") == first  # what is left would not cover it again
    await bank.grant(5)
    assert await bank.reserve(3, "gen_1") == first  # and now it would
    assert await bank.figures() == (7, 3, 0, 0)
    with pytest.raises(Conflict):
        await bank.reserve(2, "gen_1")
    await bank.grant(5, credit_type="video_generation")
    with pytest.raises(Conflict):
        await bank.reserve(3, "gen_1", credit_type="video_generation")
    assert await bank.figures() == (7, 3, 0, 0)


async def test_the_same_key_reserves_once_also_when_only_expired_lots_are_left(bank: Bank) -> None:
    await bank.grant(5, days=1)
    await bank.grant(3)
    bank.now += timedelta(days=1)
    first = await bank.reserve(3, "gen_1")
    assert await bank.reserve(3, "gen_1") == first
    assert await bank.findings() == []


async def test_the_same_key_of_another_account_is_another(bank: Bank) -> None:
    await bank.open_account("acct_b")
    await bank.grant(5)
    await bank.grant(5, account_id="acct_b")
    assert (await bank.reserve(1, "k")).id != (await bank.reserve(1, "k", account_id="acct_b")).id


async def test_too_little_says_how_much_there_is(bank: Bank) -> None:
    with pytest.raises(InsufficientCredits) as nothing:
        await bank.reserve(1, "gen_0")
    assert nothing.value.extra == {
        "credit_type": IMAGES, "needed": 1, "available": 0, "held": 0, "limit_source": "balance"
    }  # fmt: skip
    await bank.grant(5)
    await bank.reserve(3, "gen_1")
    with pytest.raises(InsufficientCredits) as busy:
        await bank.reserve(4, "gen_2")
    assert (busy.value.status, busy.value.extra) == (
        402, {"credit_type": IMAGES, "needed": 4, "available": 2, "held": 3, "limit_source": "held"}
    )  # fmt: skip
    with pytest.raises(InsufficientCredits) as poor:
        await bank.reserve(6, "gen_3")
    assert poor.value.extra["limit_source"] == "balance"
    assert await bank.figures() == (2, 3, 0, 0)


async def test_expired_credits_cannot_be_reserved_even_before_they_are_swept(bank: Bank) -> None:
    await bank.grant(5, days=1)
    await bank.grant(2)
    bank.now += timedelta(days=1)
    with pytest.raises(InsufficientCredits) as refused:
        await bank.reserve(3, "gen_1")
    assert (refused.value.extra["available"], refused.value.extra["held"]) == (2, 0)
    assert await bank.figures() == (2, 0, 0, 5)
    await bank.reserve(2, "gen_2")
    assert await bank.expire() == 1
    assert await bank.figures() == (0, 2, 0, 5)
    assert await bank.findings() == []


async def test_expiry_works_in_batches_over_many_accounts(bank: Bank) -> None:
    for number in range(5):
        await bank.open_account(f"acct_{number}")
        await bank.grant(2, account_id=f"acct_{number}", days=1)
        await bank.grant(3, account_id=f"acct_{number}", days=1)
        await bank.grant(4, account_id=f"acct_{number}", days=3)
    assert await bank.expire() == 0
    bank.now += timedelta(days=2)
    assert [await bank.expire(limit=4) for _ in range(4)] == [4, 4, 2, 0]
    assert await bank.figures("acct_3") == (4, 0, 0, 5)
    assert await bank.findings() == []


async def test_balances_name_what_expires_next(bank: Bank) -> None:
    lots = [await bank.grant(1 + days, days=days) for days in range(7, 0, -1)]
    await bank.grant(100)
    await bank.grant(1, credit_type="video_generation")
    balance = await bank.balance()
    assert [(one.lot_id, one.amount) for one in balance.expiring] == [(lot.id, lot.amount) for lot in lots[:1:-1]]
    assert (await bank.balance(credit_type="video_generation")).expiring == []


async def test_transfers_come_newest_first_in_pages(bank: Bank) -> None:
    await bank.grant(5)
    await bank.grant(5, credit_type="video_generation")
    await bank.post((await bank.reserve(3, "gen_1")).id, 2)
    async with bank.database.read() as session:
        first = await ledger.transfers(session, "acct_a", after=None, limit=3)
        rest = await ledger.transfers(session, "acct_a", after=first[-1].id, limit=3)
        videos = await ledger.transfers(session, "acct_a", after=None, limit=9, credit_type="video_generation")
        others = await ledger.transfers(session, "acct_b", after=None, limit=9)
    moves = [(one.kind, one.debit, one.credit, one.amount, one.reason) for one in [*first, *rest]]
    assert moves == [
        ("void", "held", "available", 1, "completed"),
        ("post", "held", "spent", 2, "completed"),
        ("reserve", "available", "held", 3, None),
        ("grant", "issued", "available", 5, None),
        ("grant", "issued", "available", 5, None),
    ]
    assert [one.kind for one in videos] == ["grant"]
    assert others == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE credit_transfers SET amount = amount + 1",
        "DELETE FROM credit_transfers",
        "UPDATE credit_holds SET posted = 0",
        "UPDATE credit_holds SET state = 'pending', settled_at = NULL",
        "UPDATE credit_balances SET available = available - 1",
        "UPDATE credit_balances SET available = available - 100, spent = spent + 100",
        "UPDATE credit_lots SET remaining = remaining + 1",
    ],
)
async def test_the_database_itself_refuses_to_rewrite_history(bank: Bank, statement: str) -> None:
    await bank.grant(5)
    await bank.post((await bank.reserve(3, "gen_1")).id, 2)
    with pytest.raises(DatabaseError):
        await bank.by_hand(statement)
    assert await bank.findings() == []


async def test_a_purchase_belongs_to_one_account_and_the_other_sources_do_not(bank: Bank) -> None:
    await bank.open_account("acct_b")
    first = await bank.grant(5, source="purchase", external_id="pi_1")
    with pytest.raises(GrantConflict, match="another account"):
        await bank.grant(5, source="purchase", external_id="pi_1", account_id="acct_b")
    assert (await bank.grant(5, source="purchase", external_id="pi_1")).id == first.id
    await bank.grant(1, source="purchase", external_id="pi_1", credit_type="video_generation", account_id="acct_b")
    for source in ("plan", "promo", "adjustment"):
        for account_id in ("acct_a", "acct_b"):
            await bank.grant(2, source=source, external_id="pi_1", account_id=account_id)
    assert (await bank.figures("acct_a"), await bank.figures("acct_b")) == ((11, 0, 0, 0), (6, 0, 0, 0))
    assert await bank.findings() == []
