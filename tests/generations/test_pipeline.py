"""The whole path of a generation against a real runner, on both databases, without webhooks."""

import asyncio
from typing import Any

import pytest

from mutoscope.core.errors import MutoscopeError, NotFound
from mutoscope.generations.service import IdempotencyConflict, NewGeneration
from mutoscope.ledger.errors import InsufficientCredits
from tests.world import PRICE, World, grant, until


async def test_a_generation_is_charged_run_stored_and_completed(here: World) -> None:
    row = await here.run("a picture", seconds=0.3)
    assert (row.status, row.charged_credits) == ("completed", PRICE)
    assert row.output == {"$file": 0}
    (file,) = (await here.runtime.generations.files([row.id]))[row.id]
    assert file.media_type == "image/png"
    assert (await here.runtime.store.head(file.key)).size_bytes == file.size_bytes
    assert await here.balance() == (1000 - PRICE, 0, PRICE)
    assert await here.audit() == []


async def test_a_failure_gives_the_credits_back(here: World) -> None:
    row = await here.run("a failure", fail="list index out of range")
    assert (row.status, row.failure_code, row.charged_credits) == ("failed", "provider_failed", 0)
    assert row.failure_detail == "list index out of range"
    assert await here.balance() == (1000, 0, 0)
    assert await here.audit() == []


async def test_a_cancel_while_running_ends_it_at_the_provider(here: World) -> None:
    row = await here.make("to be canceled", seconds=60)

    async def is_running() -> bool:
        return (await here.runtime.generations.get(here.account_id, row.id)).prediction_status == "processing"

    await until(is_running)
    await here.runtime.generations.cancel(here.account_id, row.id)
    ended = await here.finish(row)
    assert (ended.status, ended.failure_code, ended.charged_credits) == ("canceled", "canceled_by_user", 0)
    assert {p["status"] for p in here.runner.predictions("to be canceled")} <= {"canceled"}
    assert await here.audit() == []


async def test_fifty_at_once_on_a_balance_for_seven(here: World) -> None:
    account = await here.runtime.accounts.create("poor")

    await grant(here.runtime, account.id, 7 * PRICE + 1)

    async def attempt(number: int) -> str:
        try:
            new = NewGeneration("echo", {"text": f"race {number}", "output": "text"})
            return (await here.runtime.generations.create(account.id, new)).id
        except InsufficientCredits as error:
            assert error.extra["needed"] == PRICE
            return "refused"

    answers = await asyncio.gather(*(attempt(number) for number in range(50)))
    assert answers.count("refused") == 43
    for generation_id in set(answers) - {"refused"}:
        assert (await here.runtime.generations.wait(account.id, generation_id, timeout_s=30)).status == "completed"
    assert await here.audit() == []


async def test_the_same_key_at_once_with_credits_for_one_is_one_generation(here: World) -> None:
    account = await here.runtime.accounts.create("thrifty")
    await grant(here.runtime, account.id, PRICE)
    new = NewGeneration("echo", {"text": "once only", "output": "text"}, idempotency_key="key-1")
    rows = await asyncio.gather(*(here.runtime.generations.create(account.id, new) for _ in range(10)))
    assert len({row.id for row in rows}) == 1


async def test_the_same_key_is_the_same_generation(here: World) -> None:
    rows = await asyncio.gather(*(here.make("once", key="key-1") for _ in range(20)))
    assert len({row.id for row in rows}) == 1
    assert (await here.balance())[1] <= PRICE
    ended = await here.finish(rows[0])
    again = await here.make("once", key="key-1")
    assert (again.id, again.status) == (ended.id, "completed")
    assert await here.balance() == (1000 - PRICE, 0, PRICE)
    with pytest.raises(IdempotencyConflict):
        await here.make("something else", key="key-1")
    assert await here.audit() == []


@pytest.mark.parametrize("inputs", [{"seconds": "many"}, {"output": "no such kind"}, {"nonsense": 1}, {"seconds": -1}])
async def test_a_wrong_input_costs_nothing(here: World, inputs: dict[str, Any]) -> None:
    with pytest.raises(MutoscopeError) as caught:
        await here.make("wrong", **inputs)
    assert caught.value.status == 422
    assert await here.balance() == (1000, 0, 0)


async def test_nothing_of_another_account_can_be_read_or_canceled(here: World) -> None:
    row = await here.make("mine", seconds=1)
    other = await here.runtime.accounts.create("other")
    with pytest.raises(NotFound):
        await here.runtime.generations.get(other.id, row.id)
    with pytest.raises(NotFound):
        await here.runtime.generations.cancel(other.id, row.id)
    assert (await here.finish(row)).status == "completed"
