"""The stores that the contract is tried on, each real except the fake: memory, a folder, a bucket."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mutoscope.core.clock import SystemClock
from mutoscope.storage.base import ObjectStore
from mutoscope.storage.links import LinkSigner
from mutoscope.storage.local import LocalStore
from mutoscope.storage.memory import MemoryStore
from mutoscope.storage.objects import ObstoreStore
from mutoscope.storage.s3 import S3Settings
from tests.servers.seaweedfs import SeaweedServer
from tests.storage.web import serving_links


@dataclass
class Subject:
    """A store under test, and what its kind can do."""

    kind: str
    store: ObjectStore
    folder: Path


@pytest.fixture
def s3_settings(seaweedfs: SeaweedServer) -> S3Settings:
    """How to reach a fresh bucket."""
    return S3Settings(
        bucket=seaweedfs.create_bucket(),
        region=seaweedfs.region,
        endpoint=seaweedfs.endpoint,
        access_key_id=seaweedfs.access_key_id,
        secret_access_key=seaweedfs.secret_access_key,
    )


@pytest.fixture(params=["memory", "local", "s3"])
async def subject(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Subject]:
    """An empty store of each kind, whose links work."""
    folder = tmp_path / "files"
    if request.param == "s3":
        store = ObstoreStore(request.getfixturevalue("s3_settings"))
        yield Subject("s3", store, folder)
        await store.aclose()
        return
    made: list[tuple[MemoryStore | LocalStore, LinkSigner]] = []
    async with serving_links(lambda: made[0][0], lambda: made[0][1], SystemClock()) as site:
        signer = LinkSigner(b"a secret for these tests", site.url)
        made.append((MemoryStore(signer) if request.param == "memory" else LocalStore(folder, signer), signer))
        yield Subject(request.param, made[0][0], folder)
        await made[0][0].aclose()


@pytest.fixture
def store(subject: Subject) -> ObjectStore:
    """An empty store of each kind."""
    return subject.store
