"""Puts the front door together: an application of its own, because its errors look different from those of ``/v1``."""

import asyncio

from starlette.applications import Starlette
from starlette.exceptions import HTTPException

from mutoscope.bootstrap import Runtime
from mutoscope.compat import absent, account, files, outputs, pages, predictions, problems, streams, trainings
from mutoscope.core.errors import MutoscopeError

ROUTES = [
    *predictions.ROUTES,
    *trainings.ROUTES,
    *account.ROUTES,
    *pages.ROUTES,
    *outputs.ROUTES,
    *files.ROUTES,
    *streams.ROUTES,
    *absent.ROUTES,
]


def front_door(runtime: Runtime) -> Starlette:
    """The application to be mounted at ``as_prediction.PATH``.

    ``app.state.stopping`` is an event; when it is set, answers that wait are given at once.
    """
    app = Starlette(
        routes=ROUTES,
        exception_handlers={
            MutoscopeError: problems.on_error,
            HTTPException: problems.on_http_error,
            Exception: problems.on_crash,
        },
    )
    app.router.redirect_slashes = False
    app.state.runtime = runtime
    app.state.stopping = asyncio.Event()
    return app
