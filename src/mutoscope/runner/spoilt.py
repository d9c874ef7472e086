"""What is still to go wrong with later requests about one prediction."""

from dataclasses import dataclass
from typing import Self

from mutoscope.runner.faults import Faults


@dataclass(slots=True)
class Spoilt:
    """Counts down as requests come."""

    get_500: int
    get_timeout_s: float
    cancel_lost: int
    stream_cut: int

    @classmethod
    def by(cls, faults: Faults) -> Self | None:
        """What these faults spoil, if anything."""
        spoilt = cls(faults.get_500, faults.get_timeout_s, faults.cancel_lost, faults.stream_cut)
        return spoilt if any((spoilt.get_500, spoilt.get_timeout_s, spoilt.cancel_lost, spoilt.stream_cut)) else None
