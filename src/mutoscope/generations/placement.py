"""Which of several provider accounts runs a new generation: in turn, each as often as its create rate allows.

The choice is made when a generation is accepted, and kept: a prediction is polled, cancelled and billed where it was
made. Smooth weighted round-robin, in this process; admission of each account does the exact limiting.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence


class Placement:
    """Chooses accounts.

    Args:
        weights: How much each account takes, by its name; its create rate.
    """

    def __init__(self, weights: Mapping[str, int]) -> None:
        self._weights = dict(weights)
        # Each group of accounts takes turns by itself, so that models with few choices do not shift the others'.
        self._credit: defaultdict[tuple[str, ...], dict[str, int]] = defaultdict(dict)

    def choose(self, allowed: Sequence[str] | None) -> str:
        """The account whose turn it is, among those that are allowed (``None``: all)."""
        names = tuple(self._weights) if allowed is None else tuple(allowed)
        if len(names) == 1:
            return names[0]
        credit = self._credit[names]
        for name in names:
            credit[name] = credit.get(name, 0) + self._weights[name]
        chosen = max(names, key=lambda name: credit[name])
        credit[chosen] -= sum(self._weights[name] for name in names)
        return chosen
