"""Any sequence of movements, against a model that follows every single credit by itself."""

import asyncio
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from mutoscope.core.errors import Conflict
from mutoscope.db import Database
from mutoscope.ledger.errors import InsufficientCredits
from tests.ledger.bank import Bank

T = TypeVar("T")
START = datetime(2026, 1, 1, tzinfo=UTC)
GRACE = timedelta(hours=1)
LATEST = datetime.max.replace(tzinfo=UTC)


@dataclass
class Lot:
    """A lot as a row of credits, each of which is somewhere: ``available``, ``expired``, or with a hold."""

    id: str
    name: str
    expires_at: datetime | None
    priority: int
    credits: list[str | tuple[str, str]] = field(default_factory=list)

    def figures(self) -> tuple[int, int, int, int]:
        held = sum(isinstance(one, tuple) and one[0] == "held" for one in self.credits)
        spent = sum(isinstance(one, tuple) and one[0] == "spent" for one in self.credits)
        return self.credits.count("available"), held, spent, self.credits.count("expired")

    def is_expired(self, now: datetime) -> bool:
        return self.expires_at is not None and self.expires_at <= now

    def expire(self) -> None:
        self.credits = ["expired" if one == "available" else one for one in self.credits]

    def take_back(self, state: tuple[str, str], number: int, now: datetime) -> None:
        if number and self.is_expired(now):
            self.expire()
            self.expires_at = now + GRACE
        for _ in range(number):
            self.credits[self.credits.index(state)] = "available"


class LedgerMachine(RuleBasedStateMachine):
    """Drives the ledger and the model side by side."""

    runner: asyncio.Runner
    database: Database
    names = count()

    def __init__(self) -> None:
        super().__init__()
        self.account_id = f"acct_{next(self.names)}"
        self.bank = Bank(self.database, now=START)
        self.run(self.bank.open_account(self.account_id))
        self.lots: list[Lot] = []
        # Of each hold, the lots it took from, in order; and what was posted once it is settled.
        self.holds: dict[str, list[Lot]] = {}
        self.settled: dict[str, int] = {}

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    @rule(amount=st.integers(1, 9), hours=st.none() | st.integers(1, 6), priority=st.integers(0, 2))
    def grant(self, amount: int, hours: int | None, priority: int) -> None:
        days = None if hours is None else hours / 24
        lot = self.run(self.bank.grant(amount, account_id=self.account_id, days=days, priority=priority))
        self.lots.append(Lot(lot.id, lot.external_id, lot.expires_at, priority, ["available"] * amount))

    @rule(amount=st.integers(1, 12))
    def reserve(self, amount: int) -> None:
        key = f"key-{next(self.names)}"
        live = [lot for lot in self.lots if not lot.is_expired(self.bank.now)]
        live.sort(key=lambda lot: (lot.expires_at or LATEST, lot.priority, lot.id))
        free = [(lot, place) for lot in live for place, one in enumerate(lot.credits) if one == "available"]
        if len(free) < amount:
            with pytest.raises(InsufficientCredits) as refused:
                self.run(self.bank.reserve(amount, key, account_id=self.account_id))
            assert refused.value.extra["available"] == len(free)
            return
        hold = self.run(self.bank.reserve(amount, key, account_id=self.account_id))
        assert self.run(self.bank.reserve(amount, key, account_id=self.account_id)) == hold
        for lot, place in free[:amount]:
            lot.credits[place] = ("held", hold.id)
        self.holds[hold.id] = list({lot.id: lot for lot, _ in free[:amount]}.values())

    @precondition(lambda self: bool(self.holds))
    @rule(data=st.data(), amount=st.integers(0, 12))
    def settle(self, data: st.DataObject, amount: int) -> None:
        hold_id = data.draw(st.sampled_from(sorted(self.holds)))
        before = self.settled.get(hold_id)
        held = sum(lot.credits.count(("held", hold_id)) for lot in self.holds[hold_id])
        amount = min(amount, held) if before is None else amount
        settled = self.run(self.bank.post(hold_id, amount, grace_s=GRACE.total_seconds()))
        if before is not None:
            assert settled.posted == before
            return
        self.settled[hold_id] = settled.posted
        assert (settled.posted, settled.state) == (amount, "posted" if amount else "voided")
        left = amount
        for lot in self.holds[hold_id]:
            mine = lot.credits.count(("held", hold_id))
            spend = min(left, mine)
            for _ in range(spend):
                lot.credits[lot.credits.index(("held", hold_id))] = ("spent", hold_id)
            lot.take_back(("held", hold_id), mine - spend, self.bank.now)
            left -= spend

    @precondition(lambda self: any(self.settled.values()))
    @rule(data=st.data(), amount=st.integers(1, 12))
    def refund(self, data: st.DataObject, amount: int) -> None:
        hold_id = data.draw(st.sampled_from(sorted(one for one, posted in self.settled.items() if posted)))
        key = f"refund-{next(self.names)}"
        spent = sum(lot.credits.count(("spent", hold_id)) for lot in self.holds[hold_id])
        if amount > spent:
            with pytest.raises(Conflict):
                self.run(self.bank.refund(hold_id, amount, key))
            return
        for _ in range(2):
            self.run(self.bank.refund(hold_id, amount, key, grace_s=GRACE.total_seconds()))
        for lot in reversed(self.holds[hold_id]):
            back = min(amount, lot.credits.count(("spent", hold_id)))
            lot.take_back(("spent", hold_id), back, self.bank.now)
            amount -= back

    @rule(hours=st.sampled_from([0.25, 1, 3]))
    def wait(self, hours: float) -> None:
        self.bank.now += timedelta(hours=hours)

    @rule()
    def expire(self) -> None:
        while self.run(self.bank.expire()):
            pass
        for lot in self.lots:
            if lot.is_expired(self.bank.now):
                lot.expire()

    @invariant()
    def every_credit_is_where_the_model_has_it(self) -> None:
        assert self.run(self.bank.lots(self.account_id)) == {lot.name: lot.figures() for lot in self.lots}
        if not self.lots:
            return
        figures = [sum(column) for column in zip(*(lot.figures() for lot in self.lots), strict=True)]
        unswept = sum(lot.figures()[0] for lot in self.lots if lot.is_expired(self.bank.now))
        available, held, spent, expired = self.run(self.bank.figures(self.account_id))
        assert [available + unswept, held, spent, expired - unswept] == figures
        assert available >= 0

    def teardown(self) -> None:
        assert self.run(self.bank.findings()) == []


@pytest.fixture
def machine(database_url: str) -> Iterator[type[LedgerMachine]]:
    with asyncio.Runner() as runner:
        database = Database(database_url)

        class Machine(LedgerMachine):
            pass

        Machine.runner, Machine.database = runner, database
        yield Machine
        runner.run(database.aclose())


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_any_sequence_of_movements(machine: type[LedgerMachine]) -> None:
    run_state_machine_as_test(machine, settings=_settings(examples=25, steps=30))


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
def test_any_sequence_of_movements_on_postgres(machine: type[LedgerMachine]) -> None:
    run_state_machine_as_test(machine, settings=_settings(examples=12, steps=25))


def _settings(*, examples: int, steps: int) -> settings:
    return settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        derandomize=True,
        # Shrinking runs every step again for minutes; the steps of the first failure are short enough to read.
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    )
