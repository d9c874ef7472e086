"""Numbered places where a test may kill the process, as a power cut would: around every commit and every outside call.

Without ``MUTOSCOPE_KILL_AT`` passing one does nothing. With ``bind.before_commit`` the process dies by SIGKILL when it
first passes that point, with ``bind.before_commit@3`` when it passes it for the third time.
"""

import os
import signal
from typing import Protocol

from mutoscope.core.errors import ConfigurationError

COMMITS = (
    "accept",  # hold, generation, event
    "admit",  # a place at the provider is taken
    "claim",  # a due row is leased
    "file_claim",  # an input file is about to be sent to the provider
    "intent",  # the attempt is written down
    "bind",  # the prediction's id is known
    "refuse",  # surely no prediction
    "throttle",  # surely no prediction, and nobody else asks for a while
    "doubt",  # perhaps a prediction
    "doubt_wait",  # not found yet
    "abandon",  # not found in the whole window
    "look_later",  # still running
    "observed",  # the prediction succeeded
    "retry",  # the prediction failed, another will be made
    "fail",  # the outcome is a failure or a cancel
    "stream",  # text that is being made is written down
    "stored",  # the files are written down
    "settle",  # money and final status
    "adopt",  # an orphan takes the prediction's place
    "put_down",  # an orphan has ended
    "tidy",  # a row that is done has no orphans left
    "webhook",  # a hint is written down
    "secret",  # an account's own webhook secret is made or replaced
    "delivery_claim",  # a webhook of ours is about to be sent
    "delivery_end",  # how a try went
)
CALLS = (
    "send_file.after_call",
    "create.after_call",
    "get.after_call",
    "cancel.after_call",
    "put.before_call",
    "put.after_call",
    "post.after_call",
)

POINTS: tuple[str, ...] = (*(f"{name}.{side}_commit" for name in COMMITS for side in ("before", "after")), *CALLS)
"""All points, in a fixed order: a point's number is its index."""


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
    """Die at one point.

    Args:
        spec: A name from ``POINTS``, or ``name@count``.

    Raises:
        ConfigurationError: There is no such point.
    """

    def __init__(self, spec: str) -> None:
        self._name, _, count = spec.partition("@")
        if self._name not in POINTS or not (count or "1").isdecimal():
            raise ConfigurationError(f"MUTOSCOPE_KILL_AT: there is no point {spec!r}; there are {', '.join(POINTS)}")
        self._left = int(count or 1)

    def reach(self, name: str) -> None:
        """Count down, and die."""
        if name != self._name:
            return
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
