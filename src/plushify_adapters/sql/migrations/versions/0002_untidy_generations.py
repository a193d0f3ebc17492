"""Which failed generations may have left blobs behind."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

UNTIDY = sa.text("untidy_since IS NOT NULL")


def upgrade() -> None:
    """Add the mark. Nobody has looked yet after those that have failed so far."""
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
    """Forget it."""
    op.drop_index("ix_generations_untidy", "generations")
    op.drop_column("generations", "untidy_since")
