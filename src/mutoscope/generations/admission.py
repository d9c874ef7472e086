"""Fair admission: who may be sent to the provider next, and how many.

Limits: places in flight per provider, model and account; the provider's create rate (a GCRA bucket); a closed door
after a 429. Order: the plan's priority, then the account with the fewest in flight, then the one that has waited
longest for its turn, then first come. One query, under the lock of the provider's budget row, so that two engines never
let in more than one would.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from sqlalchemy import ColumnElement, Subquery, and_, bindparam, case, func, literal, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from mutoscope.accounts.models import Account
from mutoscope.core.settings import AdmissionSettings
from mutoscope.db.base import table
from mutoscope.db.upsert import built_once
from mutoscope.generations import turns
from mutoscope.generations.models import Generation, ProviderBudget
from mutoscope.generations.rows import seen
from mutoscope.generations.states import IN_FLIGHT, Phase, Status
from mutoscope.generations.transitions import taking
from mutoscope.providers.base import Rate

_rows, _budgets, _accounts = table(Generation), table(ProviderBudget), table(Account)
UNLIMITED = 2**31
# How long a rate holds that a 429 told us of. It is told again as long as it is true.
TOLD_FOR = timedelta(minutes=10)
MAX_DOUBLINGS = 16

# Built once, as `_statement` is for each provider: that costs more than sending them.
_provider = bindparam("of_provider", type_=_rows.c.provider.type)
_queued = and_(_rows.c.provider == _provider, _rows.c.phase == Phase.QUEUED)
_in_flight = and_(_rows.c.provider == _provider, _rows.c.phase.in_(IN_FLIGHT))
_ANYTHING = select(_rows.c.id).where(_queued).limit(1)
_FLYING = select(func.count()).where(_in_flight)
_BUDGET = select(_budgets).where(_budgets.c.provider == _provider)
_MAKE_BUDGET = built_once(_budgets, lambda made: made.on_conflict_do_nothing())
_SPEND = update(_budgets).where(_budgets.c.provider == _provider)


@dataclass(frozen=True)
class Limits:
    """The limits of one provider, with those of its models."""

    settings: AdmissionSettings
    per_model: Mapping[str, int]

    @cached_property
    def statement(self) -> Any:
        """Lets the first ``:most`` queued rows in, in fair order, leased until ``:until``."""
        chosen = _fair_order(self).limit(bindparam("most"))
        # Said again of the row itself: PostgreSQL judges a row that has changed meanwhile by these, not by the choice.
        which = and_(_rows.c.id.in_(chosen), _rows.c.phase == Phase.QUEUED, _rows.c.lease_until.is_(None))
        return taking(which, phase=Phase.SUBMIT, status=Status.PROCESSING)


async def anything_queued(session: AsyncSession, provider: str) -> bool:
    """Whether it is worth taking the lock."""
    return (await session.execute(_ANYTHING, {"of_provider": provider})).first() is not None


async def admit(
    session: AsyncSession, provider: str, limits: Limits, *, now: datetime, until: datetime, limit: int
) -> Sequence[Generation]:
    """Let up to ``limit`` queued rows in, leased until ``until``."""
    budget = await _lock_budget(session, provider, now)
    rate = _rate(budget, limits, now)
    allowed = min(limit, _rate_allows(budget, rate, now), await _free_places(session, provider, limits))
    if allowed <= 0:
        return []
    values = {"of_provider": provider, "most": allowed, "until": until, "due_at": now}
    admitted = (await session.execute(limits.statement, values)).mappings().all()
    if admitted:
        starts = max(budget.next_create_at, now) + len(admitted) * rate.interval
        await session.execute(_SPEND, {"of_provider": provider, "next_create_at": starts})
        # Otherwise everybody was let in who had a place of its own, and there is nothing to be fair about.
        if len(admitted) == allowed or limits.per_model:
            await turns.take(session, provider, (row["account_id"] for row in admitted), now=now)
    return [seen(row) for row in admitted]


async def close(session: AsyncSession, provider: str, *, until: datetime) -> None:
    """Let nobody in before ``until``: the provider said so."""
    await session.execute(
        update(_budgets)
        .where(_budgets.c.provider == provider, or_(_budgets.c.closed_until.is_(None), _budgets.c.closed_until < until))
        .values(closed_until=until)
    )


async def tell(session: AsyncSession, provider: str, told: Rate, *, now: datetime) -> None:
    """Go no faster than this for a while: the provider said so."""
    values = {"told_per_minute": told.per_minute, "told_burst": told.burst, "told_until": now + TOLD_FOR}
    await session.execute(update(_budgets).where(_budgets.c.provider == provider).values(**values))


async def opens_at(session: AsyncSession, provider: str, limits: Limits, *, now: datetime) -> datetime | None:
    """When the next create is possible by rate; ``None`` if it is now, or as far as is known."""
    found = (await session.execute(_BUDGET, {"of_provider": provider})).first()
    if found is None:
        return None
    rate = _rate(found, limits, now)
    by_rate = found.next_create_at - rate.interval * (rate.burst - 1)
    opens = max(by_rate, found.closed_until) if found.closed_until else by_rate
    return opens if opens > now else None


async def _lock_budget(session: AsyncSession, provider: str, now: datetime) -> Any:
    locked = _BUDGET.with_for_update()
    found = (await session.execute(locked, {"of_provider": provider})).first()
    if found is None:
        await session.execute(_MAKE_BUDGET(session), {"provider": provider, "next_create_at": now})
        found = (await session.execute(locked, {"of_provider": provider})).one()
    return found


def _rate(budget: Any, limits: Limits, now: datetime) -> Rate:
    """Our own rate, or the lower one we were told of. Once that lapses it doubles each minute, to feel the way back."""
    ours = Rate(limits.settings.creates_per_minute, limits.settings.burst)
    if budget.told_until is None:
        return ours
    minutes_over = (now - budget.told_until).total_seconds() / 60
    times = 2 ** min(int(minutes_over) + 1, MAX_DOUBLINGS) if minutes_over >= 0 else 1
    return Rate(min(ours.per_minute, budget.told_per_minute * times), min(ours.burst, budget.told_burst * times))


def _rate_allows(budget: Any, rate: Rate, now: datetime) -> int:
    if budget.closed_until and budget.closed_until > now:
        return 0
    ahead = max(budget.next_create_at - now, timedelta(0))
    return rate.burst - -(-ahead // rate.interval)


async def _free_places(session: AsyncSession, provider: str, limits: Limits) -> int:
    return limits.settings.max_in_flight - (await session.scalar(_FLYING, {"of_provider": provider}) or 0)


def _fair_order(limits: Limits) -> Any:
    """The ids to let in, in fair order.

    First the models' places, then the accounts', so that neither blocks the other.
    """
    within_models = _within_models(_waiting(), _flying(_rows.c.model), limits)
    flying = _flying(_rows.c.account_id)
    turn = _in_flight_and_before(flying, within_models.c.account_id, within_models)
    cap = func.coalesce(within_models.c.max_in_flight, limits.settings.max_in_flight_per_account)
    line = (
        select(within_models, turn.label("turn"), cap.label("cap"))
        .outerjoin(flying, flying.c.owner == within_models.c.account_id)
        .subquery("line")
    )
    order = (line.c.priority.desc(), line.c.turn, line.c.since, line.c.created_at, line.c.id)
    return select(line.c.id).where(line.c.turn <= line.c.cap).order_by(*order)


def _waiting() -> Subquery:
    """What is queued, with its place in the line of its own account and model."""
    columns = (_rows.c.id, _rows.c.account_id, _rows.c.model, _rows.c.priority, _rows.c.created_at)
    first_come = (_rows.c.priority.desc(), _rows.c.created_at, _rows.c.id)
    since = turns.waiting_since(_rows.c.created_at)
    own_turn = func.row_number().over(partition_by=(_rows.c.account_id, _rows.c.model), order_by=first_come)
    return (
        select(*columns, _accounts.c.max_in_flight, own_turn.label("own_turn"), since.label("since"))
        .join(_accounts, _accounts.c.id == _rows.c.account_id)
        .outerjoin(turns.TURNS, turns.of(_provider, _rows.c.account_id))
        .where(_queued, _rows.c.lease_until.is_(None))
        .subquery("waiting")
    )


def _within_models(waiting: Subquery, flying: Subquery, limits: Limits) -> Subquery:
    """Those that their models have places for, small accounts first."""
    fair = (waiting.c.priority.desc(), waiting.c.own_turn, waiting.c.since, waiting.c.created_at, waiting.c.id)
    among = func.row_number().over(partition_by=waiting.c.model, order_by=fair)
    ranked = (
        select(waiting, (func.coalesce(flying.c.n, 0) + among).label("model_turn"))
        .outerjoin(flying, flying.c.owner == waiting.c.model)
        .subquery("ranked")
    )
    return select(ranked).where(ranked.c.model_turn <= _model_cap(ranked.c.model, limits)).subquery("within_models")


def _flying(owner: ColumnElement[Any]) -> Subquery:
    return select(owner.label("owner"), func.count().label("n")).where(_in_flight).group_by(owner).subquery()


def _in_flight_and_before(flying: Subquery, owner: ColumnElement[Any], among: Subquery) -> ColumnElement[int]:
    first_come = (among.c.priority.desc(), among.c.created_at, among.c.id)
    return func.coalesce(flying.c.n, 0) + func.row_number().over(partition_by=owner, order_by=first_come)


def _model_cap(model: ColumnElement[str], limits: Limits) -> ColumnElement[int]:
    if not limits.per_model:
        return literal(UNLIMITED)
    return case(*((model == alias, cap) for alias, cap in limits.per_model.items()), else_=UNLIMITED)
