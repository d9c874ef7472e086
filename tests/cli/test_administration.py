"""Accounts, keys, credits, migrate and audit, directly on the database."""

import pytest
from sqlalchemy import text

from mutoscope.db import Database
from tests.cli.shell import Shell
from tests.servers.postgres import PostgresServer


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_accounts_keys_and_credits(shell: Shell) -> None:
    account = (await shell.ok("accounts", "create", "user-1", "--name", "Ann", "--json")).json
    again = (await shell.ok("accounts", "create", "user-1", "--json")).json
    assert (account["name"], again) == ("Ann", account)
    made = (await shell.ok("keys", "create", "--account", "user-1", "--name", "app", "--days", "3", "--json")).json
    assert made["key"]["account_id"] == account["id"]
    assert made["secret"].startswith("mk_ac_")
    granted = await shell.ok("credits", "grant", "user-1", "25", "--external-id", "invoice-1")
    assert "25 image_generation credits given" in granted.out
    conflict = await shell.run("credits", "grant", "user-1", "26", "--external-id", "invoice-1")
    assert (conflict.status, conflict.err.count("\n")) == (1, 1)
    shown = (await shell.ok("credits", "show", "user-1", "--json")).json
    assert [(one["credit_type"], one["available"]) for one in shown] == [("image_generation", 25)]
    transfers = await shell.ok("credits", "transfers", "user-1")
    assert "grant" in transfers.out
    assert "issued" in transfers.out
    revoked = (await shell.ok("keys", "revoke", made["key"]["id"], "--json")).json
    assert revoked["revoked_at"]
    listed = await shell.ok("keys", "list", "--account", "user-1")
    assert "revoked" in listed.out
    assert made["secret"] not in listed.out
    assert "user-1" in (await shell.ok("accounts", "list")).out
    assert account["id"] in (await shell.ok("accounts", "show", "user-1")).out


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_webhook_secrets_and_deliveries(shell: Shell) -> None:
    await shell.ok("accounts", "create", "user-1")
    first = (await shell.ok("webhooks", "secret", "user-1")).out.strip()
    assert first.startswith("whsec_")
    assert (await shell.ok("webhooks", "secret", "user-1")).out.strip() == first
    second = (await shell.ok("webhooks", "secret", "user-1", "--rotate")).out.strip()
    assert second not in ("", first)
    assert (await shell.ok("webhooks", "deliveries", "user-1", "--json")).json == []
    assert (await shell.run("webhooks", "secret", "nobody")).status == 1


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_an_audit_shows_every_check_and_finds_what_is_planted(shell: Shell, database: Database) -> None:
    await shell.ok("accounts", "create", "user-1")
    await shell.ok("credits", "grant", "user-1", "25")
    clean = await shell.ok("audit")
    assert "ledger.balance_transfers" in clean.out
    assert "stored_files" in clean.out
    assert "wrong" not in clean.out
    async with database.write() as session:
        await session.execute(text("UPDATE credit_balances SET available = 26, issued = -26"))
    found = await shell.run("audit", "--json")
    assert found.status == 1
    wrong = {one["check"]: one["findings"] for one in found.json if one["findings"]}
    assert "ledger.balance_transfers" in wrong
    assert "available is 26, must be 25" in wrong["ledger.balance_transfers"][0]["detail"]
    assert (await shell.run("audit", "--quick")).status == 1


async def test_postgres_is_migrated_only_when_asked(empty: Shell, postgres: PostgresServer) -> None:
    url = await postgres.create_database()
    try:
        shell = empty.with_env(DATABASE_URL=url)
        refused = await shell.run("accounts", "list")
        assert (refused.status, refused.err.count("\n")) == (1, 1)
        assert "mutoscope migrate" in refused.err
        assert "from None to" in (await shell.ok("migrate")).out
        assert "already" in (await shell.ok("migrate")).out
        await shell.ok("accounts", "list")
    finally:
        await postgres.drop_database(url)


async def test_sqlite_needs_no_setting_up(empty: Shell) -> None:
    await empty.ok("accounts", "create", "user-1")
    assert (empty.directory / ".mutoscope" / "mutoscope.db").is_file()


async def test_errors_are_one_line_and_never_a_traceback(empty: Shell) -> None:
    (empty.directory / "broken.toml").write_text("models = 1\nlink_s = 'soon'\n")
    for arguments, said in (
        (("--config", "nowhere.toml", "accounts", "list"), "nowhere.toml"),
        (("--config", "broken.toml", "accounts", "list"), "link_s"),
        (("accounts", "show", "nobody"), "nobody"),
        (("accounts", "create", "a\tb"), "external_id"),
        (("accounts", "create", "acct_1"), "must not begin with acct_"),
        (("accounts", "create", "team/ann"), "must not contain /"),
        (("accounts", "create", "ann "), "white space"),
        (("serve", "--port", "0"), "REPLICATE_API_TOKEN"),
        (("generate", "painter", "-i", "prompt=x"), "MUTOSCOPE_API_KEY"),
        (("generate", "painter", "--key", "k", "--url", "http://127.0.0.1:9"), "127.0.0.1:9"),
    ):
        done = await empty.run(*arguments)
        assert done.status == 1, f"{arguments}: {done}"
        assert done.err.startswith("mutoscope: "), done
        assert done.err.count("\n") == 1, done
        assert said in done.err, done
    (empty.directory / "garbage.db").write_bytes(b"no database, but long enough to be read as one" * 100)
    done = await empty.with_env(DATABASE_URL="sqlite:///garbage.db").run("accounts", "list")
    assert (done.status, done.err.count("\n")) == (1, 1)
    assert "damaged or no database" in done.err
    unusable = empty.with_env(MUTOSCOPE_DATA_DIR=str(empty.directory / "broken.toml" / "data"))
    done = await unusable.run("accounts", "list")
    assert (done.status, done.err.count("\n")) == (1, 1)
    assert "MUTOSCOPE_DATA_DIR" in done.err
    for arguments in (
        ("keys", "create"),
        ("credits", "grant", "x", "0"),
        ("nonsense",),
    ):
        done = await empty.run(*arguments)
        assert done.status == 2, f"{arguments}: {done}"
        assert "Traceback" not in done.err
    for arguments, said in (
        (("credits", "grant", "x", "-5"), "amount: Input should be"),
        (("generate", "painter", "--out", "broken.toml/out"), "--out"),
    ):
        done = await empty.run(*arguments)
        assert done.status == 2, f"{arguments}: {done}"
        assert said in done.err
    assert (await empty.ok("--version")).out.strip()
