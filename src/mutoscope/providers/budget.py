"""How much of what a provider lets us ask may go to other people's questions. Each process counts for itself."""

from collections import OrderedDict
from datetime import UTC, datetime, timedelta

from mutoscope.providers.base import Rate, Throttled

MAX_BUCKETS = 10_000
# Of the schemas of models that have no entry in the settings, so that whoever may run any model invents few.
UNLISTED = Rate(per_minute=60, burst=30)


class OverBudget(Throttled):
    """It is we, not the provider, who ask to come back later."""

    status, code, title = 429, "too_many_reads", "Too much is asked of the provider"


class Budget:
    """A bucket that holds ``rate.burst`` calls and fills at ``rate.per_minute``."""

    def __init__(self, rate: Rate) -> None:
        self._interval, self._holds = rate.interval, rate.interval * rate.burst
        self._full_at = datetime.min.replace(tzinfo=UTC)

    def early_by(self, now: datetime) -> timedelta:
        """How long it takes until there is one to take; not above zero if there is."""
        return max(self._full_at, now) + self._interval - now - self._holds

    def use(self, now: datetime) -> None:
        """Use one up, whether it is there or not: see ``take``."""
        self._full_at = max(self._full_at, now) + self._interval


class Budgets:
    """A bucket for each of many; of those that asked longest ago it is forgotten that they did."""

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._buckets: OrderedDict[str, Budget] = OrderedDict()

    def of(self, name: str) -> Budget:
        """The bucket of ``name``."""
        bucket = self._buckets[name] = self._buckets.pop(name, None) or Budget(self._rate)
        if len(self._buckets) > MAX_BUCKETS:
            self._buckets.popitem(last=False)
        return bucket


def take(now: datetime, *budgets: Budget) -> None:
    """Use one up of each; if one is empty, of none, so that nobody pays for what he does not get.

    Raises:
        OverBudget: One is empty; says when there is something in all of them.
    """
    if (early := max(one.early_by(now) for one in budgets)) > timedelta():
        raise OverBudget("This service asks for no more at the moment.", retry_after_s=early.total_seconds())
    for one in budgets:
        one.use(now)
