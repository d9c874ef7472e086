"""What all wire shapes share: tolerant reading, exact showing, and pages.

Reading is tolerant, because the real API adds fields and statuses without notice: unknown fields are kept, statuses are
an open set, and nulls are accepted everywhere. Showing is exact: what has no value is left out, except where
Replicate's OpenAPI document (1.0.0-a1) says ``nullable``.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Generic, TypeVar, cast
from urllib.parse import urlencode

from pydantic import BaseModel, BeforeValidator, ConfigDict

from mutoscope.core.errors import InvalidRequest

PAGE_SIZE = 100
"""Results per page, everywhere."""
_MAX_POSITION_DIGITS = 18  # what a database's integer holds
_BAD_CURSOR = "The cursor is not valid; take it from the 'next' of a page."


def _as_text(value: object) -> object:
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _as_object(value: object) -> object:
    return {} if value is None else value


def _as_links(value: object) -> object:
    if not isinstance(value, dict):
        return {} if value is None else value
    links = cast("dict[str, object]", value)
    return {name: link for name, link in links.items() if isinstance(link, str)}


def _as_instant(value: object) -> object:
    """An ISO time without an offset is UTC: local time never travels here."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return value
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) and value.tzinfo is None else value


Text = Annotated[str | None, BeforeValidator(_as_text)]
"""Text, or what should have been text, as its JSON."""
Instant = Annotated[datetime, BeforeValidator(_as_instant)]
"""A point in time; one without an offset is UTC."""
Object = Annotated[dict[str, Any], BeforeValidator(_as_object)]
"""A JSON object; null is an empty one."""
Links = Annotated[dict[str, str], BeforeValidator(_as_links)]
"""URLs by name; those that are null are left out."""


class Wire(BaseModel):
    """A shape that is read and shown.

    Attributes:
        nullable: Names of the fields that are shown as null when they have no value; other such fields are left out.
    """

    model_config = ConfigDict(extra="allow", protected_namespaces=())

    nullable: ClassVar[frozenset[str]] = frozenset()

    def shown(self) -> dict[str, Any]:
        """The shape as JSON that validates against Replicate's document."""
        return cast("dict[str, Any]", _shown(self))


def _shown(value: object) -> object:
    match value:
        case Wire():
            fields = {**dict(value), **(value.model_extra or {})}
            return {name: _shown(one) for name, one in fields.items() if one is not None or name in value.nullable}
        case list():
            return [_shown(one) for one in cast("list[object]", value)]
        case datetime():
            return instant(value)
        case _:
            return value


def instant(at: datetime) -> str:
    """The time as Replicate writes it, in UTC with milliseconds."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


Item = TypeVar("Item")


class Page(Wire, Generic[Item]):
    """One page of a list, newest first; ``next`` and ``previous`` are whole URLs."""

    nullable: ClassVar[frozenset[str]] = frozenset({"next", "previous"})

    previous: str | None = None
    next: str | None = None
    results: list[Item]


def next_link(url: str, query: Mapping[str, str], last: int | None) -> str | None:
    """The ``next`` of a page that ends at position ``last``: the same query from there on; ``None`` at the end."""
    if last is None:
        return None
    cursor = base64.urlsafe_b64encode(str(last).encode()).decode()
    return f"{url}?{urlencode({**query, 'cursor': cursor})}"


def position(cursor: str | None) -> int | None:
    """The position that a cursor of ``next_link`` names. Raises ``InvalidRequest`` if it is not one."""
    if cursor is None:
        return None
    try:
        text = base64.b64decode(cursor, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidRequest(_BAD_CURSOR) from error
    if not text.isdigit() or len(text) > _MAX_POSITION_DIGITS:
        raise InvalidRequest(_BAD_CURSOR)
    return int(text)
