"""The rules of the ledger as tables and functions: no session, no clock."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from mutoscope.core.errors import InvalidRequest

Source = Literal["purchase", "plan", "promo", "adjustment"]
LedgerAccount = Literal["issued", "available", "held", "spent", "expired"]
Kind = Literal["grant", "reserve", "post", "void", "expire", "refund"]

# From which ledger account to which other each kind of transfer moves credits.
MOVES: dict[Kind, tuple[LedgerAccount, LedgerAccount]] = {
    "grant": ("issued", "available"),
    "reserve": ("available", "held"),
    "post": ("held", "spent"),
    "void": ("held", "available"),
    "expire": ("available", "expired"),
    "refund": ("spent", "available"),
}

MAX_AMOUNT = 10**15
# Sums stay far inside 64 bits, and SQLite would turn a larger one into a float.
MAX_ISSUED = 10**18
DEFAULT_GRACE_S = 86_400

_CREDIT_TYPE = re.compile(r"[a-z][a-z0-9_]{0,63}")
_EXTERNAL_ID = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]{1,255}")


@dataclass(frozen=True, slots=True)
class Part:
    """Credits of one lot."""

    lot_id: str
    amount: int


@dataclass(frozen=True, slots=True)
class Settled:
    """How the held credits of one lot end: ``posted`` are spent, ``returned`` go back to the lot."""

    lot_id: str
    posted: int
    returned: int


def check_amount(amount: int) -> None:
    """Refuse what is not a whole number of credits from 1 to ``MAX_AMOUNT``.

    Raises:
        InvalidRequest: With the amount and the limits.
    """
    if isinstance(amount, bool) or not isinstance(amount, int) or not 0 < amount <= MAX_AMOUNT:  # pyright: ignore[reportUnnecessaryIsInstance] - money is checked at run time too
        raise InvalidRequest(f"An amount must be a whole number from 1 to {MAX_AMOUNT}, not {str(amount)[:40]}")


def check_grant(*, credit_type: str, source: str, external_id: str) -> None:
    """Refuse names that the ledger could not keep or find again.

    Raises:
        InvalidRequest: Saying which name and what it may be.
    """
    if not _CREDIT_TYPE.fullmatch(credit_type):
        raise InvalidRequest("A credit type is a lower-case word of letters, digits and _, at most 64 long")
    if source not in get_args(Source):
        raise InvalidRequest(f"The source of a grant is one of {', '.join(get_args(Source))}")
    if not _EXTERNAL_ID.fullmatch(external_id):
        raise InvalidRequest("The external id of a grant is 1 to 255 printable characters")


def same_expiry(kept: datetime | None, asked: datetime | None, now: datetime) -> bool:
    """Whether a repeated grant names the expiry that the lot has, or had before a grace moved it."""
    if kept == asked:
        return True
    return kept is not None and asked is not None and asked <= now and kept > asked


def allocate(lots: Iterable[Part], amount: int) -> list[Part]:
    """Take ``amount`` from lots that come in burn-down order; less when they do not hold that much."""
    taken: list[Part] = []
    for lot in lots:
        if amount == 0:
            break
        take = min(lot.amount, amount)
        taken.append(Part(lot.lot_id, take))
        amount -= take
    return taken


def settle(held: Iterable[Part], posted: int) -> list[Settled]:
    """Spend ``posted`` from the held lots in the order they were reserved, and return the rest to the same lots."""
    settled: list[Settled] = []
    for part in held:
        spend = min(part.amount, posted)
        settled.append(Settled(part.lot_id, posted=spend, returned=part.amount - spend))
        posted -= spend
    return settled


def give_back(spent: Sequence[Part], amount: int) -> list[Part]:
    """Choose where a refund of ``amount`` goes: the lots it was spent from, the last used first."""
    return allocate(reversed(spent), amount)


def total(parts: Iterable[Part]) -> int:
    """The credits of all parts together."""
    return sum(part.amount for part in parts)
