"""How holds end: what is posted, what is voided, and what is refunded later."""

from datetime import timedelta

import pytest

from mutoscope.core.errors import Conflict, InvalidRequest, NotFound
from tests.ledger.bank import Bank


async def test_a_whole_post_spends_and_a_void_returns(bank: Bank) -> None:
    await bank.grant(10)
    one, two = await bank.reserve(4, "gen_1"), await bank.reserve(3, "gen_2")
    posted = await bank.post(one.id, 4)
    assert (posted.state, posted.posted, posted.reason) == ("posted", 4, "completed")
    voided = await bank.void(two.id)
    assert (voided.state, voided.posted, voided.reason) == ("voided", 0, "failed")
    assert await bank.figures() == (6, 0, 4, 0)
    assert await bank.findings() == []


async def test_a_part_is_posted_from_the_first_lots_and_the_rest_returns_to_the_last(bank: Bank) -> None:
    await bank.grant(3, external_id="first", days=1)
    await bank.grant(3, external_id="second", days=2)
    await bank.grant(3, external_id="third", days=3)
    hold = await bank.reserve(8, "gen_1")
    assert (await bank.post(hold.id, 4)).posted == 4
    assert await bank.lots() == {"first": (0, 0, 3, 0), "second": (2, 0, 1, 0), "third": (3, 0, 0, 0)}
    assert await bank.figures() == (5, 0, 4, 0)
    assert await bank.findings() == []


async def test_posting_nothing_is_a_void(bank: Bank) -> None:
    await bank.grant(3)
    assert (await bank.post((await bank.reserve(3, "gen_1")).id, 0)).state == "voided"
    assert await bank.figures() == (3, 0, 0, 0)


async def test_the_first_settlement_wins(bank: Bank) -> None:
    await bank.grant(6)
    hold = await bank.reserve(6, "gen_1")
    first = await bank.post(hold.id, 2)
    assert await bank.post(hold.id, 6, reason="again") == first
    assert await bank.void(hold.id) == first
    assert await bank.figures() == (4, 0, 2, 0)


@pytest.mark.parametrize("amount", [-1, 4])
async def test_no_more_can_be_posted_than_is_held(bank: Bank, amount: int) -> None:
    await bank.grant(9)
    hold = await bank.reserve(3, "gen_1")
    with pytest.raises(InvalidRequest):
        await bank.post(hold.id, amount)
    assert await bank.figures() == (6, 3, 0, 0)


async def test_a_hold_that_is_not_there_cannot_be_settled(bank: Bank) -> None:
    for settle in (bank.void("hold_none"), bank.post("hold_none", 1), bank.refund("hold_none", 1, "k")):
        with pytest.raises(NotFound):
            await settle


async def test_what_returns_to_an_expired_lot_gets_grace_but_only_that(bank: Bank) -> None:
    await bank.grant(10, external_id="lot", days=1)
    one, two = await bank.reserve(3, "gen_1"), await bank.reserve(4, "gen_2")
    bank.now += timedelta(days=2)
    await bank.void(one.id, grace_s=60)
    assert await bank.lots() == {"lot": (3, 4, 0, 3)}
    assert (await bank.balance()).expiring[0].expires_at == bank.now + timedelta(seconds=60)
    again = await bank.reserve(1, "gen_3")
    bank.now += timedelta(seconds=30)
    await bank.post(two.id, 1)  # within the grace: joins what is there, and does not move it
    assert await bank.lots() == {"lot": (5, 1, 1, 3)}
    bank.now += timedelta(seconds=30)
    assert await bank.expire() == 1
    await bank.post(again.id, 1)
    assert await bank.figures() == (0, 0, 2, 8)
    assert await bank.findings() == []


async def test_a_repeated_grant_is_known_after_a_grace_has_moved_its_expiry(bank: Bank) -> None:
    expires_at = bank.now + timedelta(days=1)
    lot = await bank.grant(10, external_id="lot", expires_at=expires_at)
    hold = await bank.reserve(3, "gen_1")
    bank.now += timedelta(days=2)
    await bank.void(hold.id)
    assert (await bank.grant(10, external_id="lot", expires_at=expires_at)).id == lot.id


async def test_a_refund_returns_to_the_lots_it_was_spent_from_last_first(bank: Bank) -> None:
    await bank.grant(3, external_id="first", days=1)
    await bank.grant(3, external_id="second", days=9)
    hold = await bank.reserve(5, "gen_1")
    await bank.post(hold.id, 5)
    await bank.refund(hold.id, 3, "late_1")
    assert await bank.lots() == {"first": (1, 0, 2, 0), "second": (3, 0, 0, 0)}
    await bank.refund(hold.id, 3, "late_1")
    assert await bank.figures() == (4, 0, 2, 0)
    with pytest.raises(Conflict):
        await bank.refund(hold.id, 2, "late_1")
    with pytest.raises(Conflict):
        await bank.refund(hold.id, 3, "late_2")
    bank.now += timedelta(days=2)
    await bank.refund(hold.id, 2, "late_2")
    assert await bank.lots() == {"first": (2, 0, 0, 1), "second": (3, 0, 0, 0)}
    assert await bank.findings() == []


async def test_a_refund_key_belongs_to_one_hold(bank: Bank) -> None:
    await bank.grant(4)
    one, two = await bank.reserve(2, "gen_1"), await bank.reserve(2, "gen_2")
    await bank.post(one.id, 2)
    await bank.post(two.id, 2)
    await bank.refund(one.id, 1, "k")
    with pytest.raises(Conflict):
        await bank.refund(two.id, 1, "k")
    await bank.refund(one.id, 1, "k#0")
    assert await bank.figures() == (2, 0, 2, 0)


async def test_nothing_is_refunded_of_a_hold_that_was_not_posted(bank: Bank) -> None:
    await bank.grant(4)
    hold = await bank.reserve(2, "gen_1")
    with pytest.raises(Conflict):
        await bank.refund(hold.id, 1, "k")
