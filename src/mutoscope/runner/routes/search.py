"""``/v1/search`` and ``/v1/collections``: finding models."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mutoscope.core.errors import MutoscopeError, NotFound
from mutoscope.replicate_protocol import search as wire
from mutoscope.replicate_protocol.collections import Collection
from mutoscope.runner.collections import Shown, collections
from mutoscope.runner.problems import answer
from mutoscope.runner.routes.body import runner
from mutoscope.runner.routes.pages import page, show
from mutoscope.runner.searching import find_collections, find_models, words
from mutoscope.runner.service import Runner


class BadQuery(MutoscopeError):
    """The query of a search is missing, or its limit makes no sense."""

    status, code, title = 400, "bad_query", "Bad request"


async def search(request: Request) -> Response:
    """``GET /v1/search``; its errors alone are plain JSON in the document of record."""
    try:
        return show(_found(request))
    except BadQuery as error:
        return answer(error, "application/json")


def _found(request: Request) -> wire.SearchResults:
    """What a search finds. There is no documentation to search, so ``pages`` is empty."""
    query, service = request.query_params.get("query", ""), runner(request)
    if not query.strip():
        raise BadQuery('Query parameter "query" is required')
    limit = _limit(request.query_params.get("limit"))
    models = find_models(query, service.library.listed(service.base_url))[:limit]
    shown = {one.item.slug: one for one in _collections(service)}
    found = [shown[item.slug] for item in find_collections(query, [one.item for one in shown.values()])]
    return wire.SearchResults(
        query=query,
        models=[
            wire.FoundModel(model=model, metadata=wire.FoundMetadata(tags=words(model.name), score=score))
            for model, score in models
        ],
        collections=[wire.FoundCollection(**one.item.model_dump(), models=list(one.models)) for one in found],
        pages=[],
    )


def _limit(text: str | None) -> int:
    limit = int(text) if text and text.isascii() and text.isdigit() and len(text) < 4 else 0
    if text is None:
        return wire.DEFAULT_RESULTS
    if not 1 <= limit <= wire.MAX_RESULTS:
        raise BadQuery(f'Query parameter "limit" must be a number from 1 to {wire.MAX_RESULTS}')
    return limit


async def list_collections(request: Request) -> Response:
    """``GET /v1/collections``."""
    return page(request, [one.item for one in _collections(runner(request))])


async def get_collection(request: Request) -> Response:
    """``GET /v1/collections/{slug}``."""
    service, slug = runner(request), request.path_params["slug"]
    found = next((one for one in _collections(service) if one.item.slug == slug), None)
    if found is None:
        raise NotFound("The requested resource could not be found.")
    models = [service.library.get(name, service.base_url) for name in found.models]
    full = f"## {found.item.name}\n\n{found.item.description}\n"
    return show(Collection(**found.item.model_dump(), full_description=full, models=models))


def _collections(service: Runner) -> list[Shown]:
    return collections([model.full_name for model in service.catalog.models])


ROUTES = [
    Route("/v1/search", search, methods=["GET"]),
    Route("/v1/collections", list_collections, methods=["GET"]),
    Route("/v1/collections/{slug}", get_collection, methods=["GET"]),
]
