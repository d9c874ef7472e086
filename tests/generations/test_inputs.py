"""What a provider gets in place of uploaded files, in whichever form it fits, and that it gets each file once."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from mutoscope.core.errors import InvalidRequest
from mutoscope.core.ids import new_id
from mutoscope.generations.copies import COPY_MARGIN
from mutoscope.generations.models import Attempt, Generation
from mutoscope.generations.service import NewGeneration
from mutoscope.replicate_protocol.files import MAX_UPLOAD_BYTES
from mutoscope.uploads.models import ProviderFile, Upload
from mutoscope.uploads.service import Description, UnknownFile
from tests.storage.streams import stream
from tests.world import AUTH, RunnerProcess, World, until

LARGE = bytes(300_000)


async def upload(here: World, data: bytes) -> Upload:
    async def describe() -> Description:
        return Description("a.bin")

    return await here.runtime.uploads.create(here.account_id, stream(data), describe)


def ask(text: Any, **more: Any) -> NewGeneration:
    return NewGeneration("echo", {"text": text, "output": "number", **more})


async def run(here: World, new: NewGeneration) -> Generation:
    return await here.finish(await here.runtime.generations.create(here.account_id, new))


def sent(here: World, row: Generation) -> Mapping[str, Any]:
    """The input as the provider got it."""
    answer = httpx.get(f"{here.runner.url}/v1/predictions/{row.prediction_id}", headers=AUTH)
    return answer.raise_for_status().json()["input"]


def copies(here: World, upload_id: str) -> list[dict[str, Any]]:
    listed = httpx.get(f"{here.runner.url}/v1/files", headers=AUTH).raise_for_status().json()["results"]
    return [one for one in listed if upload_id in str(one["metadata"])]


@pytest.mark.parametrize(("size", "form"), [(1, "data:"), (256_000, "data:"), (256_001, "http"), (300_000, "http")])
async def test_a_file_is_sent_in_the_form_that_fits(here: World, size: int, form: str) -> None:
    data = b"\x00" * size
    row = await run(here, ask((await upload(here, data)).id))
    assert row.status == "completed", row.failure_detail
    text = sent(here, row)["text"]
    assert text.startswith(form)
    if form == "http":
        made = await here.runtime.uploads.get(here.account_id, row.input["text"])
        (copy,) = copies(here, made.id)
        assert (copy["urls"]["get"], copy["size"], copy["checksums"]["sha256"]) == (text, size, made.sha256)
    assert await here.audit() == []


async def test_a_file_is_sent_once_however_many_use_it(here: World) -> None:
    made = await upload(here, LARGE)
    rows = [await here.runtime.generations.create(here.account_id, ask(made.id, seconds=n / 10)) for n in range(6)]
    for row in rows:
        assert (await here.finish(row)).status == "completed"
    assert len(copies(here, made.id)) == 1
    assert len({sent(here, await here.finish(row))["text"] for row in rows}) == 1


async def test_a_copy_that_is_about_to_expire_is_made_again(here: World) -> None:
    made = await upload(here, LARGE)
    await run(here, ask(made.id))
    soon = here.runtime.clock.now() + COPY_MARGIN - timedelta(seconds=1)
    async with here.runtime.database.write() as session:
        (await session.get_one(ProviderFile, (made.id, "replicate"))).expires_at = soon
    await run(here, ask(made.id, seconds=0.1))
    async with here.runtime.database.read() as session:
        assert (await session.get_one(ProviderFile, (made.id, "replicate"))).expires_at != soon


async def test_a_retry_sends_the_same_again(here: World, runner: RunnerProcess) -> None:
    made = await upload(here, LARGE)
    runner.plan({"do": {"preempt": True}, "when": {"model": "mutoscope/echo"}, "count": 1})
    row = await run(here, ask(made.id))
    assert (row.status, row.attempt) == ("completed", 2)
    assert len(copies(here, made.id)) == 1


@pytest.mark.parametrize("size", [10, 300_000])
async def test_a_prediction_whose_answer_was_lost_is_known_by_what_was_sent(
    here: World, runner: RunnerProcess, size: int
) -> None:
    """Without webhooks only the list is left, and it shows the input in another form than its user wrote it."""
    made = await upload(here, bytes(size))
    runner.plan({"do": {"accept_then_drop": True}, "when": {"model": "mutoscope/echo"}, "count": 1})
    row = await run(here, ask(made.id, seconds=0.2))
    assert (row.status, row.attempt) == ("completed", 1)
    async with here.runtime.database.read() as session:
        (attempt,) = (await session.scalars(select(Attempt).where(Attempt.generation_id == row.id))).all()
    assert attempt.sent_sha256 not in (None, row.input_sha256)
    assert attempt.reason, "it was in doubt"


async def test_a_file_that_goes_before_it_is_sent_costs_nothing(here: World, runner: RunnerProcess) -> None:
    made = await upload(here, LARGE)
    runner.plan({"do": {"create_429": 1}, "when": {"model": "mutoscope/echo"}, "count": 1})
    row = await here.runtime.generations.create(here.account_id, ask(made.id))
    await until(lambda: _was_throttled(here, row))
    await here.runtime.uploads.delete(here.account_id, made.id)
    ended = await here.finish(row)
    assert (ended.status, ended.failure_code) == ("failed", "input_file_lost")
    assert await here.balance() == (1000, 0, 0)
    assert await here.audit() == []


async def _was_throttled(here: World, row: Generation) -> bool:
    return (await here.runtime.generations.get(here.account_id, row.id)).attempt == 1


async def test_nobody_elses_file_and_no_unknown_one(here: World) -> None:
    other = await here.runtime.accounts.create("somebody else")
    made = await upload(here, b"mine")
    for account_id, text in ((other.id, made.id), (here.account_id, new_id("file"))):
        with pytest.raises(UnknownFile):
            await here.runtime.generations.create(account_id, ask(text))
    assert await here.balance() == (1000, 0, 0)


async def test_without_a_public_address_a_file_above_the_providers_limit_is_refused(here: World) -> None:
    made = await upload(here, b"x")
    async with here.runtime.database.write() as session:
        (await session.get_one(Upload, made.id)).size_bytes = MAX_UPLOAD_BYTES + 1
    with pytest.raises(InvalidRequest, match="MUTOSCOPE_PUBLIC_URL"):
        await here.runtime.generations.create(here.account_id, ask(made.id))
    assert await here.balance() == (1000, 0, 0)


async def test_a_waiting_generation_keeps_its_file_alive(here: World) -> None:
    made = await upload(here, b"x")
    needed = here.runtime.settings.models["echo"]
    await run(here, ask(made.id))
    kept = await here.runtime.uploads.get(here.account_id, made.id)
    assert kept.expires_at >= made.created_at + timedelta(seconds=needed.queue_timeout_s + needed.run_timeout_s)
