"""The migrations build exactly the tables that the code writes to."""

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from monitor.adapters.stores.postgres import schema
from monitor.adapters.stores.postgres.connection import with_driver


def test_the_migrated_database_equals_the_tables_of_the_code(postgres_url: str) -> None:
    """A column, type, default, index or key that only one side knows is found."""
    engine = sa.create_engine(with_driver(postgres_url))
    try:
        with engine.connect() as connection:
            context = MigrationContext.configure(
                connection, opts={"compare_type": True, "compare_server_default": True}
            )
            assert compare_metadata(context, schema.metadata) == []
    finally:
        engine.dispose()
