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
    allowed = min(limit, _rate_allows(budget, limits, now))
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


def _flying(provider: str, *by: ColumnElement[Any]) -> Any:
    in_flight = and_(_rows.c.provider == provider, _rows.c.phase.in_(IN_FLIGHT))
    return select(*by, func.count().label("n")).where(in_flight).group_by(*by)


def _fair_order(provider: str, limits: Limits) -> Any:
    per_account = _flying(provider, _rows.c.account_id).subquery("per_account")
    turn = func.coalesce(per_account.c.n, 0) + func.row_number().over(
        partition_by=_rows.c.account_id, order_by=(_rows.c.priority.desc(), _rows.c.created_at, _rows.c.id)
    )
    may_fly = func.coalesce(_accounts.c.max_in_flight, limits.settings.max_in_flight_per_account)
    waiting = (
        select(
            _rows.c.id, _rows.c.model, _rows.c.priority, _rows.c.created_at, turn.label("turn"), may_fly.label("cap")
        )
        .join(_accounts, _accounts.c.id == _rows.c.account_id)
        .outerjoin(per_account, per_account.c.account_id == _rows.c.account_id)
        .where(_rows.c.provider == provider, _rows.c.phase == Phase.QUEUED, _rows.c.lease_until.is_(None))
        .subquery("waiting")
    )
    ranked = _ranked(provider, waiting)
    places = (
        limits.settings.max_in_flight
        - select(func.count()).where(_rows.c.provider == provider, _rows.c.phase.in_(IN_FLIGHT)).scalar_subquery()
    )
    return (
        select(ranked.c.id)
        .where(ranked.c.place <= places, ranked.c.model_turn <= _model_cap(ranked.c.model, limits))
        .order_by(ranked.c.place)
    )


def _ranked(provider: str, waiting: Subquery) -> Subquery:
    """Within their accounts' caps, in fair order: overall, and among those of the same model."""
    per_model = _flying(provider, _rows.c.model).subquery("per_model")
    fair = (waiting.c.priority.desc(), waiting.c.turn, waiting.c.created_at, waiting.c.id)
    among_model = func.row_number().over(partition_by=waiting.c.model, order_by=fair)
    return (
        select(
            waiting.c.id,
            waiting.c.model,
            func.row_number().over(order_by=fair).label("place"),
            (func.coalesce(per_model.c.n, 0) + among_model).label("model_turn"),
        )
        .outerjoin(per_model, per_model.c.model == waiting.c.model)
        .where(waiting.c.turn <= waiting.c.cap)
        .subquery("ranked")
    )


def _model_cap(model: ColumnElement[str], limits: Limits) -> ColumnElement[int]:
    if not limits.per_model:
        return literal(UNLIMITED)
    return case(*((model == alias, cap) for alias, cap in limits.per_model.items()), else_=UNLIMITED)
