"""The command line. ``main`` is the process's edge: whatever goes wrong ends as one line and an exit status."""

import logging
import sys

FAILED = 1


def main() -> None:
    """Run one command. Exit status: 0 done, 1 failed or something was found, 2 wrong usage, 130 interrupted."""
    # Imported here, so that what goes wrong with an import is said in one line too.
    try:
        from mutoscope.cli.app import app

        app()
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        # The last resort of the process: nobody is served by a traceback who cannot change the code.
        logging.getLogger("mutoscope").debug("the command failed", exc_info=error)
        ours = type(error).__module__.startswith("mutoscope.")
        text = str(error) if ours else f"{type(error).__name__}: {error}"
        sys.stderr.write(f"mutoscope: {' '.join(text.split())}\n")
        sys.exit(FAILED)
