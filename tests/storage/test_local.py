"""What only the folder can do wrong: escaping it, losing files to a crash, leaving drafts behind."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest

from mutoscope.core.clock import SystemClock
from mutoscope.storage.base import ObjectExists, ObjectMissing, StorageError
from mutoscope.storage.links import LinkSigner
from mutoscope.storage.local import LocalStore
from tests.storage.streams import MIB, collected, stream

ROOT = Path(__file__).parents[2]
SIGNER = LinkSigner(b"a secret for these tests", "http://localhost")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "files"


@pytest.fixture
def store(root: Path) -> LocalStore:
    return LocalStore(root, SIGNER)


def drafts(root: Path) -> list[Path]:
    return list((root / ".drafts").glob("*"))


async def test_the_path_of_a_key_is_inside_the_folder(store: LocalStore, root: Path) -> None:
    await store.put("a/b.png", stream(b"x"), media_type="image/png")
    assert store.path("a/b.png") == root / "a/b.png"
    assert (root / "a/b.png").read_bytes() == b"x"


def point(link: Path, target: Path) -> None:
    """Make a symbolic link."""
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(target)


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder with a secret, beside ours."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "secret").write_text("secret")
    return folder


async def test_a_folder_that_is_a_symbolic_link_leads_nowhere(store: LocalStore, root: Path, outside: Path) -> None:
    point(root / "a", outside)
    for refused in (store.head("a/secret"), collected(store.read("a/secret")), store.delete("a/secret")):
        with pytest.raises(ObjectMissing):
            await refused
    with pytest.raises(ObjectMissing):
        await store.put("a/new", stream(b"x"), media_type="text/plain")
    assert sorted(os.listdir(outside)) == ["secret"]  # noqa: PTH208


async def test_a_file_that_is_a_symbolic_link_is_not_an_object(store: LocalStore, root: Path, outside: Path) -> None:
    point(root / "a", outside / "secret")
    point(root / "dangling", outside / "new")
    with pytest.raises(ObjectMissing):
        await store.head("a")
    with pytest.raises(ObjectMissing):
        await collected(store.read("a"))
    for key in ("a", "dangling"):
        with pytest.raises(ObjectExists):
            await store.put(key, stream(b"x"), media_type="text/plain")
    assert sorted(os.listdir(outside)) == ["secret"]  # noqa: PTH208


async def test_the_folder_itself_may_be_behind_a_symbolic_link(store: LocalStore, root: Path, outside: Path) -> None:
    point(root, outside)
    await store.put("a/b", stream(b"x"), media_type="text/plain")
    assert await collected(store.read("a/b")) == b"x"


async def test_a_folder_is_not_an_object(store: LocalStore) -> None:
    await store.put("a/b", stream(b"x"), media_type="text/plain")
    with pytest.raises(ObjectMissing):
        await store.head("a")
    with pytest.raises(StorageError):
        await store.put("a/b/c", stream(b"x"), media_type="text/plain")


async def test_a_disk_that_refuses_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "files").write_text("a file where the folder should be")
    store = LocalStore(tmp_path / "files", SIGNER)
    with pytest.raises(StorageError):
        await store.put("a", stream(b"x"), media_type="text/plain")
    with pytest.raises(StorageError):
        await store.check()


async def test_a_file_is_flushed_before_it_has_its_name_and_the_name_after(
    store: LocalStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order of these calls is what a power cut would test."""
    calls: list[str] = []
    real_fsync, real_link = os.fsync, os.link

    def fsync(descriptor: int) -> None:
        name = os.readlink(f"/proc/self/fd/{descriptor}")  # noqa: PTH115
        calls.append(f"flush {name.removeprefix(str(root)).rpartition('draft_')[0] or name}")
        real_fsync(descriptor)

    def link(source: Path, target: Path, *, follow_symlinks: bool) -> None:
        calls.append(f"name {target}")
        real_link(source, target, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "link", link)
    await store.put("a/b/c.png", stream(bytes(3 * MIB)), media_type="image/png")
    named = ["flush /.drafts/", f"flush {root}", f"flush {root / 'a'}", f"name {root / 'a/b/c.png'}"]
    # What is above the root, whoever made it, and the folder of drafts.
    made = [*(f"flush {above}" for above in root.parents if os.access(above, os.W_OK)), f"flush {root}"]
    assert calls == [*made, *named, f"flush {root / 'a/b'}"]
    calls.clear()
    await store.put("a/b/d.png", stream(bytes(3 * MIB)), media_type="image/png")
    assert calls == ["flush /.drafts/", f"name {root / 'a/b/d.png'}", f"flush {root / 'a/b'}"], "the folders last"
    calls.clear()
    shutil.rmtree(root / "a")
    await store.put("a/b/c.png", stream(bytes(3 * MIB)), media_type="image/png")
    assert calls == [*named, f"flush {root / 'a/b'}"], "the folders are new ones"


async def test_a_name_that_is_taken_lasts_before_anybody_is_told(
    store: LocalStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever gave it may have been killed before the folder was flushed; who finds it says that it is stored."""
    await store.put("a/b.png", stream(b"one"), media_type="image/png")
    flushed: list[str] = []
    real_fsync = os.fsync

    def fsync(descriptor: int) -> None:
        flushed.append(os.readlink(f"/proc/self/fd/{descriptor}"))  # noqa: PTH115
        real_fsync(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(ObjectExists):
        await LocalStore(root, SIGNER).put("a/b.png", stream(b"one"), media_type="image/png")
    assert flushed == [str(root / "a")]


async def test_a_process_killed_while_writing_leaves_no_object_and_its_draft_goes_later(
    store: LocalStore, root: Path
) -> None:
    script = f"""
import asyncio, os, pathlib, signal
from mutoscope.storage.links import LinkSigner
from mutoscope.storage.local import LocalStore
async def body():
    yield b"x" * {3 * MIB}
    os.kill(os.getpid(), signal.SIGKILL)
    yield b"never"
store = LocalStore(pathlib.Path({str(root)!r}), LinkSigner(b"a secret for these tests", "http://localhost"))
asyncio.run(store.put("a/b.png", body(), media_type="image/png"))
"""
    killed = await asyncio.create_subprocess_exec(sys.executable, "-c", script, cwd=ROOT)
    assert await killed.wait() == -signal.SIGKILL
    with pytest.raises(ObjectMissing):
        await store.head("a/b.png")
    (left,) = drafts(root)
    await store.check()
    assert drafts(root) == [left]
    yesterday = time.time() - timedelta(days=1, minutes=1).total_seconds()
    os.utime(left, (yesterday, yesterday))
    await store.check()
    assert drafts(root) == []
    await store.put("a/b.png", stream(b"x"), media_type="image/png")


def test_a_full_disk_is_a_storage_error_and_leaves_nothing(root: Path) -> None:
    """A limit on the size of files stands in for a full disk: the same calls fail, in a process of their own."""
    script = f"""
import asyncio, pathlib, resource, signal
from mutoscope.storage.base import ObjectMissing, StorageError
from mutoscope.storage.links import LinkSigner
from mutoscope.storage.local import LocalStore
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, ({MIB}, {MIB}))
async def body():
    for _ in range(4):
        yield b"x" * {MIB // 2}
async def main():
    store = LocalStore(pathlib.Path({str(root)!r}), LinkSigner(b"a secret for these tests", "http://localhost"))
    try:
        await store.put("a", body(), media_type="image/png")
    except StorageError as failed:
        print(failed.detail)
    try:
        await store.head("a")
    except ObjectMissing:
        print("missing")
asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.splitlines() == ["The disk refused a: File too large.", "missing"]
    assert drafts(root) == []


async def test_the_clock_of_links_is_ours(root: Path) -> None:
    clock = SystemClock()
    link = await LocalStore(root, SIGNER, clock=clock).link("a", expires_s=60, media_type="image/png")
    expires = int(link.partition("expires=")[2].partition("&")[0])
    assert abs(expires - clock.now().timestamp() - 60) < 5
