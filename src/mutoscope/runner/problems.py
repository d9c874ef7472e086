"""Errors as Replicate answers them: ``detail``, ``status`` and ``title``, and what some of them add."""

from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from mutoscope.core.errors import MutoscopeError

_MEDIA_TYPE = "application/problem+json"


class UnknownVersion(MutoscopeError):
    """The version, model or deployment that was to be run is not offered here."""

    status, code, title = 422, "unknown_version", "Invalid version or not permitted"


class InvalidInput(MutoscopeError):
    """The input breaks the model's schema; ``invalid_fields`` says where."""

    status, code, title = 422, "invalid_input", "Input validation failed"


class TooLarge(MutoscopeError):
    """The body is above its limit."""

    status, code, title = 413, "too_large", "Content too large"


class Throttled(MutoscopeError):
    """Too many creates; ``retry_after`` says for how many seconds."""

    status, code, title, retryable = 429, "throttled", "Request was throttled", True

    def __init__(self, retry_after_s: float, reason: str = "") -> None:
        seconds = -int(-retry_after_s // 1)
        self.retry_after_s = seconds
        extra = {"retry_after": seconds} if seconds else {}
        super().__init__(f"Request was throttled. {reason}Your rate limit resets in ~{seconds}s.", **extra)


class Broken(MutoscopeError):
    """The server failed, or seems to, because a fault was asked for."""

    status, code, title = 500, "internal_error", "Internal server error"


class Overloaded(MutoscopeError):
    """A fault that was asked for: the server seems to be overloaded."""

    status, code, title, retryable = 503, "unavailable", "Service unavailable", True


def answer(error: MutoscopeError, media_type: str = _MEDIA_TYPE) -> Response:
    """The answer that says ``error``."""
    headers: dict[str, str] = {}
    if isinstance(error, Throttled) and error.retry_after_s:
        headers = {"retry-after": str(error.retry_after_s), "ratelimit-remaining": "0"}
        headers["ratelimit-reset"] = str(error.retry_after_s)
    body = {"title": error.title, "detail": error.detail, "status": error.status, **error.extra}
    return JSONResponse(body, error.status, headers, media_type=media_type)


async def on_error(_request: Request, error: Exception) -> Response:
    """Exception handler for errors of ours."""
    assert isinstance(error, MutoscopeError)  # noqa: S101 - it is registered for this class only
    return answer(error)


async def on_crash(_request: Request, _error: Exception) -> Response:
    """Exception handler for faults of the runner's own; the server logs them."""
    return answer(Broken("The runner failed; its log says how."))


async def on_http_error(_request: Request, error: Exception) -> Response:
    """Exception handler for what Starlette itself finds, such as an unknown path."""
    assert isinstance(error, HTTPException)  # noqa: S101 - it is registered for this class only
    detail = "The requested resource could not be found." if error.status_code == 404 else error.detail
    headers: Mapping[str, str] | None = error.headers
    body = {"title": error.detail, "detail": detail, "status": error.status_code}
    return JSONResponse(body, error.status_code, headers, media_type=_MEDIA_TYPE)
