"""The ledger's two hot paths as single statements, for PostgreSQL: there each statement is a journey.

They do what the plain forms in ``reservations`` and ``settlements`` do, which SQLite uses; the same tests run on both.
"""

from datetime import datetime

from sqlalchemy import BigInteger, DateTime, String, bindparam, text
from sqlalchemy.ext.asyncio import AsyncSession

from mutoscope.ledger import tables
from mutoscope.ledger.records import Hold

_TYPES = {
    "id": String(), "account_id": String(), "credit_type": String(), "key": String(), "reason": String(),
    "amount": BigInteger(), "now": DateTime(timezone=True),
}  # fmt: skip

# Runs after the balance's row was locked by a statement before it, so that its view of the lots is the newest.
_TAKE = text("""
WITH live AS (
  SELECT id, remaining, SUM(remaining) OVER burn_down AS running, ROW_NUMBER() OVER burn_down AS place
  FROM credit_lots
  WHERE account_id = :account_id AND credit_type = :credit_type AND remaining > 0
    AND (expires_at IS NULL OR expires_at > :now)
  WINDOW burn_down AS (ORDER BY expires_at ASC NULLS LAST, priority, id)
), taken AS (
  SELECT id, LEAST(remaining, :amount - (running - remaining)) AS amount, place
  FROM live WHERE running - remaining < :amount
), hold AS (
  INSERT INTO credit_holds (id, account_id, credit_type, key, amount, posted, state, created_at)
  SELECT :id, :account_id, :credit_type, :key, :amount, 0, 'pending', :now
  WHERE (SELECT SUM(amount) FROM taken) = :amount
  ON CONFLICT (account_id, key) DO NOTHING RETURNING id
), moved AS (
  UPDATE credit_lots l SET remaining = l.remaining - t.amount, held = l.held + t.amount
  FROM taken t, hold WHERE l.id = t.id
)
INSERT INTO credit_transfers (account_id, credit_type, kind, debit, credit, amount, lot_id, hold_id, created_at)
SELECT :account_id, :credit_type, 'reserve', 'available', 'held', t.amount, t.id, hold.id, :now
FROM taken t, hold ORDER BY t.place
RETURNING id
""").bindparams(
    *(bindparam(name, type_=_TYPES[name]) for name in ("id", "account_id", "credit_type", "key", "amount", "now"))
)

# Each part reads from the one before it, so that locks are taken in the order hold, balance, lots.
_POST_ALL = text("""
WITH closed AS (
  UPDATE credit_holds SET state = 'posted', posted = amount, reason = :reason, settled_at = :now
  WHERE id = :id AND state = 'pending' AND amount = :amount
  RETURNING id, account_id, credit_type, amount, posted, state, reason
), balance AS (
  UPDATE credit_balances b SET held = b.held - c.amount, spent = b.spent + c.amount
  FROM closed c WHERE b.account_id = c.account_id AND b.credit_type = c.credit_type
  RETURNING b.account_id
), parts AS (
  SELECT t.id, t.lot_id, t.amount FROM credit_transfers t, balance WHERE t.hold_id = :id AND t.kind = 'reserve'
), moved AS (
  UPDATE credit_lots l SET held = l.held - p.amount, spent = l.spent + p.amount FROM parts p WHERE l.id = p.lot_id
), written AS (
  INSERT INTO credit_transfers
    (account_id, credit_type, kind, debit, credit, amount, lot_id, hold_id, reason, created_at)
  SELECT c.account_id, c.credit_type, 'post', 'held', 'spent', p.amount, p.lot_id, c.id, :reason, :now
  FROM parts p, closed c ORDER BY p.id
)
SELECT id, account_id, credit_type, amount, posted, state, reason FROM closed
""").bindparams(*(bindparam(name, type_=_TYPES[name]) for name in ("id", "reason", "amount", "now")))


def speaks(session: AsyncSession) -> bool:
    """Whether this session talks to PostgreSQL."""
    return session.get_bind().dialect.name == "postgresql"


async def take(session: AsyncSession, hold: Hold, *, key: str, now: datetime) -> bool:
    """Write the hold and take it from lots; do neither when they do not cover it or the key is not new."""
    row = {"id": hold.id, "account_id": hold.account_id, "credit_type": hold.credit_type, "amount": hold.amount}
    return (await session.execute(_TAKE, {**row, "key": key, "now": now})).first() is not None


async def post_all(
    session: AsyncSession, hold_id: str, *, amount: int, reason: str | None, now: datetime
) -> Hold | None:
    """Spend a whole pending hold of exactly ``amount``; ``None``, and nothing done, when it is not that."""
    values = {"id": hold_id, "amount": amount, "reason": reason, "now": now}
    row = (await session.execute(_POST_ALL, values)).one_or_none()
    return tables.hold_of(row) if row else None
