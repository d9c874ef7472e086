"""Turns ``-i name=value`` into a model's input: typed by the model's schema, files as data URIs."""

import base64
import json
import mimetypes
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from mutoscope.core.errors import InvalidRequest
from mutoscope.storage.sniff import OCTETS, sniff

MAX_FILE_BYTES = 700_000
"""A data URI grows by a third, and a request may have 1 MiB."""

MAX_REFERENCES = 8

_PYTHON: Mapping[type, str] = {
    bool: "boolean", int: "integer", float: "number", list: "array", dict: "object", str: "string", type(None): "null"
}  # fmt: skip


def read_inputs(pairs: Sequence[str], schema: Mapping[str, Any]) -> dict[str, Any]:
    """The input that ``pairs`` of ``name=value`` describe.

    A value ``@path`` is a file's content (``@-`` standard input); ``@@`` begins a value that begins with ``@``.

    Raises:
        InvalidRequest: A pair without ``=``, a name twice, a file that cannot be read or is too large.
    """
    properties = cast("Mapping[str, Mapping[str, Any]]", schema.get("properties", {}))
    found: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise InvalidRequest(f"-i {pair!r} is not name=value")
        if name in found:
            raise InvalidRequest(f"-i {name} was given twice; a list is written as JSON: {name}='[…]'")
        found[name] = _value(value, schema, properties.get(name, {}))
    return found


def _value(value: str, schema: Mapping[str, Any], one: Mapping[str, Any]) -> Any:
    if value.startswith("@@"):
        return value[1:]
    if value.startswith("@"):
        return _file(value[1:], as_text=one.get("format") != "uri" and types_of(schema, one) == {"string"})
    types = types_of(schema, one)
    if types and types <= {"string"}:
        return value
    try:
        parsed = json.loads(value)
    except ValueError:
        return value
    kind = _PYTHON[type(parsed)]
    fits = not types or kind in types or (kind == "integer" and "number" in types)
    return parsed if fits else value


def _file(name: str, *, as_text: bool) -> str:
    try:
        data = sys.stdin.buffer.read(MAX_FILE_BYTES + 1) if name == "-" else _read(Path(name))
    except OSError as error:
        raise InvalidRequest(f"{name} cannot be read: {error.strerror}") from error
    return data.decode(errors="replace") if as_text else data_uri(data, name)


def data_uri(data: bytes, name: str) -> str:
    """A file as a data URI. Raises ``InvalidRequest`` if it is too large for one."""
    if len(data) > MAX_FILE_BYTES:
        raise InvalidRequest(f"{name} has more than {MAX_FILE_BYTES} bytes; put it on the web and give its URL")
    media_type, _ = sniff(data)
    if media_type == OCTETS[0]:
        media_type = mimetypes.guess_type(name)[0] or media_type
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_FILE_BYTES + 1)


def types_of(document: Mapping[str, Any], one: Mapping[str, Any], depth: int = 0) -> set[str]:
    """The JSON types that a schema allows; empty if it does not say."""
    if depth > MAX_REFERENCES:
        return set()
    found: set[str] = set()
    said = one.get("type")
    found |= {said} if isinstance(said, str) else set(cast("list[str]", said or []))
    for word in ("allOf", "anyOf", "oneOf"):
        for part in cast("list[Mapping[str, Any]]", one.get(word, [])):
            found |= types_of(document, part, depth + 1)
    if reference := one.get("$ref"):
        found |= types_of(document, _at(document, str(reference)), depth + 1)
    return found


def _at(document: Mapping[str, Any], reference: str) -> Mapping[str, Any]:
    node: Any = document
    for part in reference.removeprefix("#/").split("/"):
        node = cast("Mapping[str, Any]", node).get(part, {}) if isinstance(node, Mapping) else {}
    return cast("Mapping[str, Any]", node) if isinstance(node, Mapping) else {}
