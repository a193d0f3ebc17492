"""Entry point of Alembic. It runs the migrations on the connection of `migrate`, in the transaction open there."""

from alembic import context

from plushify_adapters.sql._tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    render_as_batch=True,  # SQLite cannot alter a table in place: Alembic copies it
)
with context.begin_transaction():
    context.run_migrations()
