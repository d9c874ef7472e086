"""Taking an output in: what it is, how large it may be, and that doing it again after a crash does no harm."""

import hashlib
from collections.abc import AsyncGenerator
from pathlib import Path

import httpx
import pytest

from mutoscope.storage.base import ObjectMissing, ObjectStore
from mutoscope.storage.fetch import HttpSource
from mutoscope.storage.intake import OpenSource, OutputRejected, OutputTooLarge, TakenIn, take_in
from mutoscope.storage.links import LinkSigner
from mutoscope.storage.local import LocalStore
from mutoscope.storage.sources import SourceFailed
from tests.storage.conftest import Subject
from tests.storage.streams import MIB, Watched, collected, failing, stream
from tests.storage.web import Request, response, serving

PREFIX = "acc_1/gen_1/0"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40
OTHER_PNG = PNG[:-1] + b"!"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def opening(*chunks: bytes) -> OpenSource:
    return lambda: stream(*chunks)


async def taken(
    store: ObjectStore,
    source: OpenSource,
    *,
    max_bytes: int = 100 * MIB,
    allowed: tuple[str, ...] | None = ("image/*",),
) -> TakenIn:
    return await take_in(store, source, prefix=PREFIX, max_bytes=max_bytes, allowed_media_types=allowed)


async def test_a_file_is_stored_under_its_kind_with_its_hash(store: ObjectStore) -> None:
    pieces = (b"", PNG[:3], b"", PNG[3:5000], PNG[5000:])
    got = await taken(store, opening(*pieces))
    assert got == TakenIn(f"{PREFIX}.png", len(PNG), sha256(PNG), "image/png")
    assert await collected(store.read(got.key)) == PNG


@pytest.mark.parametrize("piece_bytes", [1, 7, 4095, 4096, 4097, 100_000])
async def test_how_the_bytes_are_cut_makes_no_difference(tmp_path: Path, piece_bytes: int) -> None:
    store = LocalStore(tmp_path, LinkSigner(b"a secret for these tests", "http://localhost"))
    pieces = [PNG[start : start + piece_bytes] for start in range(0, len(PNG), piece_bytes)]
    assert (await taken(store, opening(*pieces))).sha256 == sha256(PNG)
    assert await collected(store.read(f"{PREFIX}.png")) == PNG


@pytest.mark.parametrize("size", [0, 9 * MIB])
async def test_a_second_run_finds_its_own_file(store: ObjectStore, size: int) -> None:
    body = PNG + bytes(size)
    first = await taken(store, opening(body))
    assert await taken(store, opening(body[:5000], body[5000:])) == first


@pytest.mark.parametrize("size", [0, 9 * MIB])
async def test_another_file_under_the_key_is_never_overwritten(store: ObjectStore, size: int) -> None:
    body, other = PNG + bytes(size), OTHER_PNG + bytes(size)
    await taken(store, opening(body))
    second = await taken(store, opening(other))
    assert second.key == f"{PREFIX}-{sha256(other)[:12]}.png"
    assert (second.sha256, second.size_bytes) == (sha256(other), len(other))
    assert await collected(store.read(f"{PREFIX}.png")) == body
    assert await collected(store.read(second.key)) == other
    assert await taken(store, opening(other)) == second
    assert (await taken(store, opening(body))).key == f"{PREFIX}.png"


async def test_a_file_of_another_length_is_another_file(store: ObjectStore) -> None:
    await taken(store, opening(PNG))
    longer = PNG + b"more"
    assert (await taken(store, opening(longer))).key == f"{PREFIX}-{sha256(longer)[:12]}.png"


async def test_a_source_that_changes_while_it_is_read_twice_is_tried_again(store: ObjectStore) -> None:
    await taken(store, opening(PNG))
    versions = [OTHER_PNG, PNG + b"a third version", PNG + b"a third version"]
    with pytest.raises(SourceFailed):
        await taken(store, lambda: stream(versions.pop(0)))
    with pytest.raises(ObjectMissing):
        await store.head(f"{PREFIX}-{sha256(OTHER_PNG)[:12]}.png")


@pytest.mark.parametrize("size", [0, 9 * MIB])
async def test_a_file_that_is_too_large_is_not_stored(subject: Subject, size: int) -> None:
    body = PNG + bytes(size)
    with pytest.raises(OutputTooLarge):
        await taken(subject.store, opening(body, b"!"), max_bytes=len(body))
    with pytest.raises(ObjectMissing):
        await subject.store.head(f"{PREFIX}.png")
    assert (await taken(subject.store, opening(body), max_bytes=len(body))).size_bytes == len(body)


async def test_a_kind_that_is_not_allowed_is_not_stored(store: ObjectStore) -> None:
    with pytest.raises(OutputRejected, match="text/html") as rejected:
        await taken(store, opening(b"<html><script>alert(1)</script>"))
    assert rejected.value.extra == {"media_type": "text/html"}
    with pytest.raises(OutputRejected, match="empty"):
        await taken(store, opening(b"", b""), allowed=None)
    assert (await taken(store, opening(b"hello"), allowed=("image/*", "text/plain"))).key == f"{PREFIX}.txt"
    assert (await taken(store, opening(b"\0\1\2"), allowed=None)).key == f"{PREFIX}.bin"


async def test_a_source_that_breaks_leaves_nothing(store: ObjectStore) -> None:
    with pytest.raises(SourceFailed):
        await taken(store, lambda: failing(PNG, error=SourceFailed("cut off")))
    with pytest.raises(ObjectMissing):
        await store.head(f"{PREFIX}.png")
    assert (await taken(store, opening(PNG))).key == f"{PREFIX}.png"


async def test_the_source_is_closed_whatever_happens(store: ObjectStore) -> None:
    closed: list[str] = []

    async def source(*chunks: bytes) -> AsyncGenerator[bytes]:
        try:
            for chunk in chunks:
                yield chunk
        finally:
            closed.append("closed")

    await taken(store, lambda: source(PNG))
    await taken(store, lambda: source(OTHER_PNG))
    with pytest.raises(OutputRejected):
        await taken(store, lambda: source(b"text", b"more"))
    with pytest.raises(OutputTooLarge):
        await taken(store, lambda: source(PNG, PNG), max_bytes=100)
    assert len(closed) == 5


async def test_from_a_server_into_a_store_in_bounded_memory(subject: Subject) -> None:
    watched = Watched(64)

    async def answer(_: Request) -> AsyncGenerator[bytes]:
        yield response(headers={"content-type": "image/png"}).replace(
            b"content-length: 0", b"content-length: %d" % (64 * MIB + 8)
        )
        yield PNG[:8]
        async for piece in watched():
            yield piece

    async with serving(answer) as site, httpx.AsyncClient(trust_env=False) as client:
        source = HttpSource(client, [site.host])
        got = await taken(subject.store, lambda: source.stream(site.url))
    watched.look()
    assert (got.size_bytes, got.media_type) == (64 * MIB + 8, "image/png")
    assert subject.kind == "memory" or watched.grown_mib < 48


async def test_a_truncated_file_is_not_taken_for_a_whole_one(store: ObjectStore) -> None:
    async def answer(_: Request) -> AsyncGenerator[bytes]:
        yield response(PNG)[:-1]

    async with serving(answer) as site, httpx.AsyncClient(trust_env=False) as client:
        source = HttpSource(client, [site.host])
        with pytest.raises(SourceFailed):
            await taken(store, lambda: source.stream(site.url))
    with pytest.raises(ObjectMissing):
        await store.head(f"{PREFIX}.png")
