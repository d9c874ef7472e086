"""The pure rules: taking from lots and giving back."""

from hypothesis import given
from hypothesis import strategies as st

from mutoscope.ledger.rules import Part, allocate, give_back, settle, total

lots = st.lists(st.integers(1, 50), max_size=8).map(
    lambda sizes: [Part(f"lot_{n}", one) for n, one in enumerate(sizes)]
)


def test_lots_are_used_up_in_order() -> None:
    assert allocate([Part("a", 3), Part("b", 3), Part("c", 3)], 4) == [Part("a", 3), Part("b", 1)]


@given(lots, st.integers(0, 500))
def test_taking_covers_what_was_asked_or_all_there_is(there: list[Part], amount: int) -> None:
    taken = allocate(there, amount)
    assert total(taken) == min(amount, total(there))
    assert all(part.amount > 0 for part in taken)
    assert [part.lot_id for part in taken] == [part.lot_id for part in there][: len(taken)]
    assert all(part.amount == whole.amount for part, whole in zip(taken[:-1], there, strict=False))


@given(lots, st.data())
def test_settling_splits_every_lot_into_spent_and_returned(held: list[Part], data: st.DataObject) -> None:
    posted = data.draw(st.integers(0, total(held)))
    settled = settle(held, posted)
    assert sum(part.posted for part in settled) == posted
    assert [part.posted + part.returned for part in settled] == [part.amount for part in held]
    first_returned = next((n for n, part in enumerate(settled) if part.returned), len(settled))
    assert all(part.posted == 0 for part in settled[first_returned + 1 :])


def test_a_refund_fills_the_last_lot_first() -> None:
    assert give_back([Part("a", 3), Part("b", 3)], 4) == [Part("b", 3), Part("a", 1)]
