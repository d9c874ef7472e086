"""Numbered places where a test may kill the process, as a power cut would.

Each is passed around every commit and every call to the outside world. Without ``MUTOSCOPE_KILL_AT`` passing one does
nothing. With ``name`` or ``name@3`` the process dies with SIGKILL when it passes that name the first or third time.
"""

import os
import signal
from typing import Protocol


class KillPoints(Protocol):
    """Something that may end the process."""

    def reach(self, name: str) -> None:
        """Pass the point ``name``."""
        ...


class NoKillPoints:
    """The default: all points are passed."""

    def reach(self, name: str) -> None:
        """Do nothing."""


class KillAt:
    """Die at one point. ``spec`` is ``name`` or ``name@count``."""

    def __init__(self, spec: str) -> None:
        self._name, _, count = spec.partition("@")
        self._left = int(count or 1)

    def reach(self, name: str) -> None:
        """Count down, and die."""
        if name != self._name:
            return
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
