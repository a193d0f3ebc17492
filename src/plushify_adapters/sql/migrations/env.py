"""Entry point of Alembic. It runs the migrations on the connection of `migrate`, in the transaction open there."""

from collections.abc import Collection, Mapping
from typing import Any

from alembic import context
from alembic.runtime.migration import MigrationContext, MigrationInfo

from plushify_adapters.sql._tables import METADATA
from plushify_adapters.sql.migrate import COMPATIBILITY, REVISION_TABLE, record_compatibility


def record(ctx: MigrationContext, step: MigrationInfo, heads: Collection[str], run_args: Mapping[str, Any]) -> None:
    """Record which versions can use the schema after this step."""
    assert ctx.connection is not None, "the migrations run on a connection"
    record_compatibility(ctx.connection, heads)


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    version_table=REVISION_TABLE,
    on_version_apply=record,
    include_name=lambda name, kind, _: (kind, name) != ("table", COMPATIBILITY.name),
    render_as_batch=True,  # SQLite cannot alter a table in place: Alembic copies it
)
with context.begin_transaction():
    context.run_migrations()
