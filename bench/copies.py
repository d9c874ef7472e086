"""Many generations that wait, made from one: rows as the service wrote them for the first, with ids of their own.

The service accepts and submits one. The others' predictions are made on the runner, and their rows are copies of the
first's: the hold and its transfer, the generation, its attempt and its event, and the sums in balance, lot and counter.
So the audit stays clean, and only the way there was shorter.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import asyncpg

_COPY = """
WITH new AS (
  SELECT * FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[])
  WITH ORDINALITY AS new(id, hold_id, ref, prediction_id, due_at, n)
), first AS (SELECT * FROM generations WHERE id = $1
), holds AS (
  INSERT INTO credit_holds SELECT made.* FROM new, first JOIN credit_holds h ON h.id = first.hold_id,
    jsonb_populate_record(h, jsonb_build_object('id', new.hold_id, 'key', new.id)) AS made
), transfers AS (
  INSERT INTO credit_transfers SELECT made.* FROM new, first JOIN credit_transfers t ON t.hold_id = first.hold_id,
    jsonb_populate_record(t, jsonb_build_object(
      'id', nextval(pg_get_serial_sequence('credit_transfers', 'id')), 'hold_id', new.hold_id)) AS made
), generations AS (
  INSERT INTO generations SELECT made.* FROM new, generations first,
    jsonb_populate_record(first, jsonb_build_object(
      'id', new.id, 'hold_id', new.hold_id, 'prediction_id', new.prediction_id, 'due_at', new.due_at)) AS made
  WHERE first.id = $1
), attempts AS (
  INSERT INTO generation_attempts SELECT made.* FROM new, generation_attempts a,
    jsonb_populate_record(a, jsonb_build_object(
      'generation_id', new.id, 'ref', new.ref, 'prediction_id', new.prediction_id)) AS made
  WHERE a.generation_id = $1
), events AS (
  INSERT INTO events SELECT made.* FROM new, events e,
    jsonb_populate_record(e, jsonb_build_object('number', e.number + new.n, 'subject_id', new.id)) AS made
  WHERE e.subject_id = $1 AND e.type = 'generation.queued'
), counter AS (
  UPDATE event_counters c SET last = c.last + (SELECT count(*) FROM new)
  FROM first WHERE c.account_id = first.account_id
), balance AS (
  UPDATE credit_balances b SET available = b.available - taken.credits, held = b.held + taken.credits
  FROM first, (SELECT count(*) * held_credits AS credits FROM new, first GROUP BY held_credits) taken
  WHERE b.account_id = first.account_id AND b.credit_type = first.credit_type
)
UPDATE credit_lots l SET remaining = l.remaining - taken.credits, held = l.held + taken.credits
FROM first, (SELECT count(*) * held_credits AS credits FROM new, first GROUP BY held_credits) taken
WHERE l.account_id = first.account_id AND l.credit_type = first.credit_type
"""
_WAITING = "SELECT id FROM generations WHERE phase = 'await'"
_SPREAD = """
UPDATE generations SET due_at = $1::timestamptz + ranked.n * $2::interval
FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM generations WHERE phase = 'await') ranked
WHERE ranked.id = generations.id
"""
FAR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Copy:
    """The ids of one more generation."""

    id: str
    hold_id: str
    ref: str
    prediction_id: str


async def copy(url: str, copies: list[Copy]) -> None:
    """Write the copies of the one generation that waits; none of them is due for an hour."""
    connection = await _connect(url)
    try:
        first = await connection.fetchval(_WAITING)
        due = [datetime.now(UTC) + FAR] * len(copies)
        columns = zip(*((c.id, c.hold_id, c.ref, c.prediction_id) for c in copies), strict=True)
        await connection.execute(_COPY, first, *map(list, columns), due)
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()


async def spread(url: str, every: timedelta) -> None:
    """Make the waiting rows due one after another, ``every`` so long, from now on."""
    connection = await _connect(url)
    try:
        await connection.execute(_SPREAD, datetime.now(UTC), every)
    finally:
        await connection.close()


async def count_waiting(url: str) -> int:
    """How many generations wait for their predictions."""
    connection = await _connect(url)
    try:
        return len(await connection.fetch(_WAITING))
    finally:
        await connection.close()


async def _connect(url: str) -> Any:
    return await cast("Any", asyncpg).connect(url.replace("+asyncpg", ""))
