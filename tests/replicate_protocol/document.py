"""Replicate's own OpenAPI document, where it is at hand, and a check of whole HTTP answers against it.

The document is read and never copied: it lies beside the checkout, or where ``MUTOSCOPE_REPLICATE_OPENAPI`` says.
"""

import json
import os
import re
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs
import pytest

from mutoscope.replicate_protocol.errors import ErrorBody

Json = dict[str, Any]
Operation = tuple[str, str]
PLACE = Path(__file__).parents[3] / "shared" / "facts" / "replicate-openapi.json"


def read_document() -> Json:
    """The document; the test that asks is skipped, saying so, where there is none."""
    path = Path(os.environ.get("MUTOSCOPE_REPLICATE_OPENAPI") or PLACE)
    if not path.is_file():
        pytest.skip(f"Replicate's OpenAPI document is not at {path}; name it in MUTOSCOPE_REPLICATE_OPENAPI")
    return _read(path)


@cache
def _read(path: Path) -> Json:
    return as_json_schema(json.loads(path.read_text()))


def as_json_schema(node: Any) -> Any:
    """OpenAPI's ``nullable`` as JSON Schema says it; and ``oneOf`` loosened, for "hidden" is both of a version's."""
    if isinstance(node, list):
        return [as_json_schema(one) for one in node]
    if not isinstance(node, dict):
        return node
    schema = {"anyOf" if key == "oneOf" else key: as_json_schema(value) for key, value in node.items()}
    return {"anyOf": [schema, {"type": "null"}]} if schema.pop("nullable", False) is True else schema


def operations(document: Json) -> set[Operation]:
    """Every method and path in the document."""
    return {(method, path) for path, methods in document["paths"].items() for method in methods}


@dataclass
class Checker:
    """Checks every answer of a client; use its ``check`` as a response hook of ``httpx.AsyncClient``.

    ``root`` is where the API begins, ``http://127.0.0.1:5001/v1``; answers to other requests are left alone.
    """

    document: Json
    root: str
    seen: Counter[tuple[Operation, int]] = field(default_factory=Counter)

    async def check(self, response: httpx.Response) -> None:
        """Fail the test if the answer is not one that the document allows."""
        url = str(response.request.url.copy_with(query=None))
        if not url.startswith(f"{self.root}/"):
            return
        method, path = response.request.method.lower(), url.removeprefix(self.root)
        template = self.template(path)
        if template is None or method not in self.document["paths"][template]:
            assert response.status_code in {401, 404, 405}, (method, path)
            return
        await response.aread()
        self.seen[(method, template), response.status_code] += 1
        described = self.document["paths"][template][method]["responses"].get(str(response.status_code))
        if described is None or (response.is_error and "content" not in described):
            check_error(response)
        else:
            self._check_content(response, described)

    def template(self, path: str) -> str | None:
        """The path of the document that a real one is an instance of; one without parameters wins."""
        fitting = [one for one in self.document["paths"] if re.fullmatch(re.sub(r"\{[^}]+\}", "[^/]+", one), path)]
        return min(fitting, key=lambda one: one.count("{"), default=None)

    def _check_content(self, response: httpx.Response, described: Json) -> None:
        if "content" not in described:
            assert response.content == b""
            return
        kind = response.headers["content-type"].partition(";")[0]
        if "application/octet-stream" in described["content"]:
            return  # the document says so of all files; what is sent is the type of the file
        assert kind in described["content"], (response.request.url, kind)
        schema = described["content"][kind]["schema"]
        body = response.text if kind == "text/plain" else response.json()
        whole = {**schema, "components": self.document["components"]}
        jsonschema_rs.validator_for(whole, validate_formats=True).validate(body)


def check_error(response: httpx.Response) -> None:
    """An answer that the document does not describe must be an error, in the shape that Replicate's errors have."""
    assert response.status_code >= 400, (response.request.method, response.request.url, response.status_code)
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    error = ErrorBody.model_validate(body)
    assert error.detail == body["detail"]
    assert error.title
    assert error.status == response.status_code
