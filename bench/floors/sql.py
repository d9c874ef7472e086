"""The tables of the floors and the statements on them, which both databases read alike. Integers are credits."""

CREDITS_EACH = 10**9
PRICE = 3

TABLES = """
CREATE TABLE IF NOT EXISTS balances (
  account_id text PRIMARY KEY, available bigint NOT NULL CHECK (available >= 0),
  held bigint NOT NULL, spent bigint NOT NULL
);
CREATE TABLE IF NOT EXISTS holds (
  id text PRIMARY KEY, account_id text NOT NULL, amount bigint NOT NULL, state text NOT NULL
);
CREATE TABLE IF NOT EXISTS generations (
  id text PRIMARY KEY, account_id text NOT NULL, hold_id text NOT NULL, status text NOT NULL, input text NOT NULL,
  prediction_id text, output text, created_at double precision NOT NULL, completed_at double precision
);
CREATE TABLE IF NOT EXISTS events (
  id text PRIMARY KEY, account_id text NOT NULL, generation_id text NOT NULL, type text NOT NULL
);
CREATE TABLE IF NOT EXISTS files (
  generation_id text PRIMARY KEY, path text NOT NULL, size_bytes bigint NOT NULL, sha256 text NOT NULL
);
CREATE TABLE IF NOT EXISTS messages (id text PRIMARY KEY);
"""

ACCOUNT = "INSERT INTO balances (account_id, available, held, spent) VALUES ($1, $2, $3, $4)"
GUARDED = "UPDATE balances SET available = available - $2, held = held + $2 WHERE account_id = $1 AND available >= $2"
HOLD = "INSERT INTO holds (id, account_id, amount, state) VALUES ($1, $2, $3, 'pending')"
GENERATION = (
    "INSERT INTO generations (id, account_id, hold_id, status, input, created_at) VALUES ($1, $2, $3, 'queued', $4, $5)"
)
EVENT = "INSERT INTO events (id, account_id, generation_id, type) VALUES ($1, $2, $3, $4)"
INTEND = "UPDATE generations SET status = 'submitting' WHERE id = $1"
BIND = "UPDATE generations SET status = 'processing', prediction_id = $2 WHERE id = $1"
MESSAGE = "INSERT INTO messages (id) VALUES ($1) ON CONFLICT DO NOTHING"
SETTLE_HOLD = "UPDATE holds SET state = 'posted' WHERE id = $1 AND state = 'pending'"
SETTLE_BALANCE = "UPDATE balances SET held = held - $2, spent = spent + $2 WHERE account_id = $1"
FILE = "INSERT INTO files (generation_id, path, size_bytes, sha256) VALUES ($1, $2, $3, $4)"
COMPLETE = "UPDATE generations SET status = 'completed', output = $2, completed_at = $3 WHERE id = $1"
