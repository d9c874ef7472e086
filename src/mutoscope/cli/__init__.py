"""The command line. ``main`` is the process's edge: whatever goes wrong ends as one line and an exit status."""

import contextlib
import logging
import os
import signal
import sys
from types import FrameType
from typing import NoReturn

FAILED = 1
INTERRUPTED = 130


def main() -> NoReturn:
    """Run one command. Exit status: 0 done, 1 failed or something was found, 2 wrong usage, 130 interrupted."""
    signal.signal(signal.SIGINT, _end_at_once)
    status = _run()
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):  # whoever read it has gone
            stream.flush()
    # Everything is closed by now. An ordinary exit would race with obstore's own threads, which may still let go of
    # Python objects while the interpreter is taken down, and then abort the process.
    os._exit(status)


def _end_at_once(_signal: int, _frame: FrameType | None) -> NoReturn:
    """Ctrl-C, where a command has not asked for more (``stopping.py``): there is nothing to be tidied up.

    Python's own way, to raise ``KeyboardInterrupt`` wherever the program is just then, is now and then lost: while
    modules are imported that can be in a callback or a finalizer, which cannot raise, and the command goes on.
    """
    os._exit(INTERRUPTED)


def _run() -> int:
    # Imported here, so that what goes wrong with an import is said in one line too.
    try:
        from mutoscope.cli.app import app

        app()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else FAILED if ended.code else 0
    except Exception as error:
        # The last resort of the process: nobody is served by a traceback who cannot change the code.
        logging.getLogger("mutoscope").debug("the command failed", exc_info=error)
        ours = type(error).__module__.startswith("mutoscope.")
        text = str(error) if ours else f"{type(error).__name__}: {error}"
        sys.stderr.write(f"mutoscope: {' '.join(text.split())}\n")
        return FAILED
    return 0
