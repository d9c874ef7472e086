"""Forms that are read as they come: however they are cut, and whatever is wrong with them."""

from collections.abc import AsyncIterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mutoscope.core.errors import InvalidRequest
from mutoscope.web.multipart import MAX_FIELD_BYTES, MAX_PARTS, Form

TYPE = 'multipart/form-data; boundary="the-mark"'
FILE = b"\r\n--the-mar bytes that look like an end \r\n--"


def part(name: str, data: bytes, extra: str = "") -> bytes:
    return f'--the-mark\r\nContent-Disposition: form-data; name="{name}"{extra}\r\n\r\n'.encode() + data + b"\r\n"


END = b"--the-mark--\r\n"
BODY = (
    part("filename", "ü.png".encode()) + part("content", FILE, '; filename="a b.png"') + part("metadata", b"{}") + END
)


async def cut(body: bytes, *places: int) -> AsyncIterator[bytes]:
    edges = [0, *sorted(place % (len(body) + 1) for place in places), len(body)]
    for start, end in pairwise(edges):
        yield body[start:end]


async def read(body: bytes, *places: int, content_type: str = TYPE) -> tuple[bytes, Form]:
    form = Form(content_type, cut(body, *places))
    return b"".join([piece async for piece in form.file()]), form


@given(st.lists(st.integers(0, 10_000), max_size=12))
async def test_how_a_form_is_cut_makes_no_difference(places: list[int]) -> None:
    data, form = await read(BODY, *places)
    assert data == FILE
    assert (form.fields, form.filename) == ({"filename": "ü.png", "metadata": "{}"}, "a b.png")


@pytest.mark.parametrize("name", ["cat.png", "käse ☃.png", "\xff", "a;b=c"])
async def test_a_files_name_may_be_in_any_script(name: str) -> None:
    _, form = await read(part("content", b"1", f'; filename="{name}"') + END)
    assert form.filename == name


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        ("; filename*=UTF-8''na%C3%AFve.txt", "naïve.txt"),
        ("; filename*=utf-8'en'na%C3%AFve%3B.txt; x=y", "naïve;.txt"),
        ("; FileName* = iso-8859-1''%A3.txt", "£.txt"),
        ("; filename=\"naive.txt\"; filename*=UTF-8''na%C3%AFve.txt", "naïve.txt"),
        ("; filename*=UTF-8''na%C3%AFve.txt; filename=\"naive.txt\"", "naïve.txt"),
        ("; filename=\"a.txt\"; filename*=utf-9''b.txt", "a.txt"),
        ("; filename=\"; filename*=UTF-8''b.txt\"", "; filename*=UTF-8''b.txt"),
        ("; filename*=UTF-8''%FF.txt", "\N{REPLACEMENT CHARACTER}.txt"),
        ("; filename*=b.txt", None),
        ("; filename*0*=b.txt", None),
    ],
)
async def test_a_files_name_may_be_written_with_its_character_set(parameters: str, name: str | None) -> None:
    _, form = await read(part("content", b"1", parameters) + END)
    assert form.filename == name


async def test_a_name_that_is_no_text_is_read_all_the_same() -> None:
    """Found by schemathesis: bytes that are no UTF-8."""
    _, form = await read(part("content", b"1", '; filename="NAME"').replace(b"NAME", b"\xf0\x28\xe2.png") + END)
    assert (form.filename or "").endswith(".png")


BROKEN = {
    "empty": b"",
    "no form": b"just bytes",
    "cut short": BODY[:-20],
    "without the file": part("filename", b"x") + END,
    "two files": part("content", b"1") + part("content", b"2") + END,
    "a field without end": part("metadata", bytes(MAX_FIELD_BYTES + 1)) + part("content", b"1") + END,
    "too many fields": b"".join(part(f"f{n}", b"") for n in range(MAX_PARTS)) + part("content", b"1") + END,
    "headers without end": b"--the-mark\r\n" + b"X: y\r\n" * 1000 + part("content", b"1").partition(b"\r\n")[2] + END,
    "a header without end": b"--the-mark\r\nX: " + b"y" * 20_000 + b"\r\n\r\nz\r\n" + END,
}


@pytest.mark.parametrize("what", list(BROKEN))
async def test_a_broken_form_is_refused(what: str) -> None:
    with pytest.raises(InvalidRequest):
        await read(BROKEN[what])


@pytest.mark.parametrize(
    "content_type", ["multipart/form-data", "multipart/mixed; boundary=x", "multipart/form-data; boundary="]
)
async def test_a_form_must_name_its_boundary(content_type: str) -> None:
    with pytest.raises(InvalidRequest):
        await read(BODY, content_type=content_type)
