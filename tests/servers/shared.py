"""One server for all workers of a test session: the first that asks starts it, and it ends after the last.

A keeper process owns the server. Who uses it holds a shared lock on a file; the keeper waits for the exclusive lock,
and the kernel grants that when the last user has let go or died, however it died.
"""

import fcntl
import json
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.servers.postgres import postgres_server
from tests.servers.processes import ServerFailed, wait_until
from tests.servers.seaweedfs import seaweedfs_server

_SERVERS = {"postgres": postgres_server, "seaweedfs": seaweedfs_server}
_ROOT = Path(__file__).parents[2]


@contextmanager
def locked(path: Path, how: int = fcntl.LOCK_EX) -> Generator[None]:
    """Hold a lock on a file between processes."""
    with path.open("a") as file:
        fcntl.flock(file, how)
        yield


@contextmanager
def shared_server(name: str, directory: Path) -> Generator[dict[str, Any]]:
    """The address of the server ``name`` of this ``directory``, which stays up for the length of the ``with``."""
    address, log = directory / f"{name}.json", directory / f"{name}.log"
    with locked(directory / f"{name}.users", fcntl.LOCK_SH):
        with locked(directory / f"{name}.starting"):
            if not address.exists():
                _start_keeper(name, address, log)
        yield json.loads(address.read_text())


def _start_keeper(name: str, address: Path, log: Path) -> None:
    with log.open("ab") as output:
        keeper = subprocess.Popen(
            [sys.executable, "-m", "tests.servers.shared", name, str(address)], cwd=_ROOT, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=output, stderr=output,
        )  # fmt: skip
    wait_until(lambda: address.exists() or keeper.poll() is not None, f"{name} runs", deadline_s=120)
    if not address.exists():
        raise ServerFailed(f"{name} did not start:\n{log.read_text()[-4000:]}")
    # Not our child to wait for: it ends after us. Python would warn when the object goes.
    keeper.returncode = 0


def keep(name: str, address: Path) -> None:
    """Run the server until nobody uses it."""
    with _SERVERS[name]() as server:
        draft = address.with_suffix(".draft")
        draft.write_text(json.dumps(server.address()))
        draft.rename(address)
        with locked(address.with_suffix(".users")):
            address.unlink()


if __name__ == "__main__":
    keep(sys.argv[1], Path(sys.argv[2]))
