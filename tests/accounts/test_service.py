"""Accounts, keys and who a key is, on both databases."""

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from mutoscope.accounts.keys import make_key
from mutoscope.accounts.principal import Principal
from mutoscope.accounts.service import Accounts
from mutoscope.core.clock import ManualClock
from mutoscope.core.errors import Forbidden, InvalidRequest, NotFound, Unauthenticated, Unavailable
from mutoscope.db import Database


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2026, 1, 1, tzinfo=UTC))


@pytest.fixture
def accounts(database: Database, clock: ManualClock) -> Accounts:
    return Accounts(database, clock)


async def test_an_account_is_made_once_per_external_id(accounts: Accounts) -> None:
    first = await accounts.create("user-1", name="Ann", priority=2, max_in_flight=3, metadata={"plan": "pro"})
    again = await accounts.create("user-1", name="Somebody else")
    assert (again.id, again.name, again.priority, again.max_in_flight) == (first.id, "Ann", 2, 3)
    assert again.metadata_ == {"plan": "pro"}
    assert (await accounts.get(first.id)).external_id == "user-1"
    assert (await accounts.get("user-1")).id == first.id


async def test_an_account_made_by_many_at_once_is_one(accounts: Accounts) -> None:
    made = await asyncio.gather(*(accounts.create("user-1") for _ in range(12)))
    assert len({account.id for account in made}) == 1
    assert len(await accounts.list()) == 1


async def test_an_external_id_that_looks_like_an_id_does_not_hide_the_account(
    accounts: Accounts, database: Database
) -> None:
    victim, other = await accounts.create("user-1"), await accounts.create("user-2")
    with pytest.raises(InvalidRequest, match="acct_"):
        await accounts.create(victim.id)
    async with database.write() as session:  # not even by hand
        await session.execute(
            text("UPDATE accounts SET external_id = :it WHERE id = :id"), {"it": victim.id, "id": other.id}
        )
    assert (await accounts.get(victim.id)).external_id == "user-1"


@pytest.mark.parametrize(
    "terms",
    [
        {"external_id": ""}, {"external_id": "x" * 256}, {"external_id": "a\0b"}, {"external_id": "acct_1"},
        {"external_id": " a"}, {"external_id": "a\u00a0"}, {"external_id": "a/b"}, {"external_id": ".."},
        {"name": ""}, {"name": "\n"},
        {"metadata": {"a": "\0"}}, {"metadata": {"a": float("nan")}}, {"metadata": {"a": "x" * 20_000}},
    ],
)  # fmt: skip
async def test_what_cannot_be_kept_is_refused(accounts: Accounts, terms: dict[str, Any]) -> None:
    asked: dict[str, Any] = {"external_id": "user-1"} | terms
    with pytest.raises(InvalidRequest):
        await accounts.create(**asked)
    assert await accounts.list() == []


async def test_accounts_come_in_pages(accounts: Accounts) -> None:
    made = sorted([(await accounts.create(f"user-{number}")).id for number in range(5)])
    first = await accounts.list(limit=3)
    rest = await accounts.list(after=first[-1].id, limit=3)
    assert [one.id for one in [*first, *rest]] == made


@pytest.mark.parametrize("name", ["nobody", "acct_none", "", "a\0b", "x" * 300])
async def test_nobody_is_not_found(accounts: Accounts, name: str) -> None:
    with pytest.raises(NotFound):
        await accounts.get(name)
    with pytest.raises(NotFound):
        await accounts.create_key("account", account_id=name)
    with pytest.raises(NotFound):
        await accounts.revoke_key(name)


async def test_a_key_of_an_account_is_that_account(accounts: Accounts) -> None:
    account = await accounts.create("user-1")
    key, token = await accounts.create_key("account", account_id="user-1", name="laptop")
    assert (key.account_id, key.name, key.scope) == (account.id, "laptop", "account")
    assert await accounts.authenticate(token) == Principal(key.id, "account", account.id)
    assert await accounts.authenticate(token, act_for=account.id) == Principal(key.id, "account", account.id)
    assert await accounts.authenticate(token, act_for="user-1") == Principal(key.id, "account", account.id)


async def test_a_key_of_an_account_reaches_no_other(accounts: Accounts) -> None:
    await accounts.create("user-1")
    other = await accounts.create("user-2")
    _, token = await accounts.create_key("account", account_id="user-1")
    for name in (other.id, "user-2", "nobody"):
        with pytest.raises(Forbidden):
            await accounts.authenticate(token, act_for=name)


async def test_an_operator_acts_for_whom_it_names(accounts: Accounts) -> None:
    account = await accounts.create("user-1")
    key, token = await accounts.create_key("operator")
    assert await accounts.authenticate(token) == Principal(key.id, "operator", None)
    assert await accounts.authenticate(token, act_for="user-1") == Principal(key.id, "operator", account.id)
    assert await accounts.authenticate(token, act_for=account.id) == Principal(key.id, "operator", account.id)
    with pytest.raises(NotFound):
        await accounts.authenticate(token, act_for="nobody")


async def test_the_secret_is_nowhere_in_the_database(accounts: Accounts, database: Database) -> None:
    key, token = await accounts.create_key("operator")
    async with database.read() as session:
        row = (await session.execute(text("SELECT * FROM api_keys"))).one()
    assert key.id in row
    assert not any(token[40:] in str(value) for value in row)


async def test_scope_and_account_must_fit(accounts: Accounts, clock: ManualClock) -> None:
    account = await accounts.create("user-1")
    with pytest.raises(InvalidRequest):
        await accounts.create_key("operator", account_id=account.id)
    with pytest.raises(InvalidRequest):
        await accounts.create_key("account")
    with pytest.raises(InvalidRequest):
        await accounts.create_key("operator", expires_at=clock.now())
    assert await accounts.list_keys() == []


async def test_a_key_ends_when_it_expires_or_is_revoked(accounts: Accounts, clock: ManualClock) -> None:
    short, short_token = await accounts.create_key("operator", expires_at=clock.now() + timedelta(hours=1))
    long, long_token = await accounts.create_key("operator")
    assert (await accounts.authenticate(short_token)).key_id == short.id
    clock.advance(timedelta(hours=1))
    with pytest.raises(Unauthenticated):
        await accounts.authenticate(short_token)
    revoked = await accounts.revoke_key(long.id)
    assert revoked.revoked_at == clock.now()
    with pytest.raises(Unauthenticated):
        await accounts.authenticate(long_token)
    clock.advance(timedelta(hours=1))
    assert (await accounts.revoke_key(long.id)).revoked_at == revoked.revoked_at


async def test_a_key_that_was_never_given_out_is_unknown(accounts: Accounts) -> None:
    key, token = await accounts.create_key("operator")
    stranger = make_key("operator").token
    with pytest.raises(Unauthenticated):
        await accounts.authenticate(stranger)
    with pytest.raises(Unauthenticated):
        await accounts.authenticate(token[:-1] + ("0" if token[-1] != "0" else "1"))
    async with accounts._database.write() as session:
        await session.execute(text("UPDATE api_keys SET secret_sha256 = :other"), {"other": "0" * 64})
    with pytest.raises(Unauthenticated):
        await accounts.authenticate(token)
    assert [one.id for one in await accounts.list_keys()] == [key.id]


async def test_keys_are_listed_by_account(accounts: Accounts) -> None:
    account = await accounts.create("user-1")
    operator, _ = await accounts.create_key("operator")
    own, _ = await accounts.create_key("account", account_id=account.id)
    assert [one.id for one in await accounts.list_keys(account.id)] == [own.id]
    assert {one.id for one in await accounts.list_keys()} == {own.id, operator.id}


async def test_use_is_noted_once_a_minute(accounts: Accounts, clock: ManualClock) -> None:
    _, token = await accounts.create_key("operator")

    async def used_at() -> datetime | None:
        await accounts.authenticate(token)
        return (await accounts.list_keys())[0].last_used_at

    first = clock.now()
    assert await used_at() == first
    clock.advance(timedelta(seconds=59))
    assert await used_at() == first
    clock.advance(timedelta(seconds=1))
    assert await used_at() == clock.now()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_request_does_not_fail_because_its_use_cannot_be_noted(
    accounts: Accounts, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    key, token = await accounts.create_key("operator")
    async with database.engine.connect() as connection:
        await connection.exec_driver_sql("PRAGMA busy_timeout = 10")
    other = Database(str(database.url))
    async with other.write() as writing:
        await writing.execute(text("SELECT 1"))
        with caplog.at_level(logging.WARNING):
            assert (await accounts.authenticate(token)).key_id == key.id
    await other.aclose()
    assert "could not note the use" in caplog.text


async def test_a_database_that_is_gone_is_unavailable_not_unauthenticated(
    accounts: Accounts, clock: ManualClock
) -> None:
    _, token = await accounts.create_key("operator")
    gone = Database("postgresql://nobody@127.0.0.1:1/none")
    with pytest.raises(Unavailable):
        await Accounts(gone, clock).authenticate(token)
    await gone.aclose()


async def test_the_first_operator_key_is_made_once(accounts: Accounts) -> None:
    made = await asyncio.gather(*(accounts.ensure_operator_key() for _ in range(6)))
    tokens = [one for one in made if one is not None]
    assert len(tokens) == 1
    principal = await accounts.authenticate(tokens[0])
    assert principal.scope == "operator"
    await accounts.revoke_key(str(principal.key_id))
    assert await accounts.ensure_operator_key() is not None
