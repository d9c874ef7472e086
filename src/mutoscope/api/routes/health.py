"""``/healthz`` and ``/readyz``, for whoever decides where requests go. They need no key and tell no secrets."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel
from sqlalchemy import text

from mutoscope.api.parts import Parts
from mutoscope.bootstrap import Runtime
from mutoscope.core.errors import MutoscopeError
from mutoscope.storage.base import ObjectMissing

TIMEOUT_S = 5.0

router = APIRouter(tags=["health"])

State = Literal["ok", "down"]


class Health(BaseModel):
    """The process lives."""

    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    """Whether requests can be served, and what stands in the way."""

    status: State
    database: State
    storage: State
    engine: State | Literal["elsewhere"]


@router.get("/healthz", summary="Is the process alive?")
async def healthz() -> Health:
    """Answers as long as the process does."""
    return Health()


@router.get("/readyz", responses={503: {"model": Readiness}}, summary="Can requests be served?")
async def readyz(request: Request, response: Response, parts: Parts) -> Readiness:
    """Asks the database and the file store, and looks whether the engine runs, unless that is left to workers."""
    database, storage = await asyncio.gather(_answers(parts, _database), _answers(parts, _storage))
    engine = _engine(request.app.state.engine)
    ready = "down" not in (database, storage, engine) and not request.app.state.stopping.is_set()
    response.status_code = 200 if ready else 503
    return Readiness(status="ok" if ready else "down", database=database, storage=storage, engine=engine)


def _engine(task: asyncio.Task[None] | None) -> State | Literal["elsewhere"]:
    if task is None:
        return "elsewhere"
    return "down" if task.done() else "ok"


async def _answers(parts: Runtime, ask: Callable[[Runtime], Awaitable[None]]) -> State:
    try:
        await asyncio.wait_for(ask(parts), TIMEOUT_S)
    except (MutoscopeError, TimeoutError):
        return "down"
    return "ok"


async def _database(parts: Runtime) -> None:
    async with parts.database.read() as session:
        await session.execute(text("SELECT 1"))


async def _storage(parts: Runtime) -> None:
    try:
        await parts.store.head("mutoscope-check/ready.txt")
    except ObjectMissing:
        return  # it answered
