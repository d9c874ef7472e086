"""What only a bucket can do wrong: credentials, a server that is down, parts left behind, types and links."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import obstore
import pytest
from obstore.store import S3Store

from mutoscope.core.errors import ConfigurationError, InvalidRequest
from mutoscope.storage.base import ObjectExists, StorageError
from mutoscope.storage.claims import claimed
from mutoscope.storage.links import LinkSigner
from mutoscope.storage.memory import MemoryStore
from mutoscope.storage.objects import MAX_LINK_S, ObstoreStore
from mutoscope.storage.probe import prove
from mutoscope.storage.s3 import S3Settings
from tests.servers.processes import DEADLINE_S
from tests.servers.seaweedfs import SeaweedServer
from tests.storage.streams import MIB, collected, failing, stream, stuck


def unfinished(server: SeaweedServer, bucket: str) -> list[str]:
    """The multipart uploads of a bucket that were neither completed nor aborted, from the server's own file list."""
    url = f"http://127.0.0.1:{server.filer_port}/buckets/{bucket}/.uploads/?limit=1000"
    answer = httpx.get(url, headers={"Accept": "application/json"}, trust_env=False)
    assert answer.status_code in {200, 404}
    return [entry["FullPath"] for entry in answer.json()["Entries"] or []] if answer.status_code == 200 else []


def raw(settings: S3Settings) -> S3Store:
    assert settings.endpoint
    assert settings.access_key_id
    assert settings.secret_access_key
    return S3Store(
        settings.bucket,
        endpoint=settings.endpoint,
        region=settings.region,
        access_key_id=settings.access_key_id,
        secret_access_key=settings.secret_access_key,
        client_options={"allow_http": True},
    )


def keys(settings: S3Settings) -> list[str]:
    return sorted(one["path"] for batch in obstore.list(raw(settings)) for one in batch)


async def test_a_cancelled_upload_leaves_no_parts_behind(s3_settings: S3Settings, seaweedfs: SeaweedServer) -> None:
    store, reached = ObstoreStore(s3_settings), asyncio.Event()
    putting = asyncio.ensure_future(store.put("a", stuck(*[bytes(MIB)] * 40, reached=reached), media_type="video/mp4"))
    await asyncio.wait_for(reached.wait(), DEADLINE_S)
    assert len(unfinished(seaweedfs, s3_settings.bucket)) == 1
    putting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await putting
    assert unfinished(seaweedfs, s3_settings.bucket) == []
    assert keys(s3_settings) == []


async def test_an_upload_whose_source_fails_leaves_no_parts_behind(
    s3_settings: S3Settings, seaweedfs: SeaweedServer
) -> None:
    with pytest.raises(ValueError, match="broke"):
        await ObstoreStore(s3_settings).put(
            "a", failing(*[bytes(MIB)] * 40, error=ValueError("broke")), media_type="video/mp4"
        )
    assert unfinished(seaweedfs, s3_settings.bucket) == []
    assert keys(s3_settings) == []


async def test_a_large_upload_leaves_only_its_object_with_its_type(
    s3_settings: S3Settings, seaweedfs: SeaweedServer
) -> None:
    store = ObstoreStore(s3_settings)
    await store.put("a.mp4", stream(*[bytes(MIB)] * 20), media_type="video/mp4")
    await store.put("b.webm", stream(*[bytes(MIB)] * 9), media_type="video/webm")
    await store.put("c.svg", stream(*[b" " * MIB] * 9), media_type="image/svg+xml")
    types = {key: (await store.head(key)).media_type for key in ("a.mp4", "b.webm", "c.svg")}
    assert types == {"a.mp4": "video/mp4", "b.webm": "video/webm", "c.svg": "image/svg+xml"}
    async with httpx.AsyncClient(trust_env=False) as browser:
        answer = await browser.get(await store.link("c.svg", expires_s=60, media_type="image/svg+xml"))
        assert answer.headers["content-disposition"] == "attachment"
    assert keys(s3_settings) == ["a.mp4", "b.webm", "c.svg"]
    assert unfinished(seaweedfs, s3_settings.bucket) == []


async def test_a_taken_key_is_noticed_before_a_large_upload(s3_settings: S3Settings) -> None:
    store, reached = ObstoreStore(s3_settings), asyncio.Event()
    await store.put("a", stream(b"first"), media_type="video/mp4")
    with pytest.raises(ObjectExists):
        await asyncio.wait_for(
            store.put("a", stuck(*[bytes(MIB)] * 9, reached=reached), media_type="video/mp4"), DEADLINE_S
        )
    assert not reached.is_set()
    assert keys(s3_settings) == ["a"]


async def test_only_one_at_a_time_holds_a_claim(s3_settings: S3Settings) -> None:
    bucket, holders, most = raw(s3_settings), 0, 0

    async def hold() -> None:
        nonlocal holders, most
        async with claimed(bucket, ".staging", "a"):
            holders += 1
            most = max(most, holders)
            await bounded_head(bucket)
            holders -= 1

    await asyncio.gather(*(hold() for _ in range(5)))
    assert (holders, most) == (0, 1)
    assert keys(s3_settings) == []


async def bounded_head(bucket: S3Store) -> None:
    with pytest.raises(FileNotFoundError):
        await obstore.head_async(bucket, "a")


async def test_a_claim_of_a_process_that_died_is_taken_over_after_its_life_and_not_before(
    s3_settings: S3Settings,
) -> None:
    bucket, loop = raw(s3_settings), asyncio.get_running_loop()
    died, began = claimed(bucket, ".staging", "a"), loop.time()
    await died.__aenter__()
    async with claimed(bucket, ".staging", "b"), claimed(bucket, ".staging", "a", life_s=0.6):
        assert loop.time() - began > 0.6
    await died.__aexit__(None, None, None)


async def test_a_claim_that_others_keep_for_ever_is_a_storage_error_in_the_end(s3_settings: S3Settings) -> None:
    bucket = raw(s3_settings)

    async def renew(path: str) -> None:
        for number in itertools.count():
            await obstore.put_async(bucket, path, str(number).encode())
            await asyncio.sleep(0.05)

    async with claimed(bucket, ".staging", "a"):
        renewing = asyncio.ensure_future(renew(keys(s3_settings)[0]))
        with pytest.raises(StorageError, match="Others"):
            await claimed(bucket, ".staging", "a", life_s=1).__aenter__()
        renewing.cancel()


async def test_wrong_credentials_are_a_storage_error_without_the_secret(s3_settings: S3Settings) -> None:
    store = ObstoreStore(replace(s3_settings, secret_access_key="hunter2hunter2"))
    for refused in (
        store.put("a", stream(b"x"), media_type="text/plain"),
        store.put("a", stream(*[bytes(MIB)] * 20), media_type="text/plain"),
        store.head("a"),
        collected(store.read("a")),
        store.delete("a"),
        store.check(),
    ):
        with pytest.raises(StorageError) as failed:
            await refused
        assert "hunter2" not in failed.value.detail
    assert "hunter2" not in repr(replace(s3_settings, secret_access_key="hunter2hunter2"))
    assert keys(s3_settings) == []


async def test_a_bucket_that_does_not_exist_is_a_storage_error(s3_settings: S3Settings) -> None:
    store = ObstoreStore(replace(s3_settings, bucket="no-such-bucket"))
    for size in (0, 20):
        with pytest.raises(StorageError):
            await store.put("a", stream(b"x", *[bytes(MIB)] * size), media_type="text/plain")
    with pytest.raises(StorageError):
        await store.check()


async def test_a_server_that_is_down_is_a_storage_error(s3_settings: S3Settings) -> None:
    store = ObstoreStore(replace(s3_settings, endpoint="http://127.0.0.1:9"))
    for size in (0, 20):
        with pytest.raises(StorageError):
            await store.put("a", stream(b"x", *[bytes(MIB)] * size), media_type="text/plain")
    with pytest.raises(StorageError):
        await store.head("a")
    with pytest.raises(StorageError):
        await collected(store.read("a"))


async def test_uploads_beyond_the_limit_wait(s3_settings: S3Settings) -> None:
    store, reached = ObstoreStore(s3_settings, max_transfers=1), asyncio.Event()
    first = asyncio.ensure_future(store.put("a", stuck(b"x", reached=reached), media_type="text/plain"))
    await asyncio.wait_for(reached.wait(), DEADLINE_S)
    began = asyncio.Event()
    second = asyncio.ensure_future(store.put("b", stuck(reached=began), media_type="text/plain"))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(began.wait(), 0.2)
    first.cancel()
    await asyncio.wait_for(began.wait(), DEADLINE_S)
    second.cancel()
    await asyncio.gather(first, second, return_exceptions=True)


async def test_what_a_killed_process_left_is_removed_after_a_day_only(s3_settings: S3Settings) -> None:
    await obstore.put_async(raw(s3_settings), ".staging/upload_1", b"fresh")
    await ObstoreStore(s3_settings).check()
    assert keys(s3_settings) == [".staging/upload_1"]


async def test_links_to_a_public_bucket_are_plain(s3_settings: S3Settings) -> None:
    store = ObstoreStore(replace(s3_settings, public_base_url="https://cdn.example.com/media/"))
    assert await store.link("a/b.png", expires_s=60, media_type="image/png") == "https://cdn.example.com/media/a/b.png"


@pytest.mark.parametrize("expires_s", [0, -1, MAX_LINK_S + 1])
async def test_a_link_cannot_be_good_for_longer_than_s3_allows(s3_settings: S3Settings, expires_s: int) -> None:
    with pytest.raises(InvalidRequest):
        await ObstoreStore(s3_settings).link("a", expires_s=expires_s, media_type="image/png")


async def test_a_link_only_reads(s3_settings: S3Settings) -> None:
    store = ObstoreStore(s3_settings)
    await store.put("a", stream(b"x"), media_type="text/plain")
    link = await store.link("a", expires_s=60, media_type="text/plain")
    async with httpx.AsyncClient(trust_env=False) as browser:
        assert (await browser.put(link, content=b"y")).status_code == 403
        assert (await browser.delete(link)).status_code == 403
    assert await collected(store.read("a")) == b"x"


@pytest.mark.parametrize(
    "wrong",
    [
        {"endpoint": "http://files.example.com"},
        {"endpoint": "http://10.0.0.1:9000"},
        {"endpoint": "http://127.0.0.1.evil.example"},
    ],
)
def test_plain_http_to_another_machine_is_refused_at_start(s3_settings: S3Settings, wrong: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError):
        ObstoreStore(replace(s3_settings, **wrong))


async def test_the_host_name_may_carry_the_bucket(s3_settings: S3Settings) -> None:
    settings = replace(s3_settings, path_style=False, endpoint="https://s3.example.com")
    link = await ObstoreStore(settings).link("a/b.png", expires_s=60, media_type="image/png")
    assert link.startswith(f"https://{settings.bucket}.s3.example.com/a/b.png?X-Amz-Algorithm=")


class Forgetful(MemoryStore):
    """A store that breaks the promise to write a key once, as some that speak S3 do."""

    async def put(self, key: str, chunks: AsyncIterator[bytes], *, media_type: str) -> None:
        await self.delete(key)
        await super().put(key, chunks, media_type=media_type)


async def test_the_check_notices_a_store_that_overwrites() -> None:
    store = Forgetful(LinkSigner(b"a secret for these tests", "http://localhost"))
    with pytest.raises(StorageError, match="overwrites"):
        await prove(store)
