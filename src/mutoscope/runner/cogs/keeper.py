"""Keeps one Cog server: ends it, and all that it started, when standard input ends, however that comes about.

``python -m mutoscope.runner.cogs.keeper COMMAND...`` so that no server outlives a runner that was killed. It must be
started in a session of its own: what is signalled to the group of the runner (a closed terminal, Ctrl-C) is not for it,
and the group that it makes with its server is what it ends, or the runner, if somebody has killed the keeper.
"""

import os
import signal
import subprocess
import sys
import threading


def main() -> None:
    """Run the command to its end, or until nobody holds the other side of standard input; then end the whole group."""
    child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)  # noqa: S603 - what we are for
    threading.Thread(target=_end_with_parent, daemon=True).start()
    child.wait()
    _end_group()  # its workers, if it died without them


def _end_with_parent() -> None:
    while os.read(0, 4096):  # not sys.stdin: its lock, held here, would spoil the end of the interpreter
        continue
    _end_group()


def _end_group() -> None:
    os.killpg(os.getpid(), signal.SIGKILL)  # and this process too; not 0, which may be the group of who started us


if __name__ == "__main__":
    main()
