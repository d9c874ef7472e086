"""All that Replicate's adapter can read, and one prediction that servers speak of."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from mutoscope.providers.replicate import Replicate

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MADE: dict[str, Any] = {"id": "p1", "status": "starting", "created_at": "2026-01-01T00:00:00Z", "input": {}}


async def everything(replicate: Replicate) -> list[str]:
    return [one.id async for one in replicate.recent(NOW)]


READS: dict[str, Callable[[Replicate], Awaitable[Any]]] = {
    "get": lambda replicate: replicate.get("p1"),
    "cancel": lambda replicate: replicate.cancel("p1"),
    "recent": everything,
    "schema": lambda replicate: replicate.openapi_schema("acme/painter"),
    "account": lambda replicate: replicate.account(),
}
