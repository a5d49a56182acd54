"""Schema migrations with Alembic: apply them, or check that the schema is current.

A revision that moves many rows has two functions besides ``upgrade``: ``pending`` returns the keys of the runs to move,
and ``move`` moves some of them. They run before ``upgrade``, each batch in a transaction of its own, so that a
migration can be interrupted and continues where it stopped.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import Script, ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Connection, Engine, create_engine, pool, text
from sqlalchemy.exc import SQLAlchemyError

from monitor.errors import StoreError

# The same lock for every process, so that two processes never migrate at the same time.
_LOCK = 0x7265_6361_6C6C
BATCH = 100
"""Runs that are moved in one transaction."""
Progress = Callable[[str, int, int], None]
"""Called with the subject of a long step, the number of moved runs, and the number of all."""


class Migrations:
    """The migrations of one database."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._config = Config()
        self._config.set_main_option("script_location", str(_folder()))

    async def apply(self, progress: Progress = lambda *_: None) -> None:
        """Bring the schema up to date; does nothing if it is current."""
        await asyncio.to_thread(self._apply, progress)

    async def refuse_if_behind(self) -> None:
        """Raise StoreError unless the schema is current."""
        current, latest = await asyncio.to_thread(self._revisions)
        if current != latest:
            raise StoreError(
                f"the database schema is at revision {current or 'none'}, but this version needs {latest}: "
                "run `recallwatch migrate`"
            )

    def _apply(self, progress: Progress) -> None:
        current, latest = self._revisions()
        if current == latest:
            return
        engine = create_engine(self._url, poolclass=pool.NullPool, hide_parameters=True)
        scripts = ScriptDirectory.from_config(self._config)
        try:
            for script in reversed(list(scripts.walk_revisions())):
                if hasattr(script.module, "move"):
                    self._upgrade(engine, str(script.down_revision))
                    _move_batches(engine, script, progress)
            self._upgrade(engine, "head")
        except (SQLAlchemyError, CommandError, RuntimeError) as error:
            raise StoreError(f"the schema could not be migrated: {str(error).splitlines()[0]}") from error
        finally:
            engine.dispose()

    def _upgrade(self, engine: Engine, revision: str) -> None:
        """Upgrade to a revision, unless the database has it already."""
        with _locked(engine) as connection:
            self._config.attributes["connection"] = connection
            command.upgrade(self._config, revision)

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


@contextmanager
def _locked(engine: Engine) -> Iterator[Connection]:
    """A transaction that no other migration runs beside."""
    # A transaction-level lock, because session-level locks do not work through PgBouncer.
    with engine.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        yield connection


def _move_batches(engine: Engine, script: Script, progress: Progress) -> None:
    """Move the rows of a revision in batches."""
    left: list[Any] = []
    for batch in itertools.count():
        with _locked(engine) as connection:
            if MigrationContext.configure(connection).get_current_revision() != script.down_revision:
                return  # another process has finished it
            left = left if batch else script.module.pending(connection)
            progress(script.doc, min(batch * BATCH, len(left)), len(left))
            if batch * BATCH >= len(left):
                return
            script.module.move(connection, left[batch * BATCH : (batch + 1) * BATCH])


def _folder() -> Path:
    package = Path(__file__).resolve().parents[3]
    installed = package / "migrations"
    return installed if installed.is_dir() else package.parent / "migrations"
