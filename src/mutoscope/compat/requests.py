"""What every request through the front door has in common: whose it is, the parts that serve it, and its body."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import TypeVar, cast

from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mutoscope.bootstrap import Runtime
from mutoscope.compat.problems import InvalidFields
from mutoscope.core.errors import InvalidRequest, Unauthenticated
from mutoscope.core.strict_json import read_json
from mutoscope.web.messages import said_plainly
from mutoscope.web.printable import ACCOUNT_HEADER, account_name

MAX_BODY_BYTES = 2 * 1024 * 1024
_SCHEMES = frozenset({"bearer", "token"})
_PRINTABLE = re.compile(r"[ -~]{1,255}")
_ID = re.compile(r"[!-~]{1,64}")
_ULID = re.compile(r"[0-9a-z]{26}")

Endpoint = Callable[[Request], Awaitable[Response]]
Body = TypeVar("Body", bound=BaseModel)


def guarded(path: str, endpoint: Endpoint, *methods: str) -> Route:
    """A route that nobody reaches without a key; what it serves is of ``account_of(request)``."""

    async def guard(request: Request) -> Response:
        request.state.account_id = await _authenticate(request)
        return await endpoint(request)

    guard.__name__ = endpoint.__name__
    return Route(path, guard, methods=list(methods) or ["GET"])


def account_of(request: Request) -> str:
    """Whose request it is."""
    return cast("str", request.state.account_id)


def parts_of(request: Request) -> Runtime:
    """The running parts."""
    return cast("Runtime", request.app.state.runtime)


def stopping_of(request: Request) -> asyncio.Event:
    """Set when the service stops, so that nobody is left waiting."""
    return cast("asyncio.Event", request.app.state.stopping)


async def read_body(request: Request, kind: type[Body]) -> Body:
    """The JSON body as ``kind``. Its media type is not looked at: curl says something else.

    Raises:
        InvalidFields: It has another shape; names the fields.
        MutoscopeError: It is too large or not JSON; see ``read_json``.
    """
    value = read_json(await request.body(), max_bytes=MAX_BODY_BYTES)
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        fields = [
            {"type": one["type"], "field": ".".join(map(str, one["loc"])) or "body", "description": said_plainly(one)}
            for one in error.errors()[:20]
        ]
        detail = "".join(f"- {one['field']}: {one['description']}\n" for one in fields)
        raise InvalidFields(detail, invalid_fields=fields) from error


def printable_header(request: Request, name: str) -> str | None:
    """A header of 1 to 255 printable characters, or ``None``. Raises ``InvalidRequest``."""
    value = _once(request, name)
    if value is not None and not _PRINTABLE.fullmatch(value):
        raise InvalidRequest(f"The header {name} must be 1 to 255 printable ASCII characters.")
    return value


def id_of(request: Request, name: str) -> str:
    """The id in the path. What cannot be one is looked for all the same, so that both answers are the same."""
    given: str = request.path_params[name]
    return given if _ID.fullmatch(given) else "-"


def cursor_of(request: Request, prefix: str = "gen") -> str | None:
    """Where a page begins: behind this id, of the kind that begins with ``prefix``. Raises ``InvalidRequest``."""
    cursor = request.query_params.get("cursor")
    # The database compares it: anything else would give a page that means nothing.
    if cursor is not None and not (cursor.startswith(f"{prefix}_") and _ULID.fullmatch(cursor[len(prefix) + 1 :])):
        raise InvalidRequest("The cursor is not valid; take it from the 'next' of a page.")
    return cursor


def _once(request: Request, name: str) -> str | None:
    values = request.headers.getlist(name)
    if len(values) > 1:
        raise InvalidRequest(f"The header {name} came more than once.")
    return values[0] if values else None


async def _authenticate(request: Request) -> str:
    scheme, _, token = (printable_header(request, "authorization") or "").partition(" ")
    if scheme.lower() not in _SCHEMES or not token.strip():
        raise Unauthenticated("You did not pass an authentication token")
    given = _once(request, ACCOUNT_HEADER)
    act_for = None if given is None else account_name(given)
    principal = await parts_of(request).accounts.authenticate(token.strip(), act_for=act_for)
    if principal.account_id is None:
        raise InvalidRequest("This is an operator's key. Use an account's key, or name one: Mutoscope-Account.")
    return principal.account_id
