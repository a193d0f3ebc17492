"""Column `idempotency_key` of the ledger, which makes a grant repeatable."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
compatible_with = "0002"

HAS_KEY = sa.text("idempotency_key IS NOT NULL")


def upgrade() -> None:
    """Add the column and its unique index. The previous version leaves the column empty, so both versions can run."""
    op.add_column("ledger_entries", sa.Column("idempotency_key", sa.Text()))
    op.create_index(
        "uq_ledger_entries_idempotency_key",
        "ledger_entries",
        ["user_id", "idempotency_key"],
        unique=True,
        sqlite_where=HAS_KEY,
        postgresql_where=HAS_KEY,
    )


def downgrade() -> None:
    """Drop the column. After that, a grant that is repeated with its key is posted again."""
    op.drop_index("uq_ledger_entries_idempotency_key", "ledger_entries")
    op.drop_column("ledger_entries", "idempotency_key")
