"""An account's files on both databases: whole or not at all, its own only, and gone with their bytes."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mutoscope.accounts.service import Accounts
from mutoscope.core.clock import ManualClock
from mutoscope.core.errors import InvalidRequest, NotFound
from mutoscope.core.ids import new_id
from mutoscope.core.settings import UploadSettings
from mutoscope.db.engine import Database
from mutoscope.storage.base import ObjectMissing, StorageError
from mutoscope.storage.links import LinkSigner
from mutoscope.storage.memory import MemoryStore
from mutoscope.uploads.models import Upload
from mutoscope.uploads.removal import AGAIN_AFTER, MAX_FAILURES
from mutoscope.uploads.service import WRITING_LIFE, Description, FileTooLarge, UnknownFile, Uploads, UploadsFull
from tests.storage.streams import collected, failing, stream, stuck

PNG = b"\x89PNG\r\n\x1a\n" + bytes(5000)
DAY = 86_400
LIMIT = 10_000


class MovingStore(MemoryStore):
    """A store in memory whose deletes can be made to fail, all of them or those of some keys."""

    broken = False
    stubborn: frozenset[str] = frozenset()
    deletes = 0

    async def delete(self, key: str) -> None:
        self.deletes += 1
        if self.broken or key in self.stubborn:
            raise StorageError("The store is down.")
        await super().delete(key)


class Shelf:
    """The service, two accounts, and what is in the store."""

    def __init__(self, database: Database, ann: str, bob: str) -> None:
        self.clock = ManualClock(datetime(2026, 1, 1, tzinfo=UTC))
        self.store = MovingStore(LinkSigner(b"a secret for these tests", "http://localhost"), clock=self.clock)
        settings = UploadSettings(max_bytes=LIMIT, max_account_bytes=3 * LIMIT, max_account_files=9, keep_s=DAY)
        self.uploads = Uploads(database, self.clock, self.store, settings)
        self.ann, self.bob = ann, bob

    async def put(self, *chunks: bytes, name: str = "cat.png", **metadata: Any) -> Upload:
        return await self.uploads.create(self.ann, stream(*chunks), about(name, **metadata))

    @property
    def keys(self) -> list[str]:
        return list(self.store._objects)


def about(name: str = "cat.png", **metadata: Any) -> Any:
    async def describe() -> Description:
        return Description(name, metadata)

    return describe


@pytest.fixture
async def shelf(database: Database) -> Shelf:
    accounts = Accounts(database, ManualClock(datetime(2026, 1, 1, tzinfo=UTC)))
    ann, bob = await accounts.create("ann"), await accounts.create("bob")
    return Shelf(database, ann.id, bob.id)


async def test_a_file_is_kept_as_what_its_bytes_say(shelf: Shelf) -> None:
    made = await shelf.put(PNG[:3], b"", PNG[3:], name="holiday.txt", order=7)
    found = await shelf.uploads.get(shelf.ann, made.id)
    assert (found.name, found.media_type, found.size_bytes) == ("holiday.txt", "image/png", len(PNG))
    assert (found.sha256, found.metadata_) == (hashlib.sha256(PNG).hexdigest(), {"order": 7})
    assert found.expires_at == shelf.clock.now() + timedelta(seconds=DAY)
    assert found.key == f"uploads/{shelf.ann}/{made.id}.png"
    assert await collected(shelf.store.read(found.key)) == PNG
    assert found.key in await shelf.uploads.link(found, expires_s=60)


async def test_nobody_elses_file_is_there(shelf: Shelf) -> None:
    made = await shelf.put(PNG)
    for call in (shelf.uploads.get(shelf.bob, made.id), shelf.uploads.delete(shelf.bob, made.id)):
        with pytest.raises(NotFound):
            await call
    with pytest.raises(UnknownFile, match=made.id):
        await shelf.uploads.require(shelf.bob, [made.id], until=shelf.clock.now())
    assert await shelf.uploads.page(shelf.bob, limit=10) == []
    assert (await shelf.uploads.get(shelf.ann, made.id)).state == "ready"


async def test_the_newest_come_first_page_by_page(shelf: Shelf) -> None:
    made = [(await shelf.put(b"file %d" % n)).id for n in range(5)]
    first = await shelf.uploads.page(shelf.ann, limit=3)
    rest = await shelf.uploads.page(shelf.ann, limit=3, before=first[-1].id)
    assert [one.id for one in (*first, *rest)] == made[::-1]


@pytest.mark.parametrize("bytes_over", [0, 1, LIMIT])
async def test_the_limit_is_exact(shelf: Shelf, bytes_over: int) -> None:
    chunks = [bytes(1000)] * (LIMIT // 1000) + [bytes(bytes_over)]
    if not bytes_over:
        assert (await shelf.put(*chunks)).size_bytes == LIMIT
        return
    with pytest.raises(FileTooLarge):
        await shelf.put(*chunks)
    await nothing_is_left(shelf)


async def nothing_is_left(shelf: Shelf) -> None:
    """Neither for people, nor, once the chore has run, in the store and the database."""
    assert await shelf.uploads.page(shelf.ann, limit=10) == []
    await shelf.uploads.remove_old()
    assert shelf.keys == []
    async with shelf.uploads.database.read() as session:
        assert (await session.scalars(Upload.__table__.select())).all() == []


async def test_an_empty_file_is_refused(shelf: Shelf) -> None:
    with pytest.raises(InvalidRequest, match="empty"):
        await shelf.put(b"", b"")
    await nothing_is_left(shelf)


async def test_a_body_that_breaks_off_leaves_nothing(shelf: Shelf) -> None:
    for source in (failing(PNG, error=OSError("gone")), failing(error=OSError("gone"))):
        with pytest.raises(OSError, match="gone"):
            await shelf.uploads.create(shelf.ann, source, about())
    await nothing_is_left(shelf)


async def test_a_description_that_cannot_be_taken_leaves_nothing(shelf: Shelf) -> None:
    async def describe() -> Description:
        raise InvalidRequest("no")

    with pytest.raises(InvalidRequest):
        await shelf.uploads.create(shelf.ann, stream(PNG), describe)
    await nothing_is_left(shelf)


async def test_a_cancelled_upload_leaves_nothing(shelf: Shelf) -> None:
    reached = asyncio.Event()
    task = asyncio.create_task(shelf.uploads.create(shelf.ann, stuck(PNG, reached=reached), about()))
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await nothing_is_left(shelf)


async def test_an_account_cannot_fill_the_store(shelf: Shelf) -> None:
    for _ in range(3):
        await shelf.put(bytes(LIMIT))
    with pytest.raises(UploadsFull):
        await shelf.put(b"one more")
    other = await shelf.uploads.create(shelf.bob, stream(b"his own"), about())
    assert other.account_id == shelf.bob


async def test_an_account_cannot_keep_files_without_number(shelf: Shelf) -> None:
    made = [await shelf.put(b"%d" % n) for n in range(9)]
    with pytest.raises(UploadsFull, match="9 files"):
        await shelf.put(b"one more")
    assert (await shelf.uploads.create(shelf.bob, stream(b"his own"), about())).account_id == shelf.bob
    await shelf.uploads.delete(shelf.ann, made[0].id)
    await shelf.put(b"one in its place")


async def test_a_deleted_file_is_gone_with_its_bytes(shelf: Shelf) -> None:
    kept, made = await shelf.put(b"kept"), await shelf.put(PNG)
    await shelf.uploads.delete(shelf.ann, made.id)
    with pytest.raises(NotFound):
        await shelf.uploads.delete(shelf.ann, made.id)
    assert shelf.keys == [kept.key]


async def test_a_delete_that_is_cut_off_is_finished_by_the_chore(shelf: Shelf) -> None:
    made = await shelf.put(PNG)
    shelf.store.broken = True
    with pytest.raises(StorageError):
        await shelf.uploads.delete(shelf.ann, made.id)
    with pytest.raises(NotFound):
        await shelf.uploads.get(shelf.ann, made.id)
    assert shelf.keys == [made.key]
    shelf.store.broken = False
    shelf.clock.advance(AGAIN_AFTER)
    await nothing_is_left(shelf)


async def test_what_has_expired_is_not_there_and_then_removed(shelf: Shelf) -> None:
    made = await shelf.put(PNG)
    shelf.clock.advance(timedelta(seconds=DAY))
    with pytest.raises(NotFound):
        await shelf.uploads.get(shelf.ann, made.id)
    await shelf.uploads.remove_old()
    with pytest.raises(ObjectMissing):
        await shelf.store.head(made.key)
    await nothing_is_left(shelf)


async def test_a_file_that_is_waited_for_lives_longer_and_never_shorter(shelf: Shelf) -> None:
    made = await shelf.put(PNG)
    later, sooner = shelf.clock.now() + timedelta(days=3), shelf.clock.now() + timedelta(minutes=1)
    for until in (later, sooner):
        (found,) = await shelf.uploads.require(shelf.ann, [made.id], until=until)
        assert found.expires_at == later
    shelf.clock.advance(timedelta(days=2))
    await shelf.uploads.remove_old()
    assert (await shelf.uploads.get(shelf.ann, made.id)).key in shelf.keys


async def test_one_unknown_file_prolongs_nothing(shelf: Shelf) -> None:
    made = await shelf.put(PNG)
    with pytest.raises(UnknownFile):
        await shelf.uploads.require(shelf.ann, [made.id, new_id("file")], until=shelf.clock.now() + timedelta(days=9))
    assert (await shelf.uploads.get(shelf.ann, made.id)).expires_at == made.expires_at


async def test_what_a_crash_left_half_written_is_removed(shelf: Shelf) -> None:
    """A process that dies while it writes leaves a row and perhaps the bytes."""
    reached = asyncio.Event()
    task = asyncio.create_task(shelf.uploads.create(shelf.ann, stuck(PNG, reached=reached), about()))
    await reached.wait()  # the row is written; the process is as good as dead
    async with shelf.uploads.database.read() as session:
        (row,) = (await session.scalars(Upload.__table__.select())).all()
    shelf.clock.advance(WRITING_LIFE + timedelta(seconds=1))
    await shelf.uploads.remove_old()
    async with shelf.uploads.database.read() as session:
        assert (await session.scalars(Upload.__table__.select())).all() == [], row
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_bytes_that_come_after_their_row_was_given_up_are_removed(shelf: Shelf) -> None:
    async def late() -> AsyncGenerator[bytes]:
        yield PNG
        shelf.clock.advance(WRITING_LIFE + timedelta(seconds=1))
        await shelf.uploads.remove_old()
        yield b"the end"

    with pytest.raises(NotFound, match="too long"):
        await shelf.uploads.create(shelf.ann, late(), about())
    await nothing_is_left(shelf)


async def test_a_file_that_cannot_be_removed_keeps_no_other_waiting(
    shelf: Shelf, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = await shelf.put(PNG), await shelf.put(PNG)
    shelf.store.stubborn = frozenset({first.key})
    shelf.clock.advance(timedelta(seconds=DAY))
    await shelf.uploads.remove_old()
    assert shelf.keys == [first.key], second.key
    assert first.id in caplog.text
    shelf.store.stubborn = frozenset()
    await shelf.uploads.remove_old()
    assert shelf.keys == [first.key], "it is put off"
    shelf.clock.advance(AGAIN_AFTER)
    await nothing_is_left(shelf)


async def test_a_store_that_is_down_is_not_asked_for_every_file(shelf: Shelf) -> None:
    made = [await shelf.put(b"%d" % n) for n in range(MAX_FAILURES + 2)]
    shelf.store.broken = True
    shelf.clock.advance(timedelta(seconds=DAY))
    await shelf.uploads.remove_old()
    assert (shelf.store.deletes, len(shelf.keys)) == (MAX_FAILURES, len(made))
    shelf.store.broken = False
    await shelf.uploads.remove_old()
    assert len(shelf.keys) == MAX_FAILURES, "the others come first next time"
    shelf.clock.advance(AGAIN_AFTER)
    await nothing_is_left(shelf)
