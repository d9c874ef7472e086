"""Reads request bodies with a limit, and the runner out of a request."""

import json
from typing import Any, TypeVar, cast

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from mutoscope.core.errors import InvalidRequest
from mutoscope.runner.documents import MAX_DEPTH, is_deeper
from mutoscope.runner.problems import TooLarge
from mutoscope.runner.service import Runner

Body = TypeVar("Body", bound=BaseModel)


def runner(request: Request) -> Runner:
    """The runner that serves this request."""
    return cast("Runner", request.app.state.runner)


def named(request: Request) -> str:
    """``owner/name`` in the path."""
    return "{owner}/{name}".format_map(request.path_params)


async def read_body(request: Request, limit_bytes: int) -> bytes:
    """The whole body. Raises ``TooLarge`` as soon as it is above the limit."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit_bytes:
            raise TooLarge(f"The body must be at most {limit_bytes} bytes.")
    return bytes(body)


def parse_body(kind: type[Body], body: bytes) -> Body:
    """The body as ``kind``. Raises ``InvalidRequest``, which names the field that is wrong."""
    try:
        value: object = json.loads(body)
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()  # else no answer could show it
        if is_deeper(value, MAX_DEPTH):
            raise RecursionError
        return kind.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "body"
        fields: list[dict[str, Any]] = [{"type": first["type"], "field": field, "description": first["msg"]}]
        raise InvalidRequest(f"- {field}: {first['msg']}", invalid_fields=fields) from error
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(f"The body is not JSON: {_fault(error)}.") from error


def _fault(error: ValueError | RecursionError) -> str:
    """What is wrong with a body, and where."""
    match error:
        case json.JSONDecodeError():
            return f"{error.msg} at line {error.lineno}, column {error.colno}"
        case UnicodeDecodeError():
            return f"byte {error.start} does not belong into {error.encoding}"
        case UnicodeEncodeError():
            return "half of a surrogate pair is no character"
        case RecursionError():
            return "it is nested too deeply"
        case _:
            return str(error)


async def read_model(request: Request, kind: type[Body]) -> Body:
    """The request's body as ``kind``. Raises ``InvalidRequest`` or ``TooLarge``."""
    return parse_body(kind, await read_body(request, runner(request).config.max_body_bytes))
