"""Keeps one Cog server: ends it, and all that it started, when standard input ends, however that comes about.

``python -m mutoscope.runner.cogs.keeper COMMAND...`` so that no server outlives a runner that was killed. It must be
started in a session of its own: what is signalled to the group of the runner (a closed terminal, Ctrl-C) is not for it.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading


def main() -> int:
    """Run the command to its end, or until nobody holds the other side of standard input."""
    child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, start_new_session=True)  # noqa: S603 - what we are for

    def end_with_parent() -> None:
        while os.read(0, 4096):  # not sys.stdin: its lock, held here, would spoil the end of the interpreter
            continue
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)

    threading.Thread(target=end_with_parent, daemon=True).start()
    status = child.wait()
    with contextlib.suppress(ProcessLookupError):  # its workers, if it died without them
        os.killpg(child.pid, signal.SIGKILL)
    return status


if __name__ == "__main__":
    sys.exit(main())
