"""``serve``, ``worker``, ``generate``, ``models`` and ``doctor``, with a real runner behind them."""

import asyncio
import hashlib
import signal

import httpx
import pytest

from tests.cli.shell import Shell
from tests.servers.postgres import PostgresServer
from tests.world import RunnerProcess

NO_S3 = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@ON_SQLITE
async def test_generate_saves_the_file_and_says_what_it_cost(shell: Shell) -> None:
    async with shell.start("serve", "--port", "0") as serving:
        user = await shell.connected(serving)
        await shell.ok("accounts", "create", "user-1")
        await shell.ok("credits", "grant", "user-1", "10")
        assert "3 image_generation credits per run" in (await user.ok("models")).out
        assert "seconds" in (await user.ok("models", "echo")).out
        generate = ("generate", "echo", "--account", "user-1")
        done = await user.ok(
            *generate, "-i", "text=hello", "-i", "seconds=0.5", "-i", "output=file", "--out", "pictures"
        )
        assert "3 image_generation credits charged, 0 returned" in done.err
        saved = user.directory / done.out.strip()
        assert saved.parent.name == "pictures"
        assert saved.read_bytes().startswith(b"\x89PNG")
        shown = (await user.ok(*generate, "-i", "text=hello", "-i", "output=file", "--json")).json
        assert (
            shown["files"][0]["sha256"] == hashlib.sha256((user.directory / shown["paths"][0]).read_bytes()).hexdigest()
        )
        text = await user.ok(*generate, "-i", "text=12", "-i", "output=text", "--idempotency-key", "k")
        assert text.out == "12\n"
        poor = await user.run(*generate, "-i", "text=more")
        assert (poor.status, poor.err.count("\n")) == (1, 1)
        assert "insufficient_credits" in poor.err
        wrong = await user.run(*generate, "-i", "secnods=1")
        assert "did you mean 'seconds'" in wrong.err
        await shell.ok("credits", "grant", "user-1", "10")
        failed = await user.run(*generate, "-i", "fail=list index out of range")
        assert failed.status == 1
        assert "failed: list index out of range (provider_failed)" in failed.err
        async with user.start(*generate, "-i", "seconds=60") as given_up:
            await _until_running(user)
            assert await given_up.stop(signal.SIGINT) == 130
            assert "is asked to end" in await given_up.errors()
        assert (await user.ok("audit")).status == 0
        assert await serving.stop(signal.SIGINT) == 0
        assert "Stopping" in await serving.errors()


async def _until_running(user: Shell) -> None:
    """Until the model shows progress: by then the command surely watches it."""
    headers = {"Authorization": f"Bearer {user.env['MUTOSCOPE_API_KEY']}", "Mutoscope-Account": "user-1"}
    async with httpx.AsyncClient(base_url=user.env["MUTOSCOPE_URL"], headers=headers) as http, asyncio.timeout(60):
        while True:
            running = (await http.get("/v1/generations?status=processing")).json()["data"]
            if running and running[0]["progress"]["percent"]:
                return
            await asyncio.sleep(0.1)


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_a_worker_moves_what_the_api_accepts(shell: Shell) -> None:
    async with shell.start("serve", "--port", "0", "--no-engine") as serving:
        user = await shell.connected(serving)
        await shell.ok("accounts", "create", "user-1")
        await shell.ok("credits", "grant", "user-1", "10")
        generate = ("generate", "echo", "--account", "user-1", "--json", "-i", "text=hello")
        queued = (await user.ok(*generate, "--no-wait", "--idempotency-key", "one")).json
        assert queued["status"] == "queued"
        async with shell.start("worker") as working:
            await working.line_with("Mutoscope works")
            assert (await user.ok(*generate, "--idempotency-key", "one")).json["status"] == "completed"
            assert await working.stop() == 0


async def test_serve_refuses_an_old_postgres_until_told(
    empty: Shell, postgres: PostgresServer, runner: RunnerProcess
) -> None:
    url = await postgres.create_database()
    try:
        shell = empty.with_env(DATABASE_URL=url, REPLICATE_BASE_URL=runner.url, REPLICATE_API_TOKEN="test")
        refused = await shell.run("serve", "--port", "0")
        assert refused.status == 1
        assert "mutoscope migrate" in refused.err
        async with shell.start("serve", "--port", "0", "--migrate") as serving:
            user = await shell.connected(serving)
            async with httpx.AsyncClient(base_url=user.env["MUTOSCOPE_URL"]) as anybody:
                assert (await anybody.get("/readyz")).status_code == 200
            taken = user.env["MUTOSCOPE_URL"].rpartition(":")[2]
            second = await shell.run("serve", "--port", taken)
            assert (second.status, f"127.0.0.1:{taken}" in second.err) == (1, True)
    finally:
        await postgres.drop_database(url)


@ON_SQLITE
async def test_doctor_is_content_or_says_what_to_do(shell: Shell) -> None:
    good = await shell.ok("doctor")
    for line in ("database", "provider", "storage", "model echo"):
        assert line in good.out
    assert "FAILED" not in good.out
    ill = shell.with_env(REPLICATE_BASE_URL="http://127.0.0.1:9", AWS_S3_BUCKET_NAME="none", **NO_S3)
    bad = await ill.run("doctor", "--json")
    assert bad.status == 1
    states = {one["check"]: one["state"] for one in bad.json}
    failed = {check for check, state in states.items() if state == "failed"}
    assert failed == {"provider", "storage"}
    assert states["model echo"] == "skipped"
    assert all(one["todo"] for one in bad.json if one["state"] == "failed")
    lost = await shell.with_env(DATABASE_URL="postgresql://nobody@127.0.0.1:9/none").run("doctor")
    assert lost.status == 1
    assert "DATABASE_URL" in lost.out
    assert "Traceback" not in lost.err


@ON_SQLITE
async def test_doctor_names_the_settings_of_the_account_that_is_ill(shell: Shell) -> None:
    toml = shell.directory / "mutoscope.toml"
    toml.write_text(toml.read_text() + '[replicate_accounts.eu]\napi_tokens = ["r8_eu"]\n')
    poor = shell.with_env(REPLICATE_BASE_URL="http://127.0.0.1:9", MUTOSCOPE_PUBLIC_URL="http://127.0.0.1:9")
    todo = {one["check"]: one["todo"] for one in (await poor.run("doctor", "--json")).json}
    assert "REPLICATE_API_TOKEN" in todo["provider"]
    assert "replicate_accounts.eu.api_tokens" in todo["provider eu"]
    assert "replicate_accounts.eu.webhook_secret" in todo["webhook secret eu"]


@ON_SQLITE
async def test_doctor_tells_a_provider_that_is_ill_from_a_model_that_is_not_there(shell: Shell) -> None:
    toml = shell.directory / "mutoscope.toml"
    toml.write_text(toml.read_text() + '[models.typo]\nreference = "mutoscope/ehco"\nprice = { per_run = 3 }\n')
    found = {one["check"]: one for one in (await shell.run("doctor", "--json")).json}
    assert (found["provider"]["state"], found["model echo"]["state"]) == ("ok", "ok")
    assert (found["model typo"]["state"], found["model typo"]["todo"]) == ("failed", "Check [models.typo] reference.")
    down = (await shell.with_env(REPLICATE_BASE_URL="http://127.0.0.1:9").run("doctor", "--json")).json
    assert [one["check"] for one in down if one["state"] == "failed"] == ["provider"]
    for alias in ("echo", "typo"):
        (model,) = [one for one in down if one["check"] == f"model {alias}"]
        assert (model["state"], model["todo"]) == ("skipped", "")
        assert "not checked" in model["detail"]


@ON_SQLITE
async def test_doctor_points_at_a_model_with_two_prices(shell: Shell) -> None:
    toml = shell.directory / "mutoscope.toml"
    entry = '[models.{}]\nreference = "mutoscope/echo"\nprice = {{ per_run = {} }}\n'
    toml.write_text(toml.read_text() + entry.format("cheap", 1) + entry.format("same", 3))
    found = (await shell.ok("doctor", "--json")).json
    advice = [one for one in found if one["check"].startswith("price of ")]
    assert [(one["check"], one["state"]) for one in advice] == [("price of cheap", "advice")]
    assert "[models.echo]" in advice[0]["detail"]


@ON_SQLITE
async def test_doctor_knows_an_address_that_goes_too_far(shell: Shell, runner: RunnerProcess) -> None:
    found = (await shell.with_env(REPLICATE_BASE_URL=f"{runner.url}/v1").run("doctor", "--json")).json
    (provider,) = [one for one in found if one["check"] == "provider"]
    assert (provider["state"], "without /v1" in provider["todo"]) == ("failed", True)


@ON_SQLITE
async def test_a_misspelt_variable_is_pointed_at(shell: Shell) -> None:
    typo = shell.with_env(MUTOSCOPE_LINKS_S="60", MUTOSCOPE_ENGINE__SWEEP_S="0.5", MUTOSCOPE_API_KEY="k")
    found = (await typo.ok("doctor", "--json")).json
    assert [(one["check"], one["state"], one["todo"]) for one in found if one["check"].startswith("MUTOSCOPE_")] == [
        ("MUTOSCOPE_LINKS_S", "advice", "Did you mean MUTOSCOPE_LINK_S?")
    ]
    async with typo.start("serve", "--port", "0") as serving:
        await serving.line_with("Mutoscope serves")
        assert await serving.stop() == 0
        assert (await serving.errors()).count("MUTOSCOPE_LINKS_S is no setting") == 1


async def test_doctor_reports_settings_that_cannot_be_read(empty: Shell) -> None:
    done = await empty.with_env(MUTOSCOPE_LINK_S="soon", MUTOSCOPE_SECRET="short").run("doctor")
    assert done.status == 1
    assert "link_s" in done.out


async def test_the_runner_ends_with_whoever_started_it(empty: Shell) -> None:
    async with empty.start("runner", "--port", "0", "--with-parent") as runner:
        await runner.line_with("webhook_secret")
        assert runner.process.stdin
        runner.process.stdin.close()
        await asyncio.wait_for(runner.process.wait(), 20)


async def test_doctor_only_looks_for_a_database_and_does_not_make_one(empty: Shell) -> None:
    env = {
        "REPLICATE_BASE_URL": "http://127.0.0.1:9",
        "REPLICATE_API_TOKEN": "t",
        "DATABASE_URL": "sqlite:///deep/a.db",
    }
    shell = empty.with_env(**env)
    done = await shell.run("doctor", "--json")
    (found,) = [one for one in done.json if one["check"].startswith("database")]
    assert (done.status, found["state"]) == (1, "failed")
    assert "deep/a.db" in found["detail"]
    assert "mutoscope migrate" in found["todo"]
    assert not (empty.directory / "deep").exists()
    await shell.ok("migrate")
    again = (await shell.run("doctor", "--json")).json
    assert [one["state"] for one in again if one["check"].startswith("database")] == ["ok", "ok", "ok"]
