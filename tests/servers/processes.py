"""Child processes that never outlive the process that started them, not even when that one is killed with -9."""

import os
import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

DEADLINE_S = 60.0
_PORTS = range(10_000, 32_768)


class ServerFailed(RuntimeError):
    """A server did not start, or did not stop, in time; the message ends with the tail of its log."""


def free_ports(count: int) -> list[int]:
    """Distinct TCP ports of 127.0.0.1 that nobody listens on, below those that systems give to whoever asks for any.

    A port from there could go to another's connection before its server has started, or while that is stopped.
    """
    found: list[int] = []
    for port in random.sample(_PORTS, len(_PORTS)):
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            found.append(port)
        if len(found) == count:
            return found
    raise ServerFailed(f"No {count} free ports of 127.0.0.1 between {_PORTS.start} and {_PORTS.stop}")


def memory_disk() -> Path | None:
    """A file system in memory with room for test data, if this machine has one."""
    disk = Path("/dev/shm")
    return disk if disk.is_dir() and shutil.disk_usage(disk).free > 4 * 1024**3 else None


def wait_until(condition: Callable[[], bool], what: str, *, deadline_s: float = DEADLINE_S) -> None:
    """Look every 20 ms until ``condition`` holds. Raises ``ServerFailed`` naming ``what`` after ``deadline_s``."""
    give_up_at = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > give_up_at:
            raise ServerFailed(f"{what}: not within {deadline_s:g} s")
        time.sleep(0.02)


class Child:
    """One running server: its process, and a guard that ends it when our end of a pipe closes.

    The guard is a shell that waits for a line. It gets one when we stop the server ourselves; when we die instead, the
    kernel closes the pipe and the guard sends ``orphan_signal``. Unlike a parent-death signal, that works from any
    thread and on every Unix.
    """

    def __init__(
        self, argv: Sequence[str], *, log: Path, user: int | None = None, orphan_signal: signal.Signals
    ) -> None:
        self._log = log
        with log.open("ab") as output:
            self.process = _spawn(argv, output, user)
        guard = f"read -r line || kill -{orphan_signal.name[3:]} {self.process.pid}"
        self._guard = subprocess.Popen(
            [shutil.which("sh") or "/bin/sh", "-c", guard], stdin=subprocess.PIPE, start_new_session=True, cwd="/",
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self.process.poll() is None

    def wait_until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for ``condition``, and give up at once when the process ends. Raises ``ServerFailed`` with the log."""
        try:
            wait_until(lambda: not self.alive or condition(), what)
        except ServerFailed as failed:
            self.stop(signal.SIGKILL)
            raise ServerFailed(f"{failed}\n{self.log_tail()}") from None
        if not self.alive:
            self.stop(signal.SIGKILL)
            raise ServerFailed(f"{what}: the process ended with {self.process.returncode}\n{self.log_tail()}")

    def stop(self, how: signal.Signals) -> None:
        """Send ``how``, wait for the end, and after ten seconds kill. Doing it again does nothing."""
        if self.alive:
            self.process.send_signal(how)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()
        if self._guard.poll() is None:
            self._guard.communicate(b"done\n")

    def log_tail(self) -> str:
        """The last 4,000 characters that the process wrote."""
        return self._log.read_text(errors="replace")[-4000:]


def _spawn(argv: Sequence[str], output: IO[bytes], user: int | None) -> subprocess.Popen[bytes]:
    if user is None:
        return subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True, cwd="/"
        )
    return subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True, cwd="/",
        user=user, group=group_of(user), extra_groups=[], env={"PATH": os.defpath, "LC_ALL": "C"},
    )  # fmt: skip


def group_of(user: int) -> int:
    """The main group of a user id."""
    import pwd

    return pwd.getpwuid(user).pw_gid
