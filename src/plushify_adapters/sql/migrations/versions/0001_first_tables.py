"""The first tables."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
compatible_with = "0001"

USER_ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
UTC_TIME = sa.DateTime(timezone=True)
STRUCT = sa.JSON().with_variant(JSONB(), "postgresql")
ENUM = sa.String(16)


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "generations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", USER_ID, nullable=False),
        sa.Column("style", sa.Text(), nullable=False),
        sa.Column("quality", sa.Text(), nullable=False),
        sa.Column("credits_cost", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("idempotency_key", sa.Text()),
        sa.Column("created_at", UTC_TIME, nullable=False),
        sa.Column("deadline_at", UTC_TIME, nullable=False),
        sa.Column("status", ENUM, nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("lease_until", UTC_TIME),
        sa.Column("original", STRUCT),
        sa.Column("generated", STRUCT),
        sa.Column("thumbnail", STRUCT),
        sa.Column("placeholder", sa.Text()),
        sa.Column("failure", STRUCT),
        sa.Column("completed_at", UTC_TIME),
        sa.Column("deleted_at", UTC_TIME),
        sa.Column("purging", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_generations"),
        sa.UniqueConstraint("user_id", "idempotency_key", name="uq_generations_user_id_idempotency_key"),
    )
    _partial_index("generations", "gallery", "user_id", "id", where="deleted_at IS NULL")
    _partial_index("generations", "trash", "deleted_at", "id", where="deleted_at IS NOT NULL")
    _partial_index("generations", "leases", "lease_until", "id", where="lease_until IS NOT NULL")
    _partial_index("generations", "unfinished", "user_id", where="lease_until IS NOT NULL")
    op.create_table(
        "subscriptions",
        sa.Column("user_id", USER_ID, nullable=False),
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("balance", sa.BigInteger(), nullable=False),
        sa.Column("created_at", UTC_TIME, nullable=False),
        sa.Column("next_expiry_at", UTC_TIME),
        sa.PrimaryKeyConstraint("user_id", name="pk_subscriptions"),
        sa.CheckConstraint("balance >= 0", name="ck_subscriptions_balance_not_negative"),
    )
    _partial_index("subscriptions", "expiring", "next_expiry_at", where="next_expiry_at IS NOT NULL")
    op.create_table(
        "ledger_entries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", USER_ID, nullable=False),
        sa.Column("kind", ENUM, nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("created_at", UTC_TIME, nullable=False),
        sa.Column("generation_id", sa.Uuid()),
        sa.Column("expires_at", UTC_TIME),
        sa.Column("expires_grant", sa.Uuid()),
        sa.PrimaryKeyConstraint("id", name="pk_ledger_entries"),
        sa.UniqueConstraint("generation_id", "kind", name="uq_ledger_entries_generation_id_kind"),
        sa.UniqueConstraint("expires_grant", name="uq_ledger_entries_expires_grant"),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["subscriptions.user_id"],
            name="fk_ledger_entries_user_id_subscriptions",
            deferrable=True,
            initially="DEFERRED",
        ),
    )
    op.create_index("ix_ledger_entries_user_id_id", "ledger_entries", ["user_id", "id"])
    op.create_table(
        "users",
        sa.Column("id", USER_ID, nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text()),
        sa.Column("created_at", UTC_TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.UniqueConstraint("email", name="uq_users_email"),
    )
    op.create_table(
        "sessions",
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("user_id", USER_ID, nullable=False),
        sa.Column("created_at", UTC_TIME, nullable=False),
        sa.Column("expires_at", UTC_TIME, nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name="pk_sessions"),
    )
    op.create_index("ix_sessions_expires_at", "sessions", ["expires_at"])
    op.create_table(
        "model_calls",
        sa.Column("generation_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", USER_ID, nullable=False),
        sa.Column("style", sa.Text(), nullable=False),
        sa.Column("quality", sa.Text(), nullable=False),
        sa.Column("model_asked", sa.Text(), nullable=False),
        sa.Column("started_at", UTC_TIME, nullable=False),
        sa.Column("ended_at", UTC_TIME),
        sa.Column("outcome", ENUM, nullable=False),
        sa.Column("billing", ENUM, nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("model", sa.Text()),
        sa.Column("provider", sa.Text()),
        sa.Column("provider_call_id", sa.Text()),
        sa.Column("finish_reason", sa.Text()),
        sa.Column("error_type", sa.Text()),
        sa.Column("cost_nano_usd", sa.BigInteger()),
        sa.Column("prompt_tokens", sa.BigInteger()),
        sa.Column("completion_tokens", sa.BigInteger()),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("generation_id", name="pk_model_calls"),
    )
    op.create_index("ix_model_calls_started_at", "model_calls", ["started_at"])


def downgrade() -> None:
    """Drop the tables and their rows."""
    for table in ("model_calls", "sessions", "users", "ledger_entries", "subscriptions", "generations"):
        op.drop_table(table)


def _partial_index(table: str, name: str, *columns: str, where: str) -> None:
    condition = sa.text(where)
    op.create_index(f"ix_{table}_{name}", table, columns, sqlite_where=condition, postgresql_where=condition)
