"""Column `expected_cost_nano_usd` of model calls, and the index that finds the calls of one user and day."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
compatible_with = "0002"


def upgrade() -> None:
    """Add the column, which is null in the records of earlier calls, and the index."""
    op.add_column("model_calls", sa.Column("expected_cost_nano_usd", sa.BigInteger()))
    op.create_index("ix_model_calls_user_id_started_at", "model_calls", ["user_id", "started_at"])


def downgrade() -> None:
    """Drop the column and the index."""
    op.drop_index("ix_model_calls_user_id_started_at", "model_calls")
    op.drop_column("model_calls", "expected_cost_nano_usd")
