"""Errors as Replicate answers them: ``detail``, ``title`` and ``status``, and what some of them add."""

import logging
import math
from typing import Any, cast

from pydantic_core import to_jsonable_python
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from mutoscope.catalog.schema import InvalidInput
from mutoscope.core.errors import MutoscopeError, NotFound, Unauthenticated
from mutoscope.ledger.errors import InsufficientCredits
from mutoscope.providers.base import CreateRefused, Throttled
from mutoscope.web.local_files import RangeNotSatisfiable

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
DEFAULT_RETRY_AFTER_S = 1
NOT_FOUND = "The requested resource could not be found."


class InvalidFields(MutoscopeError):
    """The body breaks the shape that Replicate documents; ``invalid_fields`` says where."""

    status, code, title = 422, "invalid_fields", "Input validation failed"


class ReadOnly(MutoscopeError):
    """What would change the provider's account, which is the operator's and not the caller's."""

    status, code, title = 403, "read_only", "Not allowed here"


class Refused(MutoscopeError):
    """The provider found something wrong with a request that was passed on."""

    code, title = "refused", "The request was refused"

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status  # pyright: ignore[reportAttributeAccessIssue] - the provider's, so not one for the class


def answer(error: MutoscopeError) -> Response:
    """The answer that says ``error``."""
    status, title, detail, more = _as_replicate_says(error)
    headers: dict[str, str] = {"Cache-Control": "no-store"}
    if error.retryable:
        seconds = math.ceil(getattr(error, "retry_after_s", DEFAULT_RETRY_AFTER_S))
        headers["Retry-After"] = str(seconds)
        more |= {"retry_after": seconds}
    if isinstance(error, RangeNotSatisfiable):
        headers["Content-Range"] = f"bytes */{error.size_bytes}"
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = "Bearer"
    body = {"title": title, "detail": detail, "status": status, **more}
    return JSONResponse(body, status, headers, media_type=MEDIA_TYPE)


async def on_error(request: Request, error: Exception) -> Response:
    """Exception handler for errors of ours."""
    assert isinstance(error, MutoscopeError)  # noqa: S101 - it is registered for this class only
    if error.status >= 500:
        log.warning("%s %s: %s", request.method, request.url.path, error.detail, extra={"code": error.code})
    return answer(error)


async def on_http_error(request: Request, error: Exception) -> Response:
    """Exception handler for what Starlette itself finds, such as an unknown path."""
    assert isinstance(error, HTTPException)  # noqa: S101 - it is registered for this class only
    detail = NOT_FOUND if error.status_code == 404 else f"{request.method} is not a method of this resource."
    body = {"title": error.detail, "detail": detail, "status": error.status_code}
    return JSONResponse(body, error.status_code, error.headers, media_type=MEDIA_TYPE)


async def on_crash(request: Request, error: Exception) -> Response:
    """The last resort: the log has the whole story, the answer has none of it."""
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return answer(MutoscopeError("Something went wrong on our side; it was logged."))


def _as_replicate_says(error: MutoscopeError) -> tuple[int, str, str, dict[str, Any]]:
    extra = cast("dict[str, Any]", to_jsonable_python(dict(error.extra), fallback=str))
    if "errors" in extra:
        within = "input" if isinstance(error, InvalidInput) else ""
        extra["invalid_fields"] = [_field(one, within) for one in extra.pop("errors")]
    match error:
        case InvalidInput():
            detail = "".join(f"- {one['field']}: {one['description']}\n" for one in extra["invalid_fields"])
            return 422, "Input validation failed", detail, extra
        case InsufficientCredits():
            return 402, "Insufficient credit", error.detail, extra
        case Unauthenticated():
            return 401, "Unauthenticated", error.detail, {}
        case Throttled():
            return 429, "Request was throttled", f"{error.detail} Try again in ~{error.retry_after_s:g}s.", {}
        case CreateRefused():
            return 422, "Invalid version or not permitted", error.detail, {}
        case NotFound():
            return 404, "Not found", error.detail, {}
        case _:
            return error.status, error.title, error.detail, extra


def _field(one: dict[str, str], within: str) -> dict[str, str]:
    field = f"{within}{one['path'].replace('/', '.')}".removeprefix(".") or "body"
    return {"type": "invalid", "field": field, "description": one["message"]}
