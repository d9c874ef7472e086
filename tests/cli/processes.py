"""Looks for processes that a command should have taken with it."""

import os
from pathlib import Path

from tests.cli.shell import Shell


def left_behind(shell: Shell) -> list[int]:
    """Runners that work in this folder, except for the demo itself."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if any(word.startswith(str(shell.directory).encode()) for word in words) and b"runner" in words:
                found.append(int(entry.name))
    return found
