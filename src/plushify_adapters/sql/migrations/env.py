"""What Alembic runs: the migrations, in the transaction and on the connection of `migrate`."""

from alembic import context

from plushify_adapters.sql.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    render_as_batch=True,  # SQLite alters a table by making it anew
)
with context.begin_transaction():
    context.run_migrations()
