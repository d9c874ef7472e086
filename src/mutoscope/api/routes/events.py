"""``/v1/events``: what happened to the account, in one sequence without gaps."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import Query
from pydantic import BaseModel, ConfigDict

from mutoscope.api import problems
from mutoscope.api.callers import OnBehalf
from mutoscope.api.pages import Limit, Page, cut, page_of
from mutoscope.api.parts import Parts
from mutoscope.api.routers import new_router
from mutoscope.events import service as events

router = new_router("events")


class EventRead(BaseModel):
    """One thing that happened. ``number`` counts 1, 2, 3 … within the account."""

    model_config = ConfigDict(from_attributes=True)

    number: int
    type: str
    subject_id: str
    data: dict[str, Any]
    created_at: datetime


@router.get("/events", responses=problems.responses(404), summary="Follow events")
async def page(
    parts: Parts,
    on_behalf: OnBehalf,
    after: Annotated[int, Query(ge=0, le=2**63 - 1, description="The cursor: the last number you have seen.")] = 0,
    limit: Limit = 20,
) -> Page[EventRead]:
    """The events that follow ``after``, oldest first. Keep the last number, and ask again from there."""
    async with parts.database.read() as session:
        rows = await events.after(session, on_behalf.account_id, after, limit=limit + 1)
    rows, next_cursor = cut(rows, limit, lambda row: row.number)
    return page_of([EventRead.model_validate(row) for row in rows], next_cursor)
