"""Reads JSON that means one thing only: what two parsers could read differently, or no database keeps, is refused."""

import json
from typing import Any, NoReturn

from mutoscope.core.errors import InvalidRequest, MutoscopeError
from mutoscope.core.json_limits import find_fault


class InvalidJson(MutoscopeError):
    """The body is not JSON, or not JSON that every program reads the same way."""

    status, code, title = 400, "invalid_json", "The body is not valid JSON"


def read_json(body: bytes, *, max_bytes: int) -> Any:
    """The value of a JSON body, which must be at most ``max_bytes`` in its canonical form.

    Raises:
        InvalidJson: It is not JSON in UTF-8, or has NaN or infinity in it.
        InvalidRequest: It is nested too deep, or has numbers or characters that cannot be kept.
    """
    try:
        value = json.loads(
            body.decode("utf-8"), parse_constant=_no_constant, parse_int=_integer, object_pairs_hook=_object
        )
    except UnicodeDecodeError as error:
        raise InvalidJson("The body is not UTF-8.") from error
    except RecursionError as error:
        raise InvalidJson("The body is nested too deep.") from error
    except ValueError as error:
        raise InvalidJson(f"The body is not JSON: {str(error)[:200]}.") from error
    if fault := find_fault(value, max_bytes=max_bytes):
        shown = [{"in": "body", "path": fault.path, "message": fault.message}]
        raise InvalidRequest(f"{fault.path or 'The body'} {fault.message}.", errors=shown)
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _integer(digits: str) -> int:
    try:
        return int(digits)
    except ValueError as error:  # which names a switch of Python's
        raise ValueError(f"an integer has {len(digits.removeprefix('-'))} digits") from error


def _object(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object. Of a name that stands twice, one program takes the first value and another the last."""
    value: dict[str, Any] = {}
    for name, member in members:
        if name in value:
            raise ValueError(f"{name[:100]!r} stands twice in one object")
        value[name] = member
    return value
