"""Input files on their way: how many an input may name, who sends a copy, and which copies are used."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mutoscope.accounts.service import Accounts
from mutoscope.core.clock import ManualClock
from mutoscope.core.killpoints import NoKillPoints
from mutoscope.core.settings import UploadSettings
from mutoscope.db.engine import Database
from mutoscope.generations.copies import COPY_MARGIN, Claim, Copies, FileBusy
from mutoscope.generations.inputs import MAX_INLINE_BYTES, MAX_NAMED, InputFiles, TooManyFiles
from mutoscope.providers.base import FileCopy, ProviderDown
from mutoscope.providers.fake import FILE_LIFE, FakeProvider
from mutoscope.replicate_protocol.files import MAX_DATA_URL_BYTES
from mutoscope.storage.links import LinkSigner
from mutoscope.storage.memory import MemoryStore
from mutoscope.uploads.models import Upload
from mutoscope.uploads.service import Description, Uploads
from tests.storage.streams import stream

LARGE = bytes(256_001)


@dataclass
class Desk:
    """An account's files, a provider to send them to, and a clock."""

    clock: ManualClock
    inputs: InputFiles
    provider: FakeProvider
    account_id: str

    async def upload(self, data: bytes) -> Upload:
        async def describe() -> Description:
            return Description("a.bin")

        return await self.inputs.uploads.create(self.account_id, stream(data), describe)

    async def send(self, value: Any) -> Any:
        return (await self.inputs.to_send(self.account_id, {"value": value}, self.provider, run_s=60))["value"]

    async def check(self, value: Any) -> None:
        await self.inputs.check(self.account_id, {"value": value}, until=self.clock.now())

    async def claim(self, upload: Upload) -> Claim:
        claim = await self.inputs.copies.claim(upload.id, "fake")
        assert isinstance(claim, Claim)
        return claim


@pytest.fixture
async def desk(database: Database) -> Desk:
    clock = ManualClock(datetime(2026, 1, 1, tzinfo=UTC))
    store = MemoryStore(LinkSigner(b"a secret for these tests", "http://localhost"), clock=clock)
    uploads = Uploads(database, clock, store, UploadSettings())
    inputs = InputFiles(uploads, Copies(database, clock, NoKillPoints()), public_links=False)
    account = await Accounts(database, clock).create("ann")
    return Desk(clock, inputs, FakeProvider(clock, {}), account.id)


async def test_a_copy_whose_answer_was_lost_is_found_again(desk: Desk) -> None:
    assert await _after_a_lost_answer(desk, later=timedelta(0)) == "https://files.fake/0"
    assert len(desk.provider.files) == 1


async def test_a_copy_that_is_found_about_to_expire_is_not_used(desk: Desk) -> None:
    assert await _after_a_lost_answer(desk, later=FILE_LIFE - COPY_MARGIN) == "https://files.fake/1"
    assert len(desk.provider.files) == 2


async def _after_a_lost_answer(desk: Desk, *, later: timedelta) -> str:
    made = await desk.upload(LARGE)
    desk.provider.broken["send_file"] = ProviderDown("no answer")
    with pytest.raises(ProviderDown):
        await desk.send(made.id)
    del desk.provider.broken["send_file"]
    desk.clock.advance(later)
    return (await desk.send(made.id)).rpartition("/")[0]


async def test_one_whose_claim_was_taken_over_writes_nothing(desk: Desk) -> None:
    made, copies = await desk.upload(LARGE), desk.inputs.copies
    late = await desk.claim(made)
    desk.clock.advance(copies.claim_life)
    now = await desk.claim(made)
    assert (late.is_first, now.is_first) == (True, False)
    await copies.release(late)
    with pytest.raises(FileBusy):
        await copies.claim(made.id, "fake")
    with pytest.raises(FileBusy):
        await copies.renew(late)
    expires_at = desk.clock.now() + FILE_LIFE
    await copies.keep(late, FileCopy("https://late", expires_at))
    await copies.keep(now, FileCopy("https://now", expires_at))
    await copies.keep(late, FileCopy("https://late", expires_at))
    await copies.release(late)
    assert await copies.claim(made.id, "fake") == FileCopy("https://now", expires_at)


async def test_a_claim_that_is_renewed_is_not_taken_over(desk: Desk) -> None:
    made, copies = await desk.upload(LARGE), desk.inputs.copies
    claim = await desk.claim(made)
    for _ in range(3):
        desk.clock.advance(copies.claim_life * 0.8)
        await copies.renew(claim)
        with pytest.raises(FileBusy):
            await copies.claim(made.id, "fake")
    await copies.release(claim)
    assert (await desk.claim(made)).is_first is False


async def test_an_input_names_files_only_so_often(desk: Desk) -> None:
    made = await desk.upload(b"x")
    await desk.check([made.id] * MAX_NAMED)
    for count in (MAX_NAMED + 1, 30_000):
        with pytest.raises(TooManyFiles, match=str(count)):
            await desk.check([made.id] * count)


async def test_an_input_does_not_swell_to_more_than_can_be_sent(desk: Desk) -> None:
    """Each place that names a small file gets a data URI of its own; a copy is only named."""
    small, large = await desk.upload(bytes(MAX_DATA_URL_BYTES)), await desk.upload(bytes(MAX_DATA_URL_BYTES + 1))
    as_sent = len(await desk.send(small.id))
    most = MAX_INLINE_BYTES // as_sent
    await desk.check([small.id] * most + [large.id] * (MAX_NAMED - most))
    with pytest.raises(TooManyFiles, match="data URIs"):
        await desk.check({"one": [small.id] * most, "another": f"https://us.example/v1/files/{small.id}"})
