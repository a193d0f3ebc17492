"""Column `untidy_since`, which marks failed generations that may have orphaned blobs."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
compatible_with = "0002"

UNTIDY = sa.text("untidy_since IS NOT NULL")


def upgrade() -> None:
    """Add the column. Earlier failures are marked, because no sweep has removed their blobs yet."""
    op.add_column("generations", sa.Column("untidy_since", sa.DateTime(timezone=True)))
    op.execute("UPDATE generations SET untidy_since = completed_at WHERE status = 'failed'")
    op.create_index(
        "ix_generations_untidy",
        "generations",
        ["untidy_since", "id"],
        sqlite_where=UNTIDY,
        postgresql_where=UNTIDY,
    )


def downgrade() -> None:
    """Drop the column."""
    op.drop_index("ix_generations_untidy", "generations")
    op.drop_column("generations", "untidy_since")
