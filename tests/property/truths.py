"""What must be true after every step, and what must be true at the end. Each truth yields sentences about its breaches.

Prices and predictions are looked at afresh here, not with the code that is tested.
"""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from sqlalchemy import Row, func, select

from mutoscope.db.base import table
from mutoscope.generations import audit as generations_audit
from mutoscope.generations.models import Attempt, Generation, OutputFile
from mutoscope.generations.states import FINAL, IN_FLIGHT
from mutoscope.ledger import audit as ledger_audit
from mutoscope.ledger.models import CreditBalance, CreditHold, CreditTransfer
from mutoscope.replicate_protocol.predictions import Prediction
from tests.property.shop import LIMITS, Shop

_rows, _attempts, _files = table(Generation), table(Attempt), table(OutputFile)
_holds, _balances, _transfers = table(CreditHold), table(CreditBalance), table(CreditTransfer)

# The longest back-off.
PATIENCE = timedelta(seconds=60)
MAY_FOLLOW = {"queued": {"processing", *FINAL}, "processing": {"queued", *FINAL}}


class Look(NamedTuple):
    """The database at one moment. Two looks are equal when nothing has changed."""

    rows: dict[str, Row[Any]]
    attempts: Sequence[Row[Any]]
    files: Sequence[Row[Any]]
    holds: dict[str, Row[Any]]
    balances: Sequence[Row[Any]]
    transfers: int

    @classmethod
    async def at(cls, shop: Shop) -> "Look":
        async with shop.database.read() as session:
            rows = await session.execute(select(_rows).order_by(_rows.c.created_at, _rows.c.id))
            attempts = await session.execute(select(_attempts).order_by(_attempts.c.generation_id, _attempts.c.number))
            files = await session.execute(select(_files).order_by(_files.c.generation_id, _files.c.number))
            holds = await session.execute(select(_holds))
            balances = await session.execute(select(_balances))
            return cls(
                {row.id: row for row in rows},
                attempts.all(),
                files.all(),
                {hold.id: hold for hold in holds},
                balances.all(),
                await session.scalar(select(func.max(_transfers.c.id))) or 0,
            )

    def money(self) -> tuple[object, ...]:
        return (self.holds, self.balances, self.transfers)

    def facts(self) -> tuple[object, ...]:
        """All that the audit of generations looks at."""
        rows = [(row.id, row.phase, row.due_at is None, row.prediction_id) for row in self.rows.values()]
        return (rows, self.attempts, self.files, self.holds)


async def breaches(shop: Shop, before: Look, now: Look) -> list[str]:
    """What is wrong now, or has changed since ``before`` in a way it never may."""
    if now == before:
        return []
    found: list[str] = []
    if now.money() != before.money():
        async with shop.database.read() as session:
            found += [str(finding) for finding in await ledger_audit.findings(session)]
    if now.facts() != before.facts():
        found += [str(finding) for finding in await generations_audit.findings(shop.database, shop.store)]
    for row in now.rows.values():
        found += _of_row(shop, now, row)
    return found + list(_changes(before, now)) + list(_of_all(now))


def _of_row(shop: Shop, now: Look, row: Row[Any]) -> Iterator[str]:
    hold = now.holds[row.hold_id]
    if (row.status in FINAL) != (row.phase == "done") or (row.status in FINAL) != (hold.state != "pending"):
        yield f"{row.id} is {row.status} in phase {row.phase} with a hold that is {hold.state}"
    if row.cancel_requested_at and row.due_at and not row.lease_until and row.due_at > shop.clock.now() + PATIENCE:
        yield f"{row.id} was canceled, and nobody looks at it before {row.due_at}"
    prediction = shop.fake.predictions.get(row.prediction_id or "")
    if row.status in FINAL and row.charged_credits != (due := _due(row, prediction)):
        yield f"{row.id} is {row.status} and was charged {row.charged_credits} instead of {due}"
    if row.status == "completed":
        yield from _stored(shop, now, row, prediction)
    elif row.status in FINAL and not row.failure_code:
        yield f"{row.id} is {row.status} and does not say why"


def _stored(shop: Shop, now: Look, row: Row[Any], prediction: Prediction | None) -> Iterator[str]:
    """Completed means stored: every file of the prediction's output, byte for byte."""
    if prediction is None or prediction.status != "succeeded":
        yield f"{row.id} is completed, but its prediction is {prediction and prediction.status}"
        return
    wanted = [shop.files.bytes[url] for url in urls_in(prediction.output, shop)]
    kept = [shop.store.inner._objects[file.key][1] for file in now.files if file.generation_id == row.id]
    if kept != wanted:
        yield f"{row.id} is completed and has files {kept}, but the model made {wanted}"


def urls_in(output: object, shop: Shop) -> list[str]:
    """The files that an output names, each once."""
    found: dict[str, None] = {}
    waiting = [output]
    while waiting:
        match waiting.pop(0):
            case str() as text if shop.files.is_file(text):
                found[text] = None
            case list() as items:
                waiting[:0] = items
            case dict() as fields:
                waiting[:0] = fields.values()
            case _:
                pass
    return list(found)


def _due(row: Row[Any], prediction: Prediction | None) -> int:
    """What the terms say: for what was delivered, or for a user's own cancel of what had begun."""
    price, cap = row.terms["price"], row.terms["max_predict_seconds"]
    used_s = prediction.predict_time_s if prediction else None
    seconds = price["per_predict_second"] * math.ceil(min(max(used_s or 0, 0), cap))
    canceled = row.terms["charge_canceled"] if row.prediction_id else "nothing"
    match row.status:
        case "completed" if prediction:
            made = len(prediction.output) if isinstance(prediction.output, list) else 1
            return min(price["per_run"] + price["per_output"] * made + seconds, row.held_credits)
        case "canceled" if canceled == "everything":
            return row.held_credits
        case "canceled" if canceled == "used_seconds":
            return min(seconds, row.held_credits)
        case _:
            return 0


def _changes(before: Look, now: Look) -> Iterator[str]:
    for row_id, old in before.rows.items():
        new = now.rows.get(row_id)
        if new is None:
            yield f"{row_id} is gone"
        elif old.status in FINAL and _end(old) != _end(new):
            yield f"{row_id} had ended as {_end(old)} and is now {_end(new)}"
        elif new.status != old.status and new.status not in MAY_FOLLOW[old.status]:
            yield f"{row_id} went from {old.status} to {new.status}"
    for hold_id, hold in before.holds.items():
        new_hold = now.holds[hold_id]
        if hold.state != "pending" and (hold.state, hold.posted) != (new_hold.state, new_hold.posted):
            settled, again = f"{hold.state} {hold.posted}", f"{new_hold.state} {new_hold.posted}"
            yield f"hold {hold_id} was settled twice: {settled}, then {again}"


def _end(row: Row[Any]) -> tuple[object, ...]:
    return (row.status, row.charged_credits, row.failure_code, row.output, row.prediction_id, row.completed_at)


def _of_all(now: Look) -> Iterator[str]:
    for balance in now.balances:
        if balance.available < 0:
            yield f"{balance.account_id} has {balance.available} credits"
    flying = [row for row in now.rows.values() if row.phase in IN_FLIGHT]
    most = Counter(row.account_id for row in flying).most_common(1)
    if len(flying) > LIMITS.settings.max_in_flight:
        yield f"{len(flying)} generations are in flight"
    if most and most[0][1] > LIMITS.settings.max_in_flight_per_account:
        yield f"{most[0][0]} has {most[0][1]} generations in flight"


def loose_ends(shop: Shop, now: Look, *, lost: int, doubled: int) -> Iterator[str]:
    """What is left over once everything has been driven to its end.

    Args:
        shop: The shop.
        now: The last look.
        lost: How many predictions could never be found: their create was given up, and no webhook named them.
        doubled: How many predictions the provider made of its own accord.
    """
    for row in now.rows.values():
        if row.status not in FINAL or row.due_at or row.lease_until:
            yield f"{row.id} is {row.status} in phase {row.phase}, due at {row.due_at}"
    if any(balance.held for balance in now.balances):
        yield f"credits are still held: {[balance.held for balance in now.balances]}"
    known = {attempt.prediction_id: attempt for attempt in now.attempts if attempt.prediction_id}
    predictions = [shop.fake.look(one) for one in shop.fake.predictions]
    unknown = [one for one in predictions if one.id not in known]
    if len(unknown) > lost:
        yield f"nobody knows {[one.id for one in unknown]}, and only {lost} can be explained"
    running = [one.id for one in predictions if one.id in known and not one.terminal]
    if running:
        yield f"predictions still run for generations that have ended: {running}"
    open_ends = [f"{a.prediction_id or a.ref} {a.state}" for a in now.attempts if a.state in ("intent", "orphan")]
    if open_ends:
        yield f"how these attempts ended is not on record: {open_ends}"
    intended = sum(attempt.number > 0 for attempt in now.attempts)
    if len(predictions) - doubled > intended:
        yield f"{len(predictions)} predictions were made, {doubled} of them unasked, for {intended} attempts"
    yield from _costs(shop, now, known)


def lost_sight(shop: Shop, now: Look, *, denied: bool, hidden: bool) -> Iterator[str]:
    """Predictions that were given up although they could have been found, so that a second one may have been bought.

    Args:
        shop: The shop.
        now: The last look.
        denied: Whether the provider ever made one and said that it refused.
        hidden: Whether its list was ever empty or broken.
    """
    made = {ref: one for one in map(shop.fake.look, shop.fake.predictions) if (ref := ref_of(one))}
    for attempt in now.attempts:
        one = made.get(attempt.ref)
        if one is None or attempt.prediction_id:
            continue
        if attempt.state == "refused" and not denied:
            yield f"{one.id} was made, and its attempt says that it was refused: {attempt.reason}"
        if attempt.state == "abandoned" and not hidden and one.created_at <= attempt.doubted_at:
            yield f"{one.id} was in the list, and was given up all the same"


def ref_of(prediction: Prediction) -> str | None:
    """The ref in its webhook's address."""
    return parse_qs(urlsplit(prediction.webhook or "").query).get("ref", [None])[0]


def _costs(shop: Shop, now: Look, known: dict[str, Row[Any]]) -> Iterator[str]:
    """What the provider bills is on record, but where it could not be asked any more."""
    for bill in shop.fake.billed():
        attempt = known.get(bill.id)
        if attempt is None or now.rows[attempt.generation_id].failure_code == "provider_unreachable":
            continue
        if (attempt.state, attempt.predict_time_s) != ("ended", bill.predict_time_s):
            on_record = f"{attempt.state} {attempt.predict_time_s}"
            yield f"{bill.id} costs {bill.predict_time_s} s, but is on record as {on_record}"
