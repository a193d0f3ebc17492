"""Table `installation`, the identity that the database and the blob store share."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
compatible_with = "0002"


def upgrade() -> None:
    """Create the table. The first start of this version adds its row."""
    op.create_table(
        "installation",
        sa.Column("singleton", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("storage_marked", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("singleton", name="pk_installation"),
        sa.CheckConstraint("singleton = 1", name="ck_installation_one_row"),
    )


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("installation")
