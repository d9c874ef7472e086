"""How much of what a provider lets us ask may go to other people's questions. Each process counts for itself."""

from collections import OrderedDict
from datetime import UTC, datetime, timedelta

from mutoscope.providers.base import Rate, Throttled

MAX_BUCKETS = 10_000


class Budget:
    """A bucket that holds ``rate.burst`` calls and fills at ``rate.per_minute``."""

    def __init__(self, rate: Rate) -> None:
        self._interval, self._holds = rate.interval, rate.interval * rate.burst
        self._full_at = datetime.min.replace(tzinfo=UTC)

    def take(self, now: datetime) -> None:
        """Use one up. Raises ``Throttled``, which says when there is another."""
        full_at = max(self._full_at, now) + self._interval
        if (early := full_at - now - self._holds) > timedelta():
            raise Throttled("This service reads no more pages at the moment.", retry_after_s=early.total_seconds())
        self._full_at = full_at


class Budgets:
    """A bucket for each of many; of those that asked longest ago it is forgotten that they did."""

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._buckets: OrderedDict[str, Budget] = OrderedDict()

    def take(self, name: str, now: datetime) -> None:
        """Use one up of the bucket of ``name``. Raises as ``Budget.take``."""
        bucket = self._buckets[name] = self._buckets.pop(name, None) or Budget(self._rate)
        if len(self._buckets) > MAX_BUCKETS:
            self._buckets.popitem(last=False)
        bucket.take(now)
