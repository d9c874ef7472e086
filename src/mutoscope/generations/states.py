"""The state machine, pure: which phase may follow which, and the status the API shows meanwhile.

queued -> submit -> submitting -> await -> store -> settle -> done
                         |  ^
                         v  |
                        doubt
"""

from enum import StrEnum
from typing import Literal

Outcome = Literal["completed", "failed", "canceled"]


class Phase(StrEnum):
    """Where a generation is, inside."""

    QUEUED = "queued"  # accepted and held; waits for a place at the provider
    SUBMIT = "submit"  # admitted; the provider is to be asked
    SUBMITTING = "submitting"  # intent is committed; the call may be under way
    DOUBT = "doubt"  # the call's answer was lost; a prediction may exist
    AWAIT = "await"  # the prediction is known; waits for its end
    STORE = "store"  # the prediction succeeded; files are brought in
    SETTLE = "settle"  # the outcome is decided; the money is to follow
    DONE = "done"


class Status(StrEnum):
    """Where a generation is, as the API shows it."""

    QUEUED = "queued"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELED = "canceled"


IN_FLIGHT = (Phase.SUBMIT, Phase.SUBMITTING, Phase.DOUBT, Phase.AWAIT)
"""Phases that take one of the provider's places."""

FINAL = (Status.COMPLETED, Status.FAILED, Status.CANCELED)

NEXT: dict[Phase, frozenset[Phase]] = {
    Phase.QUEUED: frozenset({Phase.SUBMIT, Phase.SETTLE}),
    Phase.SUBMIT: frozenset({Phase.SUBMITTING, Phase.QUEUED, Phase.SETTLE}),
    Phase.SUBMITTING: frozenset({Phase.AWAIT, Phase.DOUBT, Phase.SUBMIT, Phase.QUEUED, Phase.SETTLE}),
    Phase.DOUBT: frozenset({Phase.AWAIT, Phase.SUBMIT, Phase.SETTLE}),
    Phase.AWAIT: frozenset({Phase.STORE, Phase.SUBMIT, Phase.SETTLE}),
    Phase.STORE: frozenset({Phase.SETTLE}),
    Phase.SETTLE: frozenset({Phase.DONE}),
    Phase.DONE: frozenset(),
}


def may_follow(before: Phase, after: Phase) -> bool:
    """Whether a row in ``before`` may be written as ``after``; staying is always allowed."""
    return before == after or after in NEXT[before]


def status_in(phase: Phase, outcome: Outcome | None) -> Status:
    """The status to show for a phase; the outcome shows only once the money has followed."""
    match phase:
        case Phase.QUEUED:
            return Status.QUEUED
        case Phase.SUBMIT | Phase.SUBMITTING | Phase.DOUBT | Phase.AWAIT | Phase.STORE | Phase.SETTLE:
            return Status.PROCESSING
        case Phase.DONE:
            if outcome is None:
                raise ValueError("a generation cannot be done without an outcome")
            return Status(outcome)
