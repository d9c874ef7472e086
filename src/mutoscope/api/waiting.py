"""``Prefer: wait=n`` (RFC 7240): an answer that may take its time, but not for ever, and not while we shut down."""

import asyncio
import re
from collections.abc import Sequence
from typing import Annotated

from fastapi import Depends, Header, Request, Response

from mutoscope.api.parts import Parts
from mutoscope.bootstrap import Runtime
from mutoscope.generations.models import Generation
from mutoscope.generations.waiting import until_ended

MAX_WAIT_S = 60
_WAIT = re.compile(r"wait(?:\s*=\s*\"?(\d{1,9})\"?)?", re.IGNORECASE)


class Waiter:
    """Waits for a generation as long as the caller prefers."""

    def __init__(self, parts: Runtime, stopping: asyncio.Event, response: Response, wait_s: int | None) -> None:
        self.wanted = wait_s is not None
        self._parts = parts
        self._stopping = stopping
        self._response = response
        self._wait_s = wait_s or 0

    async def until_ended(self, row: Generation) -> Generation:
        """The generation when it has ended, or as it is when the wait is over or the service stops."""
        if not self.wanted:
            return row
        self._response.headers["Preference-Applied"] = f"wait={self._wait_s}"
        return await until_ended(self._parts.generations, row, timeout_s=self._wait_s, stopping=self._stopping)


def wanted_wait_s(headers: Sequence[str]) -> int | None:
    """How long a caller would wait, at most ``MAX_WAIT_S``; ``None`` if not at all. What cannot be read is ignored."""
    for header in headers:
        for preference in header.split(","):
            if found := _WAIT.fullmatch(preference.partition(";")[0].strip()):
                return min(int(found[1]) if found[1] else MAX_WAIT_S, MAX_WAIT_S)
    return None


async def waiter(
    request: Request,
    response: Response,
    parts: Parts,
    prefer: Annotated[
        str | None,
        Header(description=f"`wait` or `wait=n`: answer when it has ended, or after n ≤ {MAX_WAIT_S} seconds."),
    ] = None,
) -> Waiter:
    """Read ``Prefer``, which may come in several headers."""
    del prefer
    return Waiter(parts, request.app.state.stopping, response, wanted_wait_s(request.headers.getlist("prefer")))


Wait = Annotated[Waiter, Depends(waiter)]
