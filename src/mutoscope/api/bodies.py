"""Bodies of requests: bounded while they are read, whatever their headers say, and JSON that means one thing only."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mutoscope.api import problems
from mutoscope.api.problems import TooLarge, UnsupportedMediaType
from mutoscope.compat import problems as front_door
from mutoscope.core.strict_json import read_json
from mutoscope.generations.as_prediction import PATH

MAX_JSON_BYTES = 1024 * 1024
MAX_CALLBACK_BYTES = 10 * 1024 * 1024
CALLBACKS = "/callbacks/"
UPLOADS = "/v1/files"
# What a form says around a file.
FORM_BYTES = 256 * 1024


class BodyLimit:
    """Refuses a body that is too large: at once if it says so, else as soon as too much of it has come.

    Args:
        app: What is limited.
        upload_bytes: The largest file that may be uploaded.
    """

    def __init__(self, app: ASGIApp, upload_bytes: int) -> None:
        self._app = app
        self._upload_bytes = upload_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._limit(scope["method"], scope["path"])
        if _declared_bytes(scope) > limit:
            await _refusal(limit, scope["path"])(scope, receive, send)
            return
        await self._app(scope, _Counted(receive, limit), send)

    def _limit(self, method: str, path: str) -> int:
        if path.startswith(CALLBACKS):
            return MAX_CALLBACK_BYTES
        return self._upload_bytes + FORM_BYTES if method == "POST" and path.endswith(UPLOADS) else MAX_JSON_BYTES


class _Counted:
    """``receive``, which raises ``TooLarge`` once more than ``limit`` bytes have come."""

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive = receive
        self._limit = limit
        self._got = 0

    async def __call__(self) -> Message:
        message = await self._receive()
        self._got += len(message.get("body", b""))
        if self._got > self._limit:
            raise _too_large(self._limit)
        return message


class StrictRoute(APIRoute):
    """A route whose body is parsed by us: what two parsers could read differently, or no database keeps, is refused."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler, given a body that is parsed already."""
        handler = super().get_route_handler()
        if self.body_field is None:
            return handler

        async def strict(request: Request) -> Response:
            ours = _Strict(request.scope, request.receive)
            await ours.parse()
            return await handler(ours)

        return strict


class _Strict(Request):
    """A request whose JSON is read by ``parse_json``."""

    _value: Any = None

    async def parse(self) -> None:
        self._value = parse_json(self.headers.get("content-type"), await self.body())

    async def json(self) -> Any:
        return self._value


def parse_json(content_type: str | None, body: bytes) -> Any:
    """The value of a JSON body; ``None`` for no body.

    Raises:
        UnsupportedMediaType: It does not say that it is JSON.
        InvalidJson: It is not JSON in UTF-8, has NaN or infinity in it, or an object with one name twice.
        InvalidRequest: It is nested too deep, or has numbers or characters that cannot be kept.
    """
    if not body:
        return None
    if (content_type or "").partition(";")[0].strip().lower() != "application/json":
        raise UnsupportedMediaType("Send the header Content-Type: application/json.")
    return read_json(body, max_bytes=2 * MAX_JSON_BYTES)


def _declared_bytes(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value[:20])
    return 0


def _refusal(limit: int, path: str) -> Response:
    """The answer in the shape of the API that was meant."""
    error = _too_large(limit)
    refusal = front_door.answer(error) if path.startswith(f"{PATH}/") else problems.answer(error, instance=path)
    refusal.headers["Connection"] = "close"
    return refusal


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"A body may have at most {limit} bytes.", limit_bytes=limit)
