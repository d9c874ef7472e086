"""Lists come in pages, with a cursor to the next one."""

from collections.abc import Callable, Sequence
from typing import Annotated, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel

T = TypeVar("T")
Row = TypeVar("Row")

MAX_LIMIT = 50
Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="How many at most.")]


class Page(BaseModel, Generic[T]):
    """One page. ``next_cursor`` gives the next one, if ``has_more``."""

    data: list[T]
    has_more: bool
    next_cursor: str | None


def cut(rows: Sequence[Row], limit: int, cursor: Callable[[Row], object]) -> tuple[Sequence[Row], str | None]:
    """From ``limit + 1`` rows at most: the page, and the cursor of the next one if there is more."""
    page = rows[:limit]
    return page, str(cursor(page[-1])) if len(rows) > limit else None


def page_of(shown: Sequence[T], next_cursor: str | None) -> Page[T]:
    """The page as it is answered."""
    return Page(data=list(shown), has_more=next_cursor is not None, next_cursor=next_cursor)
