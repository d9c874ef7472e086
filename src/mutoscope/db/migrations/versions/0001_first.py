"""The first schema: accounts, ledger, catalog, generations, events.

Triggers make the ledger's promises hold against any client of the database: a transfer is never changed or removed,
and a hold is settled once.
"""

import sqlalchemy as sa
from alembic import op

from mutoscope.db.base import Json, Sequence, Utc

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

SQLITE_TRIGGERS = [
    *(
        f"CREATE TRIGGER credit_transfers_no_{verb.lower()} BEFORE {verb} ON credit_transfers "
        "BEGIN SELECT RAISE(ABORT, 'credit_transfers is append-only'); END"
        for verb in ("UPDATE", "DELETE")
    ),
    "CREATE TRIGGER credit_holds_settle_once BEFORE UPDATE ON credit_holds WHEN OLD.state <> 'pending' "
    "BEGIN SELECT RAISE(ABORT, 'this hold is settled already'); END",
]
POSTGRES_TRIGGERS = [
    "CREATE FUNCTION mutoscope_refuse() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN RAISE EXCEPTION '%', TG_ARGV[0] USING ERRCODE = 'check_violation'; END $$",
    "CREATE TRIGGER credit_transfers_append_only BEFORE UPDATE OR DELETE ON credit_transfers "
    "FOR EACH ROW EXECUTE FUNCTION mutoscope_refuse('credit_transfers is append-only')",
    "CREATE TRIGGER credit_holds_settle_once BEFORE UPDATE ON credit_holds FOR EACH ROW WHEN (OLD.state <> 'pending') "
    "EXECUTE FUNCTION mutoscope_refuse('this hold is settled already')",
]


def upgrade() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("external_id", sa.String(length=255), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=True),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("max_in_flight", sa.Integer(), nullable=True),
        sa.Column("metadata", Json, nullable=False),
        sa.Column("created_at", Utc, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_accounts"),
        sa.UniqueConstraint("external_id", name="uq_accounts_external_id"),
    )
    op.create_table(
        "inbound_messages",
        sa.Column("provider", sa.String(length=32), nullable=False),
        sa.Column("message_id", sa.String(length=255), nullable=False),
        sa.Column("received_at", Utc, nullable=False),
        sa.PrimaryKeyConstraint("provider", "message_id", name="pk_inbound_messages"),
    )
    op.create_index("ix_inbound_messages_received_at", "inbound_messages", ["received_at"], unique=False)
    op.create_table(
        "model_schemas",
        sa.Column("provider", sa.String(length=32), nullable=False),
        sa.Column("reference", sa.String(length=255), nullable=False),
        sa.Column("openapi_schema", Json, nullable=False),
        sa.Column("fetched_at", Utc, nullable=False),
        sa.PrimaryKeyConstraint("provider", "reference", name="pk_model_schemas"),
    )
    op.create_table(
        "provider_budgets",
        sa.Column("provider", sa.String(length=32), nullable=False),
        sa.Column("next_create_at", Utc, nullable=False),
        sa.Column("closed_until", Utc, nullable=True),
        sa.PrimaryKeyConstraint("provider", name="pk_provider_budgets"),
    )
    op.create_table(
        "api_keys",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("scope", sa.String(length=16), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=True),
        sa.Column("name", sa.String(length=255), nullable=True),
        sa.Column("hint", sa.String(length=64), nullable=False),
        sa.Column("secret_sha256", sa.String(length=64), nullable=False),
        sa.Column("created_at", Utc, nullable=False),
        sa.Column("expires_at", Utc, nullable=True),
        sa.Column("revoked_at", Utc, nullable=True),
        sa.Column("last_used_at", Utc, nullable=True),
        sa.CheckConstraint("(scope = 'operator') = (account_id IS NULL)", name="ck_api_keys_scope_fits_account"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_api_keys_account_id_accounts"),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
        sa.UniqueConstraint("secret_sha256", name="uq_api_keys_secret_sha256"),
    )
    op.create_index("ix_api_keys_account_id", "api_keys", ["account_id"], unique=False)
    op.create_table(
        "credit_balances",
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("credit_type", sa.String(length=64), nullable=False),
        sa.Column("issued", sa.BigInteger(), nullable=False),
        sa.Column("available", sa.BigInteger(), nullable=False),
        sa.Column("held", sa.BigInteger(), nullable=False),
        sa.Column("spent", sa.BigInteger(), nullable=False),
        sa.Column("expired", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "available >= 0 AND held >= 0 AND spent >= 0 AND expired >= 0", name="ck_credit_balances_not_negative"
        ),
        sa.CheckConstraint("issued + available + held + spent + expired = 0", name="ck_credit_balances_zero_sum"),
        sa.CheckConstraint("issued <= 0", name="ck_credit_balances_issued_not_positive"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_credit_balances_account_id_accounts"),
        sa.PrimaryKeyConstraint("account_id", "credit_type", name="pk_credit_balances"),
    )
    op.create_table(
        "credit_holds",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("credit_type", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("posted", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=True),
        sa.Column("created_at", Utc, nullable=False),
        sa.Column("settled_at", Utc, nullable=True),
        sa.CheckConstraint("(state = 'pending') = (settled_at IS NULL)", name="ck_credit_holds_settled_has_time"),
        sa.CheckConstraint("state IN ('pending', 'posted', 'voided')", name="ck_credit_holds_known_state"),
        sa.CheckConstraint(
            "amount > 0 AND posted >= 0 AND posted <= amount", name="ck_credit_holds_posted_within_amount"
        ),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_credit_holds_account_id_accounts"),
        sa.PrimaryKeyConstraint("id", name="pk_credit_holds"),
        sa.UniqueConstraint("account_id", "key", name="uq_credit_holds_key"),
    )
    op.create_table(
        "credit_lots",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("credit_type", sa.String(length=64), nullable=False),
        sa.Column("source", sa.String(length=32), nullable=False),
        sa.Column("external_id", sa.String(length=255), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("expires_at", Utc, nullable=True),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("remaining", sa.BigInteger(), nullable=False),
        sa.Column("held", sa.BigInteger(), nullable=False),
        sa.Column("spent", sa.BigInteger(), nullable=False),
        sa.Column("expired", sa.BigInteger(), nullable=False),
        sa.Column("created_at", Utc, nullable=False),
        sa.CheckConstraint("amount = remaining + held + spent + expired", name="ck_credit_lots_adds_up"),
        sa.CheckConstraint(
            "amount > 0 AND remaining >= 0 AND held >= 0 AND spent >= 0 AND expired >= 0",
            name="ck_credit_lots_not_negative",
        ),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_credit_lots_account_id_accounts"),
        sa.PrimaryKeyConstraint("id", name="pk_credit_lots"),
        sa.UniqueConstraint("account_id", "credit_type", "source", "external_id", name="uq_credit_lots_grant"),
    )
    op.create_index(
        "ix_credit_lots_burn_down", "credit_lots", ["account_id", "credit_type", "expires_at", "priority"], unique=False
    )
    op.create_index("ix_credit_lots_expiry", "credit_lots", ["expires_at"], unique=False)
    op.create_table(
        "event_counters",
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_event_counters_account_id_accounts"),
        sa.PrimaryKeyConstraint("account_id", name="pk_event_counters"),
    )
    op.create_table(
        "events",
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("type", sa.String(length=64), nullable=False),
        sa.Column("subject_id", sa.String(length=64), nullable=False),
        sa.Column("data", Json, nullable=False),
        sa.Column("created_at", Utc, nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_events_account_id_accounts"),
        sa.PrimaryKeyConstraint("account_id", "number", name="pk_events"),
    )
    op.create_table(
        "credit_transfers",
        sa.Column("id", Sequence, autoincrement=True, nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("credit_type", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("debit", sa.String(length=16), nullable=False),
        sa.Column("credit", sa.String(length=16), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("lot_id", sa.String(length=64), nullable=False),
        sa.Column("hold_id", sa.String(length=64), nullable=True),
        sa.Column("key", sa.String(length=255), nullable=True),
        sa.Column("reason", sa.String(length=64), nullable=True),
        sa.Column("created_at", Utc, nullable=False),
        sa.CheckConstraint("amount > 0", name="ck_credit_transfers_positive"),
        sa.CheckConstraint("debit <> credit", name="ck_credit_transfers_moves"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_credit_transfers_account_id_accounts"),
        sa.ForeignKeyConstraint(["hold_id"], ["credit_holds.id"], name="fk_credit_transfers_hold_id_credit_holds"),
        sa.ForeignKeyConstraint(["lot_id"], ["credit_lots.id"], name="fk_credit_transfers_lot_id_credit_lots"),
        sa.PrimaryKeyConstraint("id", name="pk_credit_transfers"),
        sa.UniqueConstraint("account_id", "key", name="uq_credit_transfers_key"),
    )
    op.create_index("ix_credit_transfers_account_id", "credit_transfers", ["account_id", "id"], unique=False)
    op.create_index("ix_credit_transfers_hold_id", "credit_transfers", ["hold_id"], unique=False)
    op.create_index("ix_credit_transfers_lot_id", "credit_transfers", ["lot_id"], unique=False)
    op.create_table(
        "generations",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("model", sa.String(length=255), nullable=False),
        sa.Column("provider", sa.String(length=32), nullable=False),
        sa.Column("reference", sa.String(length=255), nullable=False),
        sa.Column("input", Json, nullable=False),
        sa.Column("input_sha256", sa.String(length=64), nullable=False),
        sa.Column("metadata", Json, nullable=False),
        sa.Column("idempotency_key", sa.String(length=255), nullable=True),
        sa.Column("request_sha256", sa.String(length=64), nullable=False),
        sa.Column("credit_type", sa.String(length=64), nullable=False),
        sa.Column("terms", Json, nullable=False),
        sa.Column("hold_id", sa.String(length=64), nullable=False),
        sa.Column("held_credits", sa.BigInteger(), nullable=False),
        sa.Column("charged_credits", sa.BigInteger(), nullable=True),
        sa.Column("phase", sa.String(length=16), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("due_at", Utc, nullable=True),
        sa.Column("wakes", sa.BigInteger(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("lease_until", Utc, nullable=True),
        sa.Column("stumbles", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("retries", sa.Integer(), nullable=False),
        sa.Column("orphans", sa.Integer(), nullable=False),
        sa.Column("cancel_requested_at", Utc, nullable=True),
        sa.Column("queue_deadline", Utc, nullable=False),
        sa.Column("run_deadline", Utc, nullable=True),
        sa.Column("store_deadline", Utc, nullable=True),
        sa.Column("prediction_id", sa.String(length=255), nullable=True),
        sa.Column("prediction_status", sa.String(length=32), nullable=True),
        sa.Column("prediction_output", Json, nullable=True),
        sa.Column("progress_percent", sa.Integer(), nullable=True),
        sa.Column("logs", sa.Text(), nullable=True),
        sa.Column("predict_time_s", sa.Float(), nullable=True),
        sa.Column("outcome", sa.String(length=16), nullable=True),
        sa.Column("failure_code", sa.String(length=64), nullable=True),
        sa.Column("failure_detail", sa.Text(), nullable=True),
        sa.Column("output", Json, nullable=True),
        sa.Column("created_at", Utc, nullable=False),
        sa.Column("started_at", Utc, nullable=True),
        sa.Column("completed_at", Utc, nullable=True),
        sa.CheckConstraint(
            "(phase = 'done') = (status IN ('completed', 'failed', 'canceled'))", name="ck_generations_done_is_final"
        ),
        sa.CheckConstraint(
            "phase IN ('queued', 'submit', 'submitting', 'doubt', 'await', 'store', 'settle', 'done')",
            name="ck_generations_known_phase",
        ),
        sa.CheckConstraint(
            "status IN ('queued', 'processing', 'completed', 'failed', 'canceled')", name="ck_generations_known_status"
        ),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_generations_account_id_accounts"),
        sa.ForeignKeyConstraint(["hold_id"], ["credit_holds.id"], name="fk_generations_hold_id_credit_holds"),
        sa.PrimaryKeyConstraint("id", name="pk_generations"),
        sa.UniqueConstraint("account_id", "idempotency_key", name="uq_generations_idempotency_key"),
    )
    op.create_index("ix_generations_account_id", "generations", ["account_id", "id"], unique=False)
    op.create_index(
        "ix_generations_due_at",
        "generations",
        ["due_at"],
        unique=False,
        postgresql_where=sa.text("due_at IS NOT NULL"),
        sqlite_where=sa.text("due_at IS NOT NULL"),
    )
    op.create_index(
        "ix_generations_in_flight",
        "generations",
        ["phase", "provider", "account_id"],
        unique=False,
        postgresql_where=sa.text("phase <> 'done'"),
        sqlite_where=sa.text("phase <> 'done'"),
    )
    op.create_table(
        "generation_attempts",
        sa.Column("generation_id", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("ref", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("prediction_id", sa.String(length=255), nullable=True),
        sa.Column("doubted_at", Utc, nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("prediction_status", sa.String(length=32), nullable=True),
        sa.Column("predict_time_s", sa.Float(), nullable=True),
        sa.Column("created_at", Utc, nullable=False),
        sa.Column("ended_at", Utc, nullable=True),
        sa.CheckConstraint(
            "state IN ('intent', 'bound', 'in_doubt', 'refused', 'abandoned', 'orphan', 'ended')",
            name="ck_generation_attempts_known_state",
        ),
        sa.ForeignKeyConstraint(
            ["generation_id"], ["generations.id"], name="fk_generation_attempts_generation_id_generations"
        ),
        sa.PrimaryKeyConstraint("generation_id", "number", name="pk_generation_attempts"),
        sa.UniqueConstraint("prediction_id", name="uq_generation_attempts_prediction_id"),
        sa.UniqueConstraint("ref", name="uq_generation_attempts_ref"),
    )
    op.create_table(
        "output_files",
        sa.Column("generation_id", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("key", sa.String(length=1024), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("media_type", sa.String(length=128), nullable=False),
        sa.Column("created_at", Utc, nullable=False),
        sa.ForeignKeyConstraint(
            ["generation_id"], ["generations.id"], name="fk_output_files_generation_id_generations"
        ),
        sa.PrimaryKeyConstraint("generation_id", "number", name="pk_output_files"),
        sa.UniqueConstraint("key", name="uq_output_files_key"),
    )
    triggers = SQLITE_TRIGGERS if op.get_bind().dialect.name == "sqlite" else POSTGRES_TRIGGERS
    for trigger in triggers:
        op.execute(sa.text(trigger))
