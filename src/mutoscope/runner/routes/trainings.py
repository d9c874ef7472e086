"""``/v1/trainings``, and their create below the version that is trained."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mutoscope.core.errors import NotFound
from mutoscope.replicate_protocol.references import InvalidReference, parse_reference
from mutoscope.replicate_protocol.trainings import CreateTraining
from mutoscope.replicate_protocol.wire import next_link
from mutoscope.runner.auth import bearer
from mutoscope.runner.routes.body import named, read_model, runner
from mutoscope.runner.trainings import Train


async def create(request: Request) -> Response:
    """``POST /v1/models/{owner}/{name}/versions/{version}/trainings``."""
    service, body = runner(request), await read_model(request, CreateTraining)
    try:
        reference = parse_reference(f"{named(request)}:{request.path_params['version']}")
    except InvalidReference as error:
        raise NotFound("The requested resource could not be found.") from error
    service.counts["received"] += 1
    return JSONResponse(service.show(service.train(Train(reference, body), bearer(request.scope)).record), 201)


async def list_page(request: Request) -> Response:
    """``GET /v1/trainings``."""
    service, query = runner(request), request.query_params
    records, last = service.page("training", query.get("cursor"))
    link = next_link(f"{service.base_url}/v1/trainings", dict(query), last)
    return JSONResponse({"previous": None, "next": link, "results": [service.show(one) for one in records]})


async def get(request: Request) -> Response:
    """``GET /v1/trainings/{id}``."""
    service = runner(request)
    return JSONResponse(service.show(service.find(request.path_params["training_id"], "training")))


async def cancel(request: Request) -> Response:
    """``POST /v1/trainings/{id}/cancel``."""
    service = runner(request)
    return JSONResponse(service.show(service.cancel(request.path_params["training_id"], "training")))


ROUTES = [
    Route("/v1/models/{owner}/{name}/versions/{version}/trainings", create, methods=["POST"]),
    Route("/v1/trainings", list_page, methods=["GET"]),
    Route("/v1/trainings/{training_id}", get, methods=["GET"]),
    Route("/v1/trainings/{training_id}/cancel", cancel, methods=["POST"]),
]
