"""Wants a bearer token on the API, as Replicate does; output files and streams are open, their names are their keys."""

import hmac
import re
from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from mutoscope.core.errors import MutoscopeError
from mutoscope.runner.problems import answer

_GUARDED = ("/v1/", "/_runner/")
_SIGNED = re.compile(r"/v1/files/[^/]+/download")


class NoToken(MutoscopeError):
    """The request carries no token, or not ours."""

    status, code, title = 401, "unauthenticated", "Unauthenticated"


def bearer(scope: Scope) -> str:
    """The token that a request carries, or nothing."""
    scheme, _, token = Headers(scope=scope).get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() in {"bearer", "token"} else ""


def _guarded(path: str) -> bool:
    """All of the API, but for downloads: their links are signed."""
    return path.startswith(_GUARDED) and not _SIGNED.fullmatch(path)


class BearerAuth:
    """ASGI middleware: 401 in Replicate's shape without a right token; where none is named, any token is right."""

    def __init__(self, app: ASGIApp, tokens: Sequence[str]) -> None:
        self._app = app
        self._tokens = [token.encode() for token in tokens]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 401."""
        if scope["type"] == "http" and _guarded(scope["path"]) and (problem := self._problem(scope)):
            await answer(NoToken(problem))(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _problem(self, scope: Scope) -> str | None:
        token = bearer(scope).encode()
        if not token:
            return "You did not pass an authentication token"
        if self._tokens and not any([hmac.compare_digest(token, one) for one in self._tokens]):  # noqa: C419 - all of them: constant time
            return "You did not pass a valid authentication token"
        return None
