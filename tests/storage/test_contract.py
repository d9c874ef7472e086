"""What every adapter of the storage port must do; each test runs on memory, a folder and an S3 bucket."""

import asyncio
import hashlib
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from mutoscope.storage.base import ObjectExists, ObjectMissing, ObjectStore
from mutoscope.storage.keys import InvalidKey
from tests.servers.processes import DEADLINE_S
from tests.storage.conftest import Subject
from tests.storage.streams import MIB, Watched, collected, failing, stream, stuck

KEY = "acc_1/gen_1/0.png"
LARGE = 9  # MiB: beyond one part, so that S3 takes its other way


class SourceBroke(Exception):
    pass


async def test_what_was_put_is_read_back(store: ObjectStore) -> None:
    before = datetime.now(UTC) - timedelta(seconds=2)
    await store.put(KEY, stream(b"\x89PNG", b"", b" and the rest"), media_type="image/png")
    found = await store.head(KEY)
    assert (found.key, found.size_bytes) == (KEY, 17)
    assert found.media_type in {"image/png", None}
    assert before <= found.modified_at <= datetime.now(UTC) + timedelta(seconds=2)
    assert await collected(store.read(KEY)) == b"\x89PNG and the rest"


async def test_only_the_folder_forgets_the_media_type(subject: Subject) -> None:
    await subject.store.put(KEY, stream(b"x"), media_type="image/png")
    assert (await subject.store.head(KEY)).media_type == (None if subject.kind == "local" else "image/png")


async def test_an_empty_object_is_an_object(store: ObjectStore) -> None:
    await store.put(KEY, stream(), media_type="text/plain")
    assert (await store.head(KEY)).size_bytes == 0
    assert await collected(store.read(KEY)) == b""


async def test_what_is_not_there_is_missing(store: ObjectStore) -> None:
    with pytest.raises(ObjectMissing):
        await store.head(KEY)
    with pytest.raises(ObjectMissing):
        await collected(store.read(KEY))


async def test_deleting_removes_and_deleting_again_is_fine(store: ObjectStore) -> None:
    await store.delete(KEY)
    await store.put(KEY, stream(b"x"), media_type="text/plain")
    await store.delete(KEY)
    await store.delete(KEY)
    with pytest.raises(ObjectMissing):
        await store.head(KEY)
    await store.put(KEY, stream(b"again"), media_type="text/plain")
    assert await collected(store.read(KEY)) == b"again"


@pytest.mark.parametrize("size_mib", [0, LARGE])
async def test_a_key_is_written_once(store: ObjectStore, size_mib: int) -> None:
    first, second = b"first" + bytes(size_mib * MIB), b"second" + bytes(size_mib * MIB)
    await store.put(KEY, stream(first), media_type="video/mp4")
    with pytest.raises(ObjectExists):
        await store.put(KEY, stream(second), media_type="video/mp4")
    assert await collected(store.read(KEY)) == first


@pytest.mark.parametrize(("writers", "size_mib"), [(20, 0), (3, LARGE)])
async def test_of_many_writers_exactly_one_wins(store: ObjectStore, writers: int, size_mib: int) -> None:
    bodies = [f"writer {number}".encode() + bytes(size_mib * MIB) for number in range(writers)]
    puts = (store.put(KEY, stream(body), media_type="video/mp4") for body in bodies)
    outcomes = await asyncio.gather(*puts, return_exceptions=True)
    winners = [number for number, outcome in enumerate(outcomes) if outcome is None]
    assert len(winners) == 1
    assert all(isinstance(outcome, ObjectExists) for outcome in outcomes if outcome is not None)
    assert await collected(store.read(KEY)) == bodies[winners[0]]


@pytest.mark.parametrize("pieces", [0, 1, LARGE + 1])
async def test_a_source_that_fails_leaves_nothing_and_its_error_comes_through(store: ObjectStore, pieces: int) -> None:
    with pytest.raises(SourceBroke):
        await store.put(KEY, failing(*[bytes(MIB)] * pieces, error=SourceBroke()), media_type="video/mp4")
    with pytest.raises(ObjectMissing):
        await store.head(KEY)
    with pytest.raises(TimeoutError):
        await store.put(KEY, failing(*[bytes(MIB)] * pieces, error=TimeoutError()), media_type="video/mp4")
    await store.put(KEY, stream(b"later"), media_type="text/plain")


@pytest.mark.parametrize("pieces", [0, 1, LARGE + 9])
async def test_a_put_that_is_cancelled_leaves_nothing(subject: Subject, pieces: int) -> None:
    reached = asyncio.Event()
    source = stuck(*[bytes(MIB)] * pieces, reached=reached)
    putting = asyncio.ensure_future(subject.store.put(KEY, source, media_type="video/mp4"))
    await asyncio.wait_for(reached.wait(), DEADLINE_S)
    putting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await putting
    with pytest.raises(ObjectMissing):
        await subject.store.head(KEY)
    assert [path for path in subject.folder.rglob("*") if path.is_file()] == []
    await subject.store.put(KEY, stream(b"later"), media_type="text/plain")


async def test_a_large_object_goes_in_and_out_in_bounded_memory(subject: Subject) -> None:
    source = Watched(64)
    await subject.store.put(KEY, source(), media_type="video/mp4")
    source.look()
    came, total = hashlib.sha256(), 0
    async for chunk in subject.store.read(KEY):
        came.update(chunk)
        total += len(chunk)
        source.look()
    went = hashlib.sha256()
    async for chunk in source():
        went.update(chunk)
    assert (total, came.digest()) == (64 * MIB, went.digest())
    assert subject.kind == "memory" or source.grown_mib < 48


async def test_a_link_opens_the_object_and_nothing_else(store: ObjectStore) -> None:
    await store.put(KEY, stream(b"a picture"), media_type="image/png")
    link = await store.link(KEY, expires_s=60, media_type="image/png")
    async with httpx.AsyncClient(trust_env=False) as browser:
        answer = await browser.get(link)
        assert (answer.status_code, answer.content) == (200, b"a picture")
        assert answer.headers["content-type"] == "image/png"
        await store.put("acc_2/secret.png", stream(b"not yours"), media_type="image/png")
        assert (await browser.get(link.replace(KEY, "acc_2/secret.png"))).status_code == 403
        assert (await browser.get(link.partition("?")[0])).status_code == 403


async def test_a_link_ends(store: ObjectStore) -> None:
    await store.put(KEY, stream(b"a picture"), media_type="image/png")
    link = await store.link(KEY, expires_s=1, media_type="image/png")
    async with httpx.AsyncClient(trust_env=False) as browser, asyncio.timeout(DEADLINE_S):
        while (answer := await browser.get(link)).status_code == 200:
            await asyncio.sleep(0.1)
    assert answer.status_code == 403


async def test_what_a_browser_could_run_is_given_as_a_download(store: ObjectStore) -> None:
    await store.put("drawing.svg", stream(b"<svg/>"), media_type="image/svg+xml")
    link = await store.link("drawing.svg", expires_s=60, media_type="image/svg+xml")
    async with httpx.AsyncClient(trust_env=False) as browser:
        assert (await browser.get(link)).headers["content-disposition"] == "attachment"


ODD_KEYS = [
    *(
        "",
        "/",
        "/etc/passwd",
        "../secret",
        "a/../b",
        "a/./b",
        "a//b",
        "a/",
        ".hidden",
        ".staging/x",
        "a/.b",
        "a b",
        "a\\b",
    ),
    *("a?b", "a#b", "a%2fb", "a\0b", "a\nb", "ä", "-rf", "C:/x", "a" * 129, "a/" * 500 + "b"),
]


@pytest.mark.parametrize("key", ODD_KEYS)
async def test_odd_keys_are_refused(store: ObjectStore, key: str) -> None:
    for refused in (
        store.put(key, stream(b"x"), media_type="text/plain"),
        store.head(key),
        collected(store.read(key)),
        store.delete(key),
        store.link(key, expires_s=60, media_type="text/plain"),
    ):
        with pytest.raises(InvalidKey):
            await refused


async def test_a_good_store_passes_its_check_and_is_empty_after_it(subject: Subject) -> None:
    await subject.store.check()
    assert [path for path in subject.folder.rglob("*") if path.is_file()] == []
