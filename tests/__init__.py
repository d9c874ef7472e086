"""The test suite. Its rooms mirror those of ``src/mutoscope``."""
