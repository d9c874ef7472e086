"""``/_runner``: what tests do to a runner while it runs. Not part of Replicate's API."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mutoscope.runner.faults import Dice, FaultPlan
from mutoscope.runner.routes.body import read_body, runner


async def put_faults(request: Request) -> Response:
    """``PUT /_runner/faults``: replace the plan; its counts and dice start anew."""
    service = runner(request)
    plan = FaultPlan.parse(await read_body(request, service.config.max_body_bytes))
    service.dice = Dice(plan)
    service.empty_lists = 0
    return JSONResponse(plan.model_dump(mode="json", exclude_unset=True))


async def stats(request: Request) -> Response:
    """``GET /_runner/stats``."""
    return JSONResponse(runner(request).stats())


async def health(_request: Request) -> Response:
    """``GET /healthz``."""
    return JSONResponse({"status": "ok"})


ROUTES = [
    Route("/_runner/faults", put_faults, methods=["PUT"]),
    Route("/_runner/stats", stats, methods=["GET"]),
    Route("/healthz", health, methods=["GET"]),
]
