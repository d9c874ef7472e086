"""Wants a bearer token on the API, as Replicate does; output files are open, their names are their keys."""

import hmac

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from mutoscope.core.errors import MutoscopeError
from mutoscope.runner.problems import answer

_GUARDED = ("/v1/", "/_runner/")


class NoToken(MutoscopeError):
    """The request carries no token, or not ours."""

    status, code, title = 401, "unauthenticated", "Unauthenticated"


class BearerAuth:
    """ASGI middleware: 401 in Replicate's shape without the right token; with ``token=None`` any token is right."""

    def __init__(self, app: ASGIApp, token: str | None) -> None:
        self._app = app
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 401."""
        if scope["type"] == "http" and scope["path"].startswith(_GUARDED) and (problem := self._problem(scope)):
            await answer(NoToken(problem))(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _problem(self, scope: Scope) -> str | None:
        scheme, _, token = Headers(scope=scope).get("authorization", "").partition(" ")
        if scheme.lower() not in {"bearer", "token"} or not token.strip():
            return "You did not pass an authentication token"
        if self._token is not None and not hmac.compare_digest(token.strip().encode(), self._token.encode()):
            return "You did not pass a valid authentication token"
        return None
