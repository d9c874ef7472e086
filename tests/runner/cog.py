"""The processes of Cog servers that a runner started, which itself runs in this process or below it."""

import os
from pathlib import Path

SLEEPER = Path(__file__).parent / "predictors" / "sleeper.py"
NAME = "local/sleeper"
_KEEPER = "mutoscope.runner.cogs.keeper"


def descendants(pid: int) -> list[int]:
    """All processes below one."""
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        parents.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found = parents.get(pid, [])
    return [*found, *(one for child in found for one in descendants(child))]


def alive(pids: list[int]) -> list[int]:
    """Those that still run; one that has ended and that nobody has waited for does not."""
    found: list[int] = []
    for pid in pids:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
                found.append(pid)
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def processes(word: str) -> list[int]:
    """The processes below this one that have a word in their command line."""
    found: list[int] = []
    for pid in descendants(os.getpid()):
        try:
            if word in Path(f"/proc/{pid}/cmdline").read_text():
                found.append(pid)
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def workers() -> list[int]:
    """Those that run predictors."""
    return processes("coglet.server._run_worker")


def keepers() -> list[int]:
    """Those that end a server with its runner."""
    return processes(_KEEPER)


def servers() -> list[int]:
    """Those that speak HTTP, without their keepers."""
    kept_by = keepers()
    return [pid for pid in processes("cog.server.http") if pid not in kept_by]
