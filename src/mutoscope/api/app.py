"""Puts the API together: routers, limits, problems, and the engine for as long as the service runs."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.routing import compile_path

from mutoscope import __version__, bootstrap
from mutoscope.api import problems
from mutoscope.api.bodies import BodyLimit
from mutoscope.api.problems import Problem
from mutoscope.api.routes import (
    accounts,
    callbacks,
    credit,
    events,
    files,
    generations,
    grants,
    health,
    keys,
    models,
    streams,
    uploads,
)
from mutoscope.bootstrap import Runtime
from mutoscope.compat.app import front_door
from mutoscope.generations.as_prediction import PATH

DESCRIPTION = """Paid AI generation: take the user's credit, run the model, keep the result, and give the credits back
when there is none. Every request needs an API key; an operator's key acts for an account through `Mutoscope-Account`.
Errors are `application/problem+json` with a stable `code`."""

_V1 = (generations, streams, uploads, models, credit, events, accounts, keys, grants)
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

    ``app.state.stopping`` is an event; when it is set, answers that wait are given at once. ``app.state.engine`` is the
    engine's task, or ``None``.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        app.state.stopping, app.state.engine = door.state.stopping, None
        if not run_engine:
            yield
            return
        async with bootstrap.running(runtime) as app.state.engine:
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
    door = front_door(runtime)
    app.mount(PATH, door)
    if run_engine:
        runtime.drive.mount(app)
    problems.install(app)
    app.add_middleware(BodyLimit, upload_bytes=runtime.settings.uploads.max_bytes)
    app.state.methods = [(compile_path(path)[0], {"GET", "HEAD"}) for path in ("/docs", "/openapi.json")]
    for prefix, rooms in (("/v1", _V1), ("", _OUTSIDE)):
        for room in rooms:
            app.include_router(room.router, prefix=prefix)
            routes = (route for route in room.router.routes if isinstance(route, APIRoute))
            app.state.methods += [(compile_path(prefix + route.path)[0], route.methods) for route in routes]
    return app
