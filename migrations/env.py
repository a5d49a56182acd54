"""Alembic's entry: migrates over the connection that `monitor.adapters.stores.postgres.migration` hands in."""

from alembic import context

from monitor.adapters.stores.postgres.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
