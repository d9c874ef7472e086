"""What must go on, or refuse in time, when the database, the store or the provider is away."""

import hashlib
from pathlib import Path
from typing import Any

import httpx
import pytest

from mutoscope.core.errors import Unavailable
from tests.servers.postgres import postgres_server
from tests.servers.seaweedfs import SeaweedServer, seaweedfs_server
from tests.world import PRICE, RunnerProcess, runner_process, settings_for, until, world


def in_s3(server: SeaweedServer) -> dict[str, Any]:
    return {
        "aws_s3_bucket_name": server.create_bucket(),
        "aws_endpoint_url": server.endpoint,
        "aws_access_key_id": server.access_key_id,
        "aws_secret_access_key": server.secret_access_key,
    }


async def test_results_are_stored_in_s3_with_links_that_work(
    database_url: str, tmp_path: Path, runner: RunnerProcess, seaweedfs: SeaweedServer
) -> None:
    settings = settings_for(database_url, tmp_path, runner, **in_s3(seaweedfs))
    async with world(settings, runner, webhooks=True) as here:
        row = await here.run("into the bucket", size_bytes=9_000_000)
        assert (row.status, row.charged_credits) == ("completed", PRICE)
        (file,) = (await here.runtime.generations.files([row.id]))[row.id]
        link = await here.runtime.store.link(file.key, expires_s=60, media_type=file.media_type)
        async with httpx.AsyncClient() as client:
            answer = await client.get(link)
        assert answer.status_code == 200
        assert hashlib.sha256(answer.content).hexdigest() == file.sha256
        assert await here.audit() == []


@pytest.mark.slow
async def test_a_store_that_is_away_is_waited_for(database_url: str, tmp_path: Path, runner: RunnerProcess) -> None:
    with seaweedfs_server() as server:
        settings = settings_for(database_url, tmp_path, runner, **in_s3(server))
        async with world(settings, runner) as here:
            server.stop()
            row = await here.make("the store is away")

            async def stumbled() -> bool:
                return (await here.runtime.generations.get(here.account_id, row.id)).stumbles > 0

            await until(stumbled, 60)
            server.start()
            assert (await here.finish(row, timeout_s=60)).status == "completed"
            assert await here.audit() == []


@pytest.mark.slow
async def test_a_provider_that_is_away_is_waited_for(database_url: str, tmp_path: Path) -> None:
    """The runner is killed with a prediction under way; it comes back on the same port and knows what it lost."""
    with runner_process(tmp_path / "runner") as first:
        port = first.url.rsplit(":", 1)[1]
        async with world(settings_for(database_url, tmp_path, first), first) as here:
            row = await here.make("the provider is away", seconds=1)

            async def flying() -> bool:
                return (await here.runtime.generations.get(here.account_id, row.id)).phase == "await"

            await until(flying)
            first.kill()

            async def stumbled() -> bool:
                return (await here.runtime.generations.get(here.account_id, row.id)).stumbles > 0

            await until(stumbled)
            waiting = await here.make("asked for while it is away", key="waiting")
            with runner_process(tmp_path / "runner", "--port", port) as again:
                assert (await here.finish(row, timeout_s=60)).status == "completed"
                assert (await here.finish(waiting, timeout_s=60)).status == "completed"
                # The first was interrupted and made again: two predictions, one charge.
                assert len(again.predictions("the provider is away")) == 2
            assert await here.balance() == (1000 - 2 * PRICE, 0, 2 * PRICE)
            assert await here.audit() == []


@pytest.mark.slow
async def test_a_database_that_is_away_refuses_and_comes_back(tmp_path: Path, runner: RunnerProcess) -> None:
    """Fail closed: nothing is accepted meanwhile; what was accepted ends afterwards."""
    from mutoscope.db.migrate import upgrade

    with postgres_server(durable=True) as server:
        url = await server.create_database()
        await upgrade(url)
        async with world(settings_for(url, tmp_path, runner), runner) as here:
            row = await here.make("under way when it goes away", seconds=2)
            server.stop(kill=True)
            with pytest.raises(Unavailable):
                await here.make("refused")
            server.start()

            async def answers() -> bool:
                try:
                    return (await here.runtime.generations.get(here.account_id, row.id)).id == row.id
                except Unavailable:
                    return False

            await until(answers, 30)
            assert (await here.finish(row, timeout_s=60)).status == "completed"
            assert await here.balance() == (1000 - PRICE, 0, PRICE)
            assert await here.audit() == []


async def test_a_file_that_no_store_can_keep_fails_its_generation_at_once(
    database_url: str, tmp_path: Path, runner: RunnerProcess
) -> None:
    """The settings refuse such a prefix; whatever else may make such a key, it is not tried again for an hour."""
    settings = settings_for(database_url, tmp_path, runner).model_copy(update={"storage_prefix": "../../x"})
    async with world(settings, runner) as here:
        row = await here.run(f"no key {database_url}")
        assert (row.status, row.failure_code, row.charged_credits) == ("failed", "invalid_key", 0)
        assert await here.balance() == (1000, 0, 0)
        assert await here.audit() == []
