"""The audit's queries, the same text for both databases. Each returns what is wrong: a subject and its figures.

Where a figure ``x`` stands beside ``true_x``, the first is what is kept and the second what it must be.
"""

_NET = """
  SUM(CASE 'issued' WHEN credit THEN amount WHEN debit THEN -amount ELSE 0 END) AS issued,
  SUM(CASE 'available' WHEN credit THEN amount WHEN debit THEN -amount ELSE 0 END) AS available,
  SUM(CASE 'held' WHEN credit THEN amount WHEN debit THEN -amount ELSE 0 END) AS held,
  SUM(CASE 'spent' WHEN credit THEN amount WHEN debit THEN -amount ELSE 0 END) AS spent,
  SUM(CASE 'expired' WHEN credit THEN amount WHEN debit THEN -amount ELSE 0 END) AS expired
"""

_BALANCE_AGAINST = """
SELECT b.account_id || ' ' || b.credit_type AS subject,
  b.issued AS issued, COALESCE(t.issued, 0) AS true_issued,
  b.available AS available, COALESCE(t.available, 0) AS true_available,
  b.held AS held, COALESCE(t.held, 0) AS true_held,
  b.spent AS spent, COALESCE(t.spent, 0) AS true_spent,
  b.expired AS expired, COALESCE(t.expired, 0) AS true_expired
FROM credit_balances b LEFT JOIN truth t ON t.account_id = b.account_id AND t.credit_type = b.credit_type
WHERE b.account_id > :low AND b.account_id <= :high
  AND (b.issued <> COALESCE(t.issued, 0) OR b.available <> COALESCE(t.available, 0) OR b.held <> COALESCE(t.held, 0)
    OR b.spent <> COALESCE(t.spent, 0) OR b.expired <> COALESCE(t.expired, 0))
"""

_BALANCE_TRANSFERS = f"""
WITH truth AS (
  SELECT account_id, credit_type, {_NET} FROM credit_transfers
  WHERE account_id > :low AND account_id <= :high GROUP BY account_id, credit_type
) {_BALANCE_AGAINST}
"""  # noqa: S608 - made of constants

_BALANCE_LOTS = f"""
WITH truth AS (
  SELECT account_id, credit_type, -SUM(amount) AS issued, SUM(remaining) AS available, SUM(held) AS held,
    SUM(spent) AS spent, SUM(expired) AS expired
  FROM credit_lots WHERE account_id > :low AND account_id <= :high GROUP BY account_id, credit_type
) {_BALANCE_AGAINST}
"""  # noqa: S608 - made of constants

_BALANCE_HOLDS = """
WITH truth AS (
  SELECT account_id, credit_type, SUM(amount) AS held FROM credit_holds
  WHERE state = 'pending' AND account_id > :low AND account_id <= :high GROUP BY account_id, credit_type
)
SELECT b.account_id || ' ' || b.credit_type AS subject, b.held AS held, COALESCE(t.held, 0) AS true_held
FROM credit_balances b LEFT JOIN truth t ON t.account_id = b.account_id AND t.credit_type = b.credit_type
WHERE b.account_id > :low AND b.account_id <= :high AND b.held <> COALESCE(t.held, 0)
"""

_LOT_TRANSFERS = f"""
WITH truth AS (
  SELECT lot_id, MIN(account_id) AS owner, MAX(account_id) AS owner_too, MIN(credit_type) AS type,
    MAX(credit_type) AS type_too, {_NET}
  FROM credit_transfers WHERE account_id > :low AND account_id <= :high GROUP BY lot_id
)
SELECT l.id AS subject,
  l.amount AS amount, -COALESCE(t.issued, 0) AS true_amount,
  l.remaining AS remaining, COALESCE(t.available, 0) AS true_remaining,
  l.held AS held, COALESCE(t.held, 0) AS true_held,
  l.spent AS spent, COALESCE(t.spent, 0) AS true_spent,
  l.expired AS expired, COALESCE(t.expired, 0) AS true_expired,
  l.account_id AS owner, t.owner AS true_owner, l.credit_type AS type, t.type AS true_type
FROM credit_lots l LEFT JOIN truth t ON t.lot_id = l.id
WHERE l.account_id > :low AND l.account_id <= :high
  AND (t.lot_id IS NULL OR l.amount <> -t.issued OR l.remaining <> t.available OR l.held <> t.held OR l.spent <> t.spent
    OR l.expired <> t.expired OR l.account_id <> t.owner OR t.owner <> t.owner_too OR l.credit_type <> t.type
    OR t.type <> t.type_too)
"""  # noqa: S608 - made of constants

_HOLD_SETTLEMENT = """
WITH truth AS (
  SELECT hold_id,
    SUM(CASE kind WHEN 'reserve' THEN amount ELSE 0 END) AS reserved,
    SUM(CASE kind WHEN 'post' THEN amount ELSE 0 END) AS posted,
    SUM(CASE kind WHEN 'void' THEN amount ELSE 0 END) AS returned,
    SUM(CASE kind WHEN 'refund' THEN amount ELSE 0 END) AS refunded
  FROM credit_transfers WHERE hold_id IS NOT NULL AND account_id > :low AND account_id <= :high GROUP BY hold_id
), kept AS (
  SELECT id, account_id, amount, posted, CASE state WHEN 'pending' THEN 0 ELSE amount - posted END AS returned,
    CASE WHEN (state = 'posted') = (posted > 0) THEN 0 ELSE 1 END AS odd
  FROM credit_holds WHERE account_id > :low AND account_id <= :high
)
SELECT h.id AS subject,
  h.amount AS reserved, COALESCE(t.reserved, 0) AS true_reserved,
  h.posted AS posted, COALESCE(t.posted, 0) AS true_posted,
  h.returned AS returned, COALESCE(t.returned, 0) AS true_returned,
  COALESCE(t.refunded, 0) AS refunded
FROM kept h LEFT JOIN truth t ON t.hold_id = h.id
WHERE h.odd = 1 OR h.amount <> COALESCE(t.reserved, 0) OR h.posted <> COALESCE(t.posted, 0)
  OR h.returned <> COALESCE(t.returned, 0) OR COALESCE(t.refunded, 0) > h.posted
"""

_HOLD_SETTLED_TWICE = """
SELECT hold_id AS subject, lot_id AS lot, MIN(kind) AS kind, COUNT(*) AS times
FROM credit_transfers
WHERE hold_id IS NOT NULL AND kind IN ('reserve', 'post', 'void') AND account_id > :low AND account_id <= :high
GROUP BY hold_id, lot_id, kind HAVING COUNT(*) > 1
"""

_HOLD_LOTS = """
SELECT hold_id AS subject, lot_id AS lot,
  SUM(CASE kind WHEN 'reserve' THEN 0 ELSE t.amount END) AS settled,
  SUM(CASE kind WHEN 'reserve' THEN t.amount ELSE 0 END) AS true_settled
FROM credit_transfers t JOIN credit_holds h ON h.id = t.hold_id
WHERE h.state <> 'pending' AND kind IN ('reserve', 'post', 'void') AND t.account_id > :low AND t.account_id <= :high
GROUP BY hold_id, lot_id
HAVING SUM(CASE kind WHEN 'reserve' THEN t.amount ELSE -t.amount END) <> 0
"""

_HOLD_OWNER = """
SELECT h.id AS subject, h.account_id || ' ' || h.credit_type AS owner, l.account_id || ' ' || l.credit_type AS lot_owner
FROM credit_transfers t JOIN credit_holds h ON h.id = t.hold_id JOIN credit_lots l ON l.id = t.lot_id
WHERE t.account_id > :low AND t.account_id <= :high
  AND (h.account_id <> l.account_id OR h.credit_type <> l.credit_type OR t.account_id <> h.account_id)
"""

_ZERO_SUM = """
SELECT credit_type AS subject, SUM(issued) AS issued, SUM(available) AS available, SUM(held) AS held,
  SUM(spent) AS spent, SUM(expired) AS expired
FROM credit_balances GROUP BY credit_type HAVING SUM(issued + available + held + spent + expired) <> 0
"""

_NO_BALANCE = """
SELECT DISTINCT account_id || ' ' || credit_type AS subject, 'has lots or holds but no balance' AS it
FROM (SELECT account_id, credit_type FROM credit_lots UNION SELECT account_id, credit_type FROM credit_holds) o
WHERE NOT EXISTS (
  SELECT 1 FROM credit_balances b WHERE b.account_id = o.account_id AND b.credit_type = o.credit_type
)
"""

OVER_ALL = {"zero_sum": _ZERO_SUM, "balance_missing": _NO_BALANCE}

# Each for the accounts after :low up to and with :high.
PER_PAGE = {
    "balance_transfers": _BALANCE_TRANSFERS,
    "balance_lots": _BALANCE_LOTS,
    "balance_holds": _BALANCE_HOLDS,
    "lot_transfers": _LOT_TRANSFERS,
    "hold_settlement": _HOLD_SETTLEMENT,
    "hold_settled_twice": _HOLD_SETTLED_TWICE,
    "hold_lots": _HOLD_LOTS,
    "hold_owner": _HOLD_OWNER,
}
