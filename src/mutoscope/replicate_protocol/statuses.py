"""Statuses of predictions and trainings. The set is open: what is not named here is read, kept and not terminal."""

TERMINAL_STATUSES = frozenset({"succeeded", "failed", "canceled", "aborted"})
"""Statuses after which a prediction never changes again, except that its data is removed."""


def is_terminal(status: str) -> bool:
    """Whether a prediction or training of this status can no longer change."""
    return status in TERMINAL_STATUSES
