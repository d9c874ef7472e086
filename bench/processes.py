"""The processes that are measured: up when they have written a first line, and looked at through ``/proc``."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

MIB = 2**20
STOP_S = 20
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_ROOT = Path(__file__).parents[1]


class Process:
    """A running process that said in JSON, on its first line, where it is reached."""

    def __init__(self, popen: subprocess.Popen[str], ready: dict[str, Any]) -> None:
        self.pid = popen.pid
        self.ready = ready
        self._popen = popen

    @property
    def url(self) -> str:
        """Where it is reached."""
        return str(self.ready["url"])

    @property
    def port(self) -> int:
        """The port of ``url``."""
        return int(self.url.rpartition(":")[2])

    def cpu_s(self) -> float:
        """Seconds of processor time that its threads have used, to the microsecond where the kernel counts so."""
        return cpu_s(self.pid)

    def rss_bytes(self) -> int:
        """Resident memory now."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * _PAGE_BYTES

    def peak_rss_bytes(self) -> int:
        """The most resident memory since ``forget_peak``, as the kernel has kept it."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
        raise RuntimeError("the kernel keeps no VmHWM")

    def forget_peak(self) -> None:
        """Make the peak start again from now."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def stays_up(self, seconds: float) -> None:
        """Return after so many seconds. Raises ``RuntimeError`` when it ends before."""
        try:
            status = self._popen.wait(seconds)
        except subprocess.TimeoutExpired:
            return
        raise RuntimeError(f"process {self.pid} ended with {status}")


def cpu_s(*pids: int) -> float:
    """Processor time of living threads of these processes, in seconds."""
    return sum(_thread_cpu_ns(pid) for pid in pids) / 1e9


def ended_children_cpu_s(pid: int) -> float:
    """Processor time of a process's children that have ended, in seconds; the kernel counts it in hundredths."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[13:15])) / os.sysconf("SC_CLK_TCK")


def children(pid: int) -> list[int]:
    """The direct children of a process, such as the backends of a PostgreSQL server."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


@contextmanager
def process(
    module: str, *arguments: str | Path, read: Callable[[str], dict[str, Any] | None] = json.loads
) -> Generator[Process]:
    """``python -m module`` until the end of the block; it is up when ``read`` can read a line that it has written."""
    command = [sys.executable, "-m", module, *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=_ROOT) as popen:
        assert popen.stdout
        try:
            ready = next(filter(None, map(read, popen.stdout)), None)
            if ready is None:
                raise RuntimeError(f"{module} ended with {popen.wait(STOP_S)} before it was up")
            yield Process(popen, ready)
        finally:
            popen.send_signal(signal.SIGTERM)
            try:
                popen.wait(STOP_S)
            except subprocess.TimeoutExpired:
                popen.kill()


def announce(ready: dict[str, Any]) -> None:
    """What a measured process says when it is up."""
    sys.stdout.write(json.dumps(ready) + "\n")
    sys.stdout.flush()


def _thread_cpu_ns(pid: int) -> int:
    return sum(_read_ns(task / "schedstat") for task in _tasks(pid))


def _tasks(pid: int) -> Iterable[Path]:
    try:
        return list(Path(f"/proc/{pid}/task").iterdir())
    except FileNotFoundError:
        return []


def _read_ns(path: Path) -> int:
    try:
        return int(path.read_text().split()[0])
    except (FileNotFoundError, ProcessLookupError):
        return 0
