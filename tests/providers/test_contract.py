"""What every provider must do: the fake, and Replicate's adapter against a real runner."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest

from mutoscope.core.errors import InvalidRequest
from mutoscope.core.ids import new_id
from mutoscope.providers.base import (
    AnswerLost,
    CreateRefused,
    FileToSend,
    Prediction,
    PredictionMissing,
    PredictionRequest,
    Throttled,
)
from mutoscope.replicate_protocol.webhooks import InvalidSignature, new_webhook_secret, sign
from mutoscope.storage.base import StorageError
from tests.providers.benches import RETRY_AFTER_S, Bench, request
from tests.storage.streams import failing, stream

KINDS = ["official", "version", "bare version", "deployment"]
LONG_S = 50


@pytest.fixture
def text() -> str:
    """Says which predictions are this test's."""
    return new_id("text")


async def listed(bench: Bench, text: str, since_s: float = 60) -> list[Prediction]:
    since = bench.now() - timedelta(seconds=since_s)
    return [one async for one in bench.provider.recent(since) if one.input.get("text") == text]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_prediction_is_made_and_ends(bench: Bench, kind: str, text: str) -> None:
    made = await bench.provider.create(request(bench.references[kind], text))
    assert made.input["text"] == text
    assert made.deadline
    assert abs(made.deadline - made.created_at - timedelta(seconds=60)) < timedelta(seconds=1)
    assert (made.deployment == "mutoscope/echo") == (kind == "deployment")
    ended = await bench.ended(made)
    assert (ended.id, ended.status, ended.output) == (made.id, "succeeded", text)
    assert ended.predict_time_s is not None


@pytest.mark.parametrize("kind", ["official", "version", "deployment"])  # a bare version does not say whose it is
async def test_the_schema_of_what_would_run(bench: Bench, kind: str) -> None:
    document = await bench.provider.openapi_schema(bench.references[kind])
    assert document["components"]["schemas"]["Input"]["type"] == "object"


@pytest.mark.parametrize("reference", ["mutoscope/nobody", "f" * 64, "deployments/mutoscope/nobody"])
async def test_what_is_not_there_is_refused(bench: Bench, reference: str, text: str) -> None:
    with pytest.raises(CreateRefused):
        await bench.provider.create(request(reference, text))
    with pytest.raises(CreateRefused):
        await bench.provider.openapi_schema(reference)
    assert await listed(bench, text) == []


async def test_an_unknown_prediction_is_missing(bench: Bench) -> None:
    with pytest.raises(PredictionMissing):
        await bench.provider.get("nobodyknowsthisone")
    with pytest.raises(PredictionMissing):
        await bench.provider.cancel("nobodyknowsthisone")


async def test_a_cancel_ends_it_and_changes_no_end(bench: Bench, text: str) -> None:
    running = await bench.provider.create(request(bench.references["official"], text, seconds=LONG_S))
    assert (await bench.provider.cancel(running.id)).status == "canceled"
    assert (await bench.provider.cancel(running.id)).status == "canceled"
    assert (await bench.provider.get(running.id)).status == "canceled"
    finished = await bench.ended(await bench.provider.create(request(bench.references["official"], text)))
    assert (await bench.provider.cancel(finished.id)).status == "succeeded"


async def test_a_lost_cancel_is_seen_to_be_lost(bench: Bench, text: str) -> None:
    bench.fault("cancel lost")
    running = await bench.provider.create(request(bench.references["official"], text, seconds=LONG_S))
    assert not (await bench.provider.cancel(running.id)).terminal
    assert not (await bench.provider.get(running.id)).terminal


async def test_the_list_has_the_newest_first_and_nothing_older(bench: Bench, text: str) -> None:
    webhook = "https://us.example/callbacks/replicate?ref=ref_1"
    made = [await bench.provider.create(request(bench.references["official"], text, webhook=webhook)) for _ in range(3)]
    found = await listed(bench, text)
    assert [one.id for one in found] == [one.id for one in reversed(made)]
    assert {one.webhook for one in found} == {webhook}
    assert await listed(bench, text, since_s=-60) == []


async def test_an_empty_list(bench: Bench, text: str) -> None:
    bench.fault("list empty")
    await bench.provider.create(request(bench.references["official"], text))
    assert await listed(bench, text) == []


@pytest.mark.parametrize(("fault", "made"), [("answer lost, made", 1), ("answer lost, not made", 0)])
async def test_a_lost_answer_says_that_it_may_have_been_made(bench: Bench, fault: str, made: int, text: str) -> None:
    bench.fault(fault)  # type: ignore[arg-type]
    with pytest.raises(AnswerLost):
        await bench.provider.create(request(bench.references["official"], text))
    assert len(await listed(bench, text)) == made


async def test_throttled_makes_nothing_and_says_for_how_long(bench: Bench, text: str) -> None:
    bench.fault("throttled")
    with pytest.raises(Throttled) as throttled:
        await bench.provider.create(request(bench.references["official"], text))
    assert throttled.value.retry_after_s == RETRY_AFTER_S
    assert await listed(bench, text) == []
    assert (await bench.provider.create(request(bench.references["official"], text))).id


@pytest.mark.slow
async def test_cancel_after_ends_what_runs_too_long(bench: Bench, text: str) -> None:
    asked = request(bench.references["official"], text, seconds=LONG_S, cancel_after_s=5)
    made = await bench.provider.create(asked)
    await bench.pass_deadline(made)
    assert (await bench.provider.get(made.id)).status == "canceled"


# Webhooks.


def signed(bench: Bench, body: bytes, age_s: float = 0, secret: str | None = None) -> dict[str, str]:
    timestamp = int(bench.now().timestamp() - age_s)
    return {
        "Webhook-Id": "msg_1",
        "Webhook-Timestamp": str(timestamp),
        "Webhook-Signature": sign(secret or bench.secret, "msg_1", timestamp, body),
    }


async def test_a_webhook_that_is_signed_is_read(bench: Bench, text: str) -> None:
    made = await bench.provider.create(request(bench.references["official"], text))
    body = made.model_dump_json().encode()
    message = bench.provider.read_webhook(signed(bench, body), body, now=bench.now())
    assert (message.message_id, message.prediction.id) == ("msg_1", made.id)


BODY = json.dumps({"id": "p", "status": "succeeded", "created_at": "2026-01-01T00:00:00Z"}).encode()
FORGERIES: dict[str, Callable[[Bench], tuple[dict[str, str], bytes]]] = {
    "another secret": lambda bench: (signed(bench, BODY, secret=new_webhook_secret()), BODY),
    "another body": lambda bench: (signed(bench, BODY), BODY.replace(b"succeeded", b"failed")),
    "old": lambda bench: (signed(bench, BODY, age_s=302), BODY),
    "from the future": lambda bench: (signed(bench, BODY, age_s=-302), BODY),
    "another time": lambda bench: (
        signed(bench, BODY) | {"Webhook-Timestamp": str(int(bench.now().timestamp()) - 9)},
        BODY,
    ),
    "another id": lambda bench: (signed(bench, BODY) | {"Webhook-Id": "msg_2"}, BODY),
    "no signature": lambda bench: (signed(bench, BODY) | {"Webhook-Signature": ""}, BODY),
    "no headers": lambda _: ({}, BODY),
}


@pytest.mark.parametrize("how", list(FORGERIES))
async def test_a_forged_or_old_webhook_is_refused(bench: Bench, how: str) -> None:
    headers, body = FORGERIES[how](bench)
    with pytest.raises(InvalidSignature):
        bench.provider.read_webhook(headers, body, now=bench.now())
    assert bench.provider.read_webhook(signed(bench, BODY), BODY, now=bench.now()).prediction.id == "p"


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"id": "p"}', b"\xff\xfe"])
async def test_a_signed_webhook_that_is_no_prediction_is_refused(bench: Bench, body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        bench.provider.read_webhook(signed(bench, body), body, now=bench.now())


def file_of(data: bytes, ref: str) -> FileToSend:
    return FileToSend(ref, 'a "cat".bin', "application/octet-stream", len(data), stream(data[:7], data[7:]))


@pytest.mark.parametrize("size", [1, 7, 2_000_000])
async def test_a_file_is_sent_whole_and_found_again_by_our_id(bench: Bench, text: str, size: int) -> None:
    data = b"x" * size
    assert await bench.provider.find_file(text) is None
    copy = await bench.provider.send_file(file_of(data, text))
    assert copy.expires_at > bench.now()
    assert await bench.provider.find_file(text) == copy
    assert await bench.hash_of(copy) == sha256(data).hexdigest()
    again = await bench.provider.send_file(file_of(data, text))
    assert again.url != copy.url
    assert await bench.provider.find_file(text) == again, "the newest copy lives longest"


async def test_a_file_whose_source_breaks_is_not_kept(bench: Bench, text: str) -> None:
    broken = FileToSend(text, "a", "text/plain", 100, failing(b"half of", error=StorageError("down")))
    with pytest.raises(StorageError):
        await bench.provider.send_file(broken)
    assert await bench.provider.find_file(text) is None


def a_training(bench: Bench, text: str, **more: Any) -> PredictionRequest:
    return bench.training(f"data:text/plain,red%20fox%20{text}", **more)


async def test_a_training_is_a_run_of_its_own_kind(bench: Bench, text: str) -> None:
    trainings = bench.provider.of("training")
    webhook = "https://us.example/callbacks/replicate?ref=ref_1"
    made = await trainings.create(a_training(bench, text, webhook=webhook))
    assert not made.terminal
    assert (await trainings.get(made.id)).id == made.id
    assert (await trainings.cancel(made.id)).status == "canceled"
    since = bench.now() - timedelta(seconds=60)
    found = [one async for one in trainings.recent(since) if text in str(one.input)]
    assert [(one.id, one.webhook) for one in found] == [(made.id, webhook)]
    assert [one.id async for one in bench.provider.recent(since) if one.id == made.id] == []
    with pytest.raises(PredictionMissing):
        await bench.provider.get(made.id)


async def test_a_prediction_is_no_training(bench: Bench, text: str) -> None:
    made = await bench.provider.create(request(bench.references["official"], text))
    for call in (bench.provider.of("training").get, bench.provider.of("training").cancel):
        with pytest.raises(PredictionMissing):
            await call(made.id)
    assert bench.provider.of("training").of("prediction").name == bench.provider.name
    assert (await bench.provider.of("training").of("prediction").get(made.id)).id == made.id


async def test_a_training_into_nowhere_is_refused(bench: Bench, text: str) -> None:
    with pytest.raises(CreateRefused):
        await bench.provider.of("training").create(replace(a_training(bench, text), destination="local/none"))
