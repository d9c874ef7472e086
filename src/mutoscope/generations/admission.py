"""Fair admission: who may be sent to the provider next, and how many.

Limits: places in flight per provider, model and account; the provider's create rate (a GCRA bucket); a closed door
after a 429. Order: the plan's priority, then the account with the fewest in flight, then first come. One query, under
the lock of the provider's budget row, so that two engines never let in more than one would.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Subquery, and_, case, func, literal, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from mutoscope.accounts.models import Account
from mutoscope.core.settings import AdmissionSettings
from mutoscope.db.base import table
from mutoscope.db.upsert import upsert
from mutoscope.generations.models import Generation, ProviderBudget
from mutoscope.generations.states import IN_FLIGHT, Phase, Status
from mutoscope.generations.transitions import take

_rows, _budgets, _accounts = table(Generation), table(ProviderBudget), table(Account)
UNLIMITED = 2**31


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one provider, with those of its models."""

    settings: AdmissionSettings
    per_model: Mapping[str, int]

    @property
    def interval(self) -> timedelta:
        """The time one create uses up."""
        return timedelta(minutes=1) / self.settings.creates_per_minute


async def anything_queued(session: AsyncSession, provider: str) -> bool:
    """Whether it is worth taking the lock."""
    waiting = select(_rows.c.id).where(_rows.c.phase == Phase.QUEUED, _rows.c.provider == provider).limit(1)
    return (await session.execute(waiting)).first() is not None


async def admit(
    session: AsyncSession, provider: str, limits: Limits, *, now: datetime, until: datetime, limit: int
) -> Sequence[Generation]:
    """Let up to ``limit`` queued rows in, leased until ``until``."""
    budget = await _lock_budget(session, provider, now)
    allowed = min(limit, _rate_allows(budget, limits, now), await _free_places(session, provider, limits))
    if allowed <= 0:
        return []
    chosen = _fair_order(provider, limits).limit(allowed)
    # Said again of the row itself: PostgreSQL judges a row that has changed meanwhile by these, not by the choice.
    which = and_(Generation.id.in_(chosen), Generation.phase == Phase.QUEUED, Generation.lease_until.is_(None))
    admitted = await take(session, which, until=until, phase=Phase.SUBMIT, status=Status.PROCESSING, due_at=now)
    if admitted:
        starts = max(budget.next_create_at, now)
        await session.execute(
            update(_budgets)
            .where(_budgets.c.provider == provider)
            .values(next_create_at=starts + len(admitted) * limits.interval)
        )
    return admitted


async def close(session: AsyncSession, provider: str, *, until: datetime) -> None:
    """Let nobody in before ``until``: the provider said so."""
    await session.execute(
        update(_budgets)
        .where(_budgets.c.provider == provider, or_(_budgets.c.closed_until.is_(None), _budgets.c.closed_until < until))
        .values(closed_until=until)
    )


async def opens_at(session: AsyncSession, provider: str, limits: Limits) -> datetime | None:
    """When the next create is possible by rate, as far as is known."""
    found = (await session.execute(select(_budgets).where(_budgets.c.provider == provider))).first()
    if found is None:
        return None
    by_rate = found.next_create_at - limits.interval * (limits.settings.burst - 1)
    return max(by_rate, found.closed_until) if found.closed_until else by_rate


async def _lock_budget(session: AsyncSession, provider: str, now: datetime) -> Any:
    created = upsert(session, _budgets).values(provider=provider, next_create_at=now)
    await session.execute(created.on_conflict_do_nothing())
    locked = select(_budgets).where(_budgets.c.provider == provider).with_for_update()
    return (await session.execute(locked)).one()


def _rate_allows(budget: Any, limits: Limits, now: datetime) -> int:
    if budget.closed_until and budget.closed_until > now:
        return 0
    ahead = max(budget.next_create_at - now, timedelta(0))
    return limits.settings.burst - -(-ahead // limits.interval)


async def _free_places(session: AsyncSession, provider: str, limits: Limits) -> int:
    flying = select(func.count()).where(_rows.c.provider == provider, _rows.c.phase.in_(IN_FLIGHT))
    return limits.settings.max_in_flight - ((await session.scalar(flying)) or 0)


def _fair_order(provider: str, limits: Limits) -> Any:
    """The ids to let in, in fair order.

    First the models' places, then the accounts', so that neither blocks the other.
    """
    within_models = _within_models(_waiting(provider), _flying(provider, _rows.c.model), limits)
    flying = _flying(provider, _rows.c.account_id)
    turn = _in_flight_and_before(flying, within_models.c.account_id, within_models)
    cap = func.coalesce(within_models.c.max_in_flight, limits.settings.max_in_flight_per_account)
    turns = (
        select(within_models, turn.label("turn"), cap.label("cap"))
        .outerjoin(flying, flying.c.owner == within_models.c.account_id)
        .subquery("turns")
    )
    order = (turns.c.priority.desc(), turns.c.turn, turns.c.created_at, turns.c.id)
    return select(turns.c.id).where(turns.c.turn <= turns.c.cap).order_by(*order)


def _waiting(provider: str) -> Subquery:
    """What is queued, with its place in the line of its own account and model."""
    columns = (_rows.c.id, _rows.c.account_id, _rows.c.model, _rows.c.priority, _rows.c.created_at)
    first_come = (_rows.c.priority.desc(), _rows.c.created_at, _rows.c.id)
    own_turn = func.row_number().over(partition_by=(_rows.c.account_id, _rows.c.model), order_by=first_come)
    queued = and_(_rows.c.provider == provider, _rows.c.phase == Phase.QUEUED, _rows.c.lease_until.is_(None))
    return (
        select(*columns, _accounts.c.max_in_flight, own_turn.label("own_turn"))
        .join(_accounts, _accounts.c.id == _rows.c.account_id)
        .where(queued)
        .subquery("waiting")
    )


def _within_models(waiting: Subquery, flying: Subquery, limits: Limits) -> Subquery:
    """Those that their models have places for, small accounts first."""
    fair = (waiting.c.priority.desc(), waiting.c.own_turn, waiting.c.created_at, waiting.c.id)
    among = func.row_number().over(partition_by=waiting.c.model, order_by=fair)
    ranked = (
        select(waiting, (func.coalesce(flying.c.n, 0) + among).label("model_turn"))
        .outerjoin(flying, flying.c.owner == waiting.c.model)
        .subquery("ranked")
    )
    return select(ranked).where(ranked.c.model_turn <= _model_cap(ranked.c.model, limits)).subquery("within_models")


def _flying(provider: str, owner: ColumnElement[Any]) -> Subquery:
    in_flight = and_(_rows.c.provider == provider, _rows.c.phase.in_(IN_FLIGHT))
    return select(owner.label("owner"), func.count().label("n")).where(in_flight).group_by(owner).subquery()


def _in_flight_and_before(flying: Subquery, owner: ColumnElement[Any], among: Subquery) -> ColumnElement[int]:
    first_come = (among.c.priority.desc(), among.c.created_at, among.c.id)
    return func.coalesce(flying.c.n, 0) + func.row_number().over(partition_by=owner, order_by=first_come)


def _model_cap(model: ColumnElement[str], limits: Limits) -> ColumnElement[int]:
    if not limits.per_model:
        return literal(UNLIMITED)
    return case(*((model == alias, cap) for alias, cap in limits.per_model.items()), else_=UNLIMITED)
