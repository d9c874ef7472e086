"""Inngest as the engine: the server that ``MUTOSCOPE_INNGEST_BIN`` names, in development mode."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from tests.inngest_server.server import VARIABLE, inngest_server

STEPS = 64


@contextmanager
def inngest() -> Generator[dict[str, Any]]:
    """The settings that make it the engine, for the length of the block."""
    if not os.environ.get(VARIABLE):
        raise SystemExit(f"Set {VARIABLE} to an Inngest server's binary")
    with inngest_server("dev") as server:
        yield {
            **server.settings,
            "engine": {"kind": "inngest"},
            "inngest": {"steps": STEPS, "steps_per_account": STEPS, "runs_per_minute": 100_000},
        }
