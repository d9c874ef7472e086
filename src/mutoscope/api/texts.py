"""Types of what comes in: text, numbers and times that every database can keep."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, StringConstraints

_PATTERN = r"^[^\u0000-\u001f\u007f]+$"


def _is_text(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError("must be a time as text, such as 2030-01-31T12:00:00Z")  # noqa: TRY004 - pydantic's way
    return value


def _in_calendar(value: datetime) -> datetime:
    # The edges of the calendar overflow when they change zones.
    if not 2000 <= value.year <= 9000:
        raise ValueError("must be between the years 2000 and 9000")
    return value.astimezone(UTC)


Name = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=_PATTERN)]
"""A name that people or apps gave: printable."""

Ref = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[!-~]+$")]
"""An id of ours."""

GenerationRef = Annotated[str, StringConstraints(max_length=64, pattern=r"^gen_[0-9a-z]{26}$")]
FileRef = Annotated[str, StringConstraints(max_length=64, pattern=r"^file_[0-9a-z]{26}$")]
AccountId = Annotated[str, StringConstraints(max_length=64, pattern=r"^acct_[0-9a-z]{26}$")]
"""Cursors, which the database compares: anything else would give a page that means nothing."""

Word = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[a-z][a-z0-9_]*$")]
"""A credit type or a reason."""

Time = Annotated[AwareDatetime, BeforeValidator(_is_text), AfterValidator(_in_calendar)]
Amount = Annotated[int, Field(ge=1, le=10**15, strict=True)]
Rank = Annotated[int, Field(ge=-(2**31), le=2**31 - 1, strict=True)]
