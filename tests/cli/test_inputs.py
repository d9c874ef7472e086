"""What ``-i name=value`` means."""

import base64
from pathlib import Path
from typing import Any

import pytest

from mutoscope.cli.inputs import MAX_FILE_BYTES, read_inputs
from mutoscope.core.errors import InvalidRequest

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "prompt": {"type": "string"},
        "image": {"type": "string", "format": "uri"},
        "steps": {"type": "integer"},
        "scale": {"allOf": [{"$ref": "#/components/schemas/scale"}]},
        "strength": {"anyOf": [{"type": "number"}, {"type": "null"}]},
        "loud": {"type": "boolean"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "anything": {},
    },
    "components": {"schemas": {"scale": {"type": "integer", "enum": [2, 4]}}},
}


@pytest.mark.parametrize(
    ("pair", "value"),
    [
        ("prompt=12", "12"),
        ("prompt=a=b", "a=b"),
        ("prompt=", ""),
        ("prompt=@@home", "@home"),
        ("steps=12", 12),
        ("steps=many", "many"),
        ("scale=4", 4),
        ("strength=0.5", 0.5),
        ("strength=1", 1),
        ("strength=null", None),
        ("loud=true", True),
        ('tags=["a"]', ["a"]),
        ("anything=12", 12),
        ("anything=words", "words"),
        ("unknown=12", 12),
    ],
)
def test_values_get_the_type_that_the_schema_wants(pair: str, value: object) -> None:
    found = read_inputs([pair], SCHEMA)[pair.partition("=")[0]]
    assert (found, type(found)) == (value, type(value))


def test_a_file_is_sent_along_as_what_it_is(tmp_path: Path) -> None:
    picture, words = tmp_path / "picture.txt", tmp_path / "words"
    picture.write_bytes(b"\x89PNG\r\n\x1a\nrest")
    words.write_text("a lighthouse")
    found = read_inputs([f"image=@{picture}", f"prompt=@{words}"], SCHEMA)
    head, _, data = found["image"].partition(",")
    assert head == "data:image/png;base64"
    assert base64.b64decode(data) == picture.read_bytes()
    assert found["prompt"] == "a lighthouse"


def test_what_cannot_be_meant_is_refused(tmp_path: Path) -> None:
    large = tmp_path / "large"
    large.write_bytes(bytes(MAX_FILE_BYTES + 1))
    for pairs in (["prompt"], ["=x"], ["prompt=a", "prompt=b"], ["image=@nowhere"], [f"image=@{large}"]):
        with pytest.raises(InvalidRequest):
            read_inputs(pairs, SCHEMA)
