"""The only place that speaks RFC 9457: every error leaves as ``application/problem+json`` with a stable ``code``."""

import logging
import math
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, ClassVar

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from pydantic_core import to_jsonable_python
from starlette.exceptions import HTTPException

from mutoscope.catalog.schema import InvalidInput
from mutoscope.core.errors import InvalidRequest, MutoscopeError, Unauthenticated
from mutoscope.core.json_limits import pointer_part
from mutoscope.web.local_files import RangeNotSatisfiable
from mutoscope.web.messages import said_plainly

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
MAX_ERRORS = 20
DEFAULT_RETRY_AFTER_S = 1
_REF = {"schema": {"$ref": "#/components/schemas/Problem"}}


class Problem(BaseModel):
    """What went wrong (RFC 9457). ``code`` is stable; some codes add members of their own."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "example": {
                "type": "urn:mutoscope:problem:insufficient_credits",
                "title": "Not enough credits",
                "status": 402,
                "detail": "This needs 3 image_generation credits; 1 are available and 1 are held.",
                "code": "insufficient_credits",
                "instance": "/v1/generations",
                "needed": 3,
                "available": 1,
                "held": 1,
            }
        },
    )

    type: str
    title: str
    status: int
    detail: str
    code: str
    instance: str


class TooLarge(MutoscopeError):
    """The body is above its limit."""

    status, code, title = 413, "too_large", "The body is too large"


class UnsupportedMediaType(MutoscopeError):
    """The body does not say that it is JSON."""

    status, code, title = 415, "unsupported_media_type", "The body must be JSON"


class _Refused(MutoscopeError):
    """What the web framework refused before it came to us."""

    _codes: ClassVar[Mapping[int, str]] = {404: "not_found", 405: "method_not_allowed"}

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status  # pyright: ignore[reportAttributeAccessIssue] - here the status is not the class's
        self.title = HTTPStatus(status).phrase  # pyright: ignore[reportAttributeAccessIssue]
        self.code = self._codes.get(status, "refused")  # pyright: ignore[reportAttributeAccessIssue]


def install(app: FastAPI) -> None:
    """Make every error of ``app`` a problem document."""
    app.add_exception_handler(MutoscopeError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(Exception, _unexpected)


def answer(error: MutoscopeError, *, instance: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The answer that says ``error``. ``instance`` is the path that was asked for."""
    extra: dict[str, Any] = to_jsonable_python(dict(error.extra), fallback=str)
    if isinstance(error, InvalidInput):
        extra["errors"] = [{**one, "path": f"/input{one['path']}"} for one in extra["errors"]]
    body = {
        "type": f"urn:mutoscope:problem:{error.code}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "code": error.code,
        "instance": instance,
    }
    all_headers = {"Cache-Control": "no-store", **(headers or {})}
    if error.retryable:
        wait_s: float = getattr(error, "retry_after_s", DEFAULT_RETRY_AFTER_S)
        all_headers["Retry-After"] = str(math.ceil(wait_s))
    if isinstance(error, RangeNotSatisfiable):
        all_headers["Content-Range"] = f"bytes */{error.size_bytes}"
    if isinstance(error, Unauthenticated):
        all_headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse({**extra, **body}, error.status, headers=all_headers, media_type=MEDIA_TYPE)


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What OpenAPI says of these answers."""
    return {
        status: {"description": HTTPStatus(status).phrase, "content": {MEDIA_TYPE: _REF}} for status in sorted(statuses)
    }


def _ours(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, MutoscopeError)  # noqa: S101 - what it is registered for
    if error.status >= 500:
        log.warning("%s %s: %s", request.method, request.url.path, error.detail, extra={"code": error.code})
    return answer(error, instance=request.url.path)


def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - what it is registered for
    errors = [_one_error(one) for one in error.errors()[:MAX_ERRORS]]
    said = "; ".join(f"{one['path'] or 'the body'}: {one['message']}" for one in errors[:3])
    return answer(InvalidRequest(said[:500], errors=errors), instance=request.url.path)


def _one_error(one: Mapping[str, Any]) -> dict[str, str]:
    place: Sequence[Any] = one["loc"]
    pointer = "".join(f"/{pointer_part(part)}" for part in place[1:])
    return {"in": str(place[0]), "path": pointer[:200], "message": said_plainly(one)}


def _refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - what it is registered for
    detail = f"{request.method} {request.url.path}: {error.detail}"
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = _allowed(request)
    return answer(_Refused(error.status_code, detail), instance=request.url.path, headers=headers)


def _allowed(request: Request) -> str:
    """Every method of this path; the framework would name those of one route only."""
    methods: set[str] = set()
    for pattern, some in request.app.state.methods:
        if pattern.match(request.url.path):
            methods |= some
    return ", ".join(sorted(methods))


def _unexpected(request: Request, error: Exception) -> JSONResponse:
    """The last resort: the log has the whole story, the answer has none of it."""
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return answer(MutoscopeError("Something went wrong on our side; it was logged."), instance=request.url.path)
