"""Puts the API together: routers, limits, problems, and the engine for as long as the service runs."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI

from mutoscope import __version__, bootstrap
from mutoscope.api import problems
from mutoscope.api.bodies import BodyLimit
from mutoscope.api.problems import Problem
from mutoscope.api.routes import accounts, callbacks, credit, events, files, generations, grants, health, keys, models
from mutoscope.bootstrap import Runtime

DESCRIPTION = """Paid AI generation: take the user's credit, run the model, keep the result, and give the credits back
when there is none. Every request needs an API key; an operator's key acts for an account through `Mutoscope-Account`.
Errors are `application/problem+json` with a stable `code`."""

_V1 = (generations, models, credit, events, accounts, keys, grants)
_OUTSIDE = (health, callbacks, files)


class _Api(FastAPI):
    def openapi(self) -> dict[str, Any]:
        """FastAPI's document, with the one shape of all problems."""
        document = super().openapi()
        schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        document["components"]["schemas"].setdefault("Problem", schema)
        return document


def build_app(runtime: Runtime, *, run_engine: bool) -> FastAPI:
    """The service as an ASGI application.

    Args:
        runtime: The parts, which must be open for as long as the application runs.
        run_engine: Whether to move generations too, or leave that to workers.

    ``app.state.stopping`` is an event; when it is set, answers that wait are given at once.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        app.state.stopping = asyncio.Event()
        if not run_engine:
            yield
            return
        async with bootstrap.running(runtime):
            yield

    app = _Api(
        title="Mutoscope",
        version=__version__,
        description=DESCRIPTION,
        lifespan=lifespan,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.runtime = runtime
    problems.install(app)
    app.add_middleware(BodyLimit)
    for room in _V1:
        app.include_router(room.router, prefix="/v1")
    for room in _OUTSIDE:
        app.include_router(room.router)
    return app
