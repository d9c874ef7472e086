"""``python -m mutoscope`` is ``mutoscope``."""

from mutoscope.cli import main

if __name__ == "__main__":
    main()
