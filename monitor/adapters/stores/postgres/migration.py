"""Schema migrations with Alembic: apply them, or check that the schema is current."""

from __future__ import annotations

import asyncio
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import create_engine, pool, text
from sqlalchemy.exc import SQLAlchemyError

from monitor.errors import StoreError

# The same lock for every process, so that two processes never migrate at the same time.
_LOCK = 0x7265_6361_6C6C


class Migrations:
    """The migrations of one database."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._config = Config()
        self._config.set_main_option("script_location", str(_folder()))

    async def apply(self) -> None:
        """Bring the schema up to date; does nothing if it is current."""
        await asyncio.to_thread(self._apply)

    async def refuse_if_behind(self) -> None:
        """Raise StoreError unless the schema is current."""
        current, latest = await asyncio.to_thread(self._revisions)
        if current != latest:
            raise StoreError(
                f"the database schema is at revision {current or 'none'}, but this version needs {latest}: "
                "run `recallwatch migrate`"
            )

    def _apply(self) -> None:
        engine = create_engine(self._url, poolclass=pool.NullPool, hide_parameters=True)
        try:
            # A transaction-level lock, because session-level locks do not work through PgBouncer.
            with engine.begin() as connection:
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
                self._config.attributes["connection"] = connection
                command.upgrade(self._config, "head")
        except (SQLAlchemyError, CommandError) as error:
            raise StoreError(f"the schema could not be migrated: {str(error).splitlines()[0]}") from error

    def _revisions(self) -> tuple[str | None, str | None]:
        engine = create_engine(self._url, poolclass=pool.NullPool, hide_parameters=True)
        try:
            with engine.connect() as connection:
                current = MigrationContext.configure(connection).get_current_revision()
        except SQLAlchemyError as error:
            raise StoreError(
                f"the database is unreachable: {str(error).splitlines()[0]}; check storage.url and the server"
            ) from error
        return current, ScriptDirectory.from_config(self._config).get_current_head()


def _folder() -> Path:
    package = Path(__file__).resolve().parents[3]
    installed = package / "migrations"
    return installed if installed.is_dir() else package.parent / "migrations"
