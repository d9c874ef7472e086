"""Proof that no event is missing: an account's numbers are 1, 2, 3 … up to what its counter says."""

from sqlalchemy import func, or_, select, union
from sqlalchemy.ext.asyncio import AsyncSession

from mutoscope.core.findings import Finding
from mutoscope.db.base import table
from mutoscope.events.models import Event, EventCounter

CHECK = "events"
MAX_FINDINGS = 1000
_counters, _events = table(EventCounter), table(Event)


async def findings(session: AsyncSession) -> list[Finding]:
    """Accounts whose sequence has a gap or an end that is not the counter's, at most ``MAX_FINDINGS``.

    One statement, so that it sees one moment even while events are recorded. Numbers are unique within an account, so
    as many of them as the highest one says, from 1, leave no gap.
    """
    kept = (
        select(
            _events.c.account_id,
            func.count().label("kept"),
            func.min(_events.c.number).label("lowest"),
            func.max(_events.c.number).label("highest"),
        )
        .group_by(_events.c.account_id)
        .subquery()
    )
    # Not FULL JOIN, which SQLite has since 3.39 only.
    either = union(select(_counters.c.account_id), select(kept.c.account_id)).subquery()
    query = (
        select(
            either.c.account_id,
            func.coalesce(_counters.c.last, 0).label("last"),
            func.coalesce(kept.c.kept, 0).label("kept"),
            func.coalesce(kept.c.lowest, 0).label("lowest"),
            func.coalesce(kept.c.highest, 0).label("highest"),
        )
        .select_from(either)
        .outerjoin(_counters, _counters.c.account_id == either.c.account_id)
        .outerjoin(kept, kept.c.account_id == either.c.account_id)
    )
    wrong = query.where(
        or_(
            _counters.c.last.is_distinct_from(func.coalesce(kept.c.kept, 0)),
            func.coalesce(kept.c.highest, 0) != func.coalesce(_counters.c.last, 0),
            func.coalesce(kept.c.lowest, 1) != 1,
        )
    )
    rows = await session.execute(wrong.limit(MAX_FINDINGS))
    return [Finding(CHECK, row["account_id"], _SAYS.format(**row)) for row in rows.mappings()]


_SAYS = "the counter is at {last}, and {kept} events are kept, numbered from {lowest} to {highest}"
