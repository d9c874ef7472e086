"""What is read from the provider and passed on: models and their pages, search, collections, hardware, deployments.

The provider's account is the operator's. So its private models and its deployments are shown only where the operator
offers them, with an entry in the settings; and nothing can be changed there.
"""

import json
import re
from dataclasses import replace
from typing import Any, NoReturn, cast

from starlette.requests import Request
from starlette.responses import Response

from mutoscope.bootstrap import Runtime
from mutoscope.compat.problems import NOT_FOUND, Refused
from mutoscope.compat.requests import account_of, guarded, parts_of
from mutoscope.core.errors import InvalidRequest, NotFound
from mutoscope.generations.as_prediction import PATH
from mutoscope.providers.base import ProviderDown
from mutoscope.providers.kept_pages import Page
from mutoscope.replicate_protocol.references import InvalidReference, ModelReference, parse_reference

MAX_SEARCH_CHARS = 1000
_SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
_VERSION = re.compile(r"[0-9a-f]{64}")


async def plain(request: Request) -> Response:
    """Pages that belong to nobody: ``/hardware``, ``/collections``, ``/search`` and the list of public models."""
    return await _pass_on(request, request.url.path.partition("/v1/")[2])


async def collection(request: Request) -> Response:
    """``GET /collections/{slug}``."""
    slug = request.path_params["slug"]
    if not _SLUG.fullmatch(slug):
        raise NotFound(NOT_FOUND)
    return await _pass_on(request, f"collections/{slug}")


async def search_models(request: Request) -> Response:
    """``QUERY /models``, which has the words as its body."""
    try:
        words = (await request.body()).decode()
    except UnicodeDecodeError as error:
        raise InvalidRequest("The words to search for are not UTF-8.") from error
    if not 0 < len(words) <= MAX_SEARCH_CHARS:
        raise InvalidRequest(f"Search for 1 to {MAX_SEARCH_CHARS} characters.")
    return await _pass_on(request, "models", search=words)


async def model(request: Request) -> Response:
    """``GET /models/{owner}/{name}``, and what is below it: ``/versions``, ``/readme``, ``/examples``."""
    parts = parts_of(request)
    reference = _reference(request)
    shown = await parts.pages.read(f"models/{reference.model}", {}, asker=account_of(request), about=reference)
    if not _may_see(parts, reference, shown):
        raise NotFound(NOT_FOUND)
    below = request.url.path.partition("/v1/models/")[2].split("/")[2:]
    return await _pass_on(request, "/".join([f"models/{reference.model}", *below]), about=reference)


async def version(request: Request) -> Response:
    """``GET /models/{owner}/{name}/versions/{id}``."""
    if not _VERSION.fullmatch(request.path_params["version_id"]):
        raise NotFound(NOT_FOUND)
    return await model(request)


async def deployments(request: Request) -> Response:
    """``GET /deployments``: those that can be run here."""
    parts = parts_of(request)
    offered = dict.fromkeys(one.reference for one in parts.catalog.entries() if one.reference.kind == "deployment")
    found = await parts.pages.offered(offered, asker=account_of(request))
    results = [_json(page) for page in found if page.status == 200]
    return _as_json({"previous": None, "next": None, "results": results})


async def deployment(request: Request) -> Response:
    """``GET /deployments/{owner}/{name}``, if it can be run here."""
    reference = replace(_reference(request), kind="deployment")
    if parts_of(request).catalog.listed(reference) is None:
        raise NotFound(NOT_FOUND)
    return await _pass_on(request, str(reference), about=reference)


async def _pass_on(
    request: Request, path: str, *, about: ModelReference | None = None, search: str | None = None
) -> Response:
    parts = parts_of(request)
    query = dict(request.query_params)
    if sum(len(name) + len(value) for name, value in query.items()) > MAX_SEARCH_CHARS:
        raise InvalidRequest(f"A query may have at most {MAX_SEARCH_CHARS} characters.")
    page = await parts.pages.read(path, query, asker=account_of(request), about=about, search=search)
    return _answer(parts, page)


def _answer(parts: Runtime, page: Page) -> Response:
    if page.status == 404:
        raise NotFound(NOT_FOUND)
    if page.media_type == "text/plain" and page.status == 200:
        return Response(page.body, media_type="text/plain")
    value = _json(page)
    if page.status != 200:
        raise Refused(page.status, str(_object(value).get("detail", "")) or "Replicate refused the request.")
    if isinstance(value, dict):
        value = _with_our_links(cast("dict[str, Any]", value), parts)
    return _as_json(value)


def _as_json(value: object) -> Response:
    """In ASCII, because half a surrogate pair, which JSON can say, is nothing in UTF-8."""
    return Response(json.dumps(value), media_type="application/json")


def _with_our_links(body: dict[str, Any], parts: Runtime) -> dict[str, Any]:
    """The page, leading on to ours: a client follows these with the caller's key, which is for us only."""
    theirs, ours = parts.pages.base_url, f"{parts.links.base_url}{PATH}/v1/"
    for name in {"next", "previous"} & body.keys():
        link = str(body[name])
        body[name] = ours + link.removeprefix(theirs) if link.startswith(theirs) else None
    return body


def _json(page: Page) -> object:
    try:
        return json.loads(page.body, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise ProviderDown("Replicate's answer is not what it says it would be.") from error


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _object(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _reference(request: Request) -> ModelReference:
    try:
        return parse_reference("{owner}/{name}".format_map(request.path_params))
    except InvalidReference as error:
        raise NotFound(NOT_FOUND) from error


def _may_see(parts: Runtime, reference: ModelReference, page: Page) -> bool:
    if page.status != 200:
        return False
    return _object(_json(page)).get("visibility") == "public" or any(
        entry.reference.kind != "deployment" and entry.reference.model == reference.model
        for entry in parts.catalog.entries()
    )


ROUTES = [
    *(guarded(f"/v1/{path}", plain, "GET") for path in ("hardware", "collections", "search", "models")),
    guarded("/v1/models", search_models, "QUERY"),
    guarded("/v1/collections/{slug}", collection, "GET"),
    *(
        guarded(f"/v1/models/{{owner}}/{{name}}{below}", model, "GET")
        for below in ("", "/versions", "/readme", "/examples")
    ),
    guarded("/v1/models/{owner}/{name}/versions/{version_id}", version, "GET"),
    guarded("/v1/deployments", deployments, "GET"),
    guarded("/v1/deployments/{owner}/{name}", deployment, "GET"),
]
