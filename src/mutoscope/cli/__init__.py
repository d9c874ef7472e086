"""The command line. ``main`` is the process's edge: whatever goes wrong ends as one line and an exit status."""

import logging
import sys

from mutoscope.core.errors import MutoscopeError

FAILED = 1


def main() -> None:
    """Run one command. Exit status: 0 done, 1 failed or something was found, 2 wrong usage, 130 interrupted."""
    # Imported here, so that what goes wrong with an import is said in one line too.
    try:
        from mutoscope.cli.app import app
        from mutoscope.client.errors import ClientError

        try:
            app()
        except (MutoscopeError, ClientError) as error:
            _fail(str(error))
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        # The last resort of the process: the log level shows or hides the traceback.
        logging.getLogger("mutoscope").debug("the command failed", exc_info=error)
        _fail(f"{type(error).__name__}: {error}".strip().splitlines()[0])


def _fail(text: str) -> None:
    sys.stderr.write(f"mutoscope: {text}\n")
    sys.exit(FAILED)
