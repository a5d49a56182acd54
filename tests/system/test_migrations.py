"""The migrations build exactly the tables that the code uses, and keep the data of every earlier database."""

import asyncio
import itertools
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from monitor.adapters.stores.postgres import schema
from monitor.adapters.stores.postgres.connection import with_driver
from monitor.adapters.stores.postgres.migration import Migrations
from monitor.adapters.stores.postgres.store import PostgresStore
from monitor.model.incidents import IncidentKind, IncidentStatus
from tests.conftest import ROOT
from tests.system.stored_rows import LATER, fill, lost_rows, read

pytestmark = pytest.mark.slow
EDITIONS = sorted((Path(__file__).parent / "old_schemas").glob("edition_*.sql"))
"""The schemas that revision 0001 has stood for; the last one is the current edition."""
CONFIG = Config()
CONFIG.set_main_option("script_location", str(ROOT / "migrations"))
REVISIONS = list(reversed(list(ScriptDirectory.from_config(CONFIG).walk_revisions())))
CATALOG = (
    """SELECT relname, attname, format_type(atttypid, atttypmod), attnotnull, collname, attidentity,
           pg_get_expr(adbin, adrelid)
       FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
           LEFT JOIN pg_collation ON pg_collation.oid = attcollation
           LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
       WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v') AND NOT relispartition AND attnum > 0
           AND NOT attisdropped""",
    """SELECT tablename, indexname, indexdef FROM pg_indexes JOIN pg_class ON pg_class.oid = indexname::regclass
       WHERE schemaname = 'public' AND NOT relispartition""",
    """SELECT conrelid::regclass::text, conname, pg_get_constraintdef(pg_constraint.oid) FROM pg_constraint
           JOIN pg_class ON pg_class.oid = conrelid
       WHERE connamespace = 'public'::regnamespace AND NOT relispartition""",
)
_numbers = itertools.count(1)


@pytest.fixture
def empty_url(postgres_server: str) -> str:
    """The URL of an empty database."""
    name = f"empty_{next(_numbers)}"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return with_driver(postgres_server.replace("/postgres?", f"/{name}?"))


@pytest.fixture
def connection(empty_url: str) -> Iterator[sa.Connection]:
    """A connection to an empty database."""
    engine = sa.create_engine(empty_url, poolclass=sa.NullPool)
    with engine.connect() as opened:
        yield opened
    engine.dispose()


def _is_no_partition(name: str | None, *_: object) -> bool:
    return not (name or "").startswith(("ranking_kept", "answer_content_kept"))


def migrate(connection: sa.Connection, revision: str, *, down: bool = False) -> None:
    """Bring the database to a revision."""
    CONFIG.attributes["connection"] = connection
    (command.downgrade if down else command.upgrade)(CONFIG, revision)
    connection.commit()


def catalog(connection: sa.Connection) -> list[set[tuple[Any, ...]]]:
    """Columns, indexes and constraints of all tables; the order of columns does not matter."""
    return [{tuple(row) for row in connection.execute(sa.text(query))} for query in CATALOG]


def create_edition(connection: sa.Connection, edition: Path) -> dict[str, list[Any]]:
    """Create an edition of revision 0001 with data in it; return the data."""
    connection.execute(sa.text(edition.read_text(encoding="utf-8")))
    fill(connection)
    rows = read(connection)
    connection.commit()  # also ends the transaction, which would block the migration
    return rows


def test_the_migrated_database_equals_the_tables_of_the_code(postgres_url: str) -> None:
    """No column, type, default, index or key exists on one side only."""
    engine = sa.create_engine(with_driver(postgres_url))
    try:
        with engine.connect() as connection:
            context = MigrationContext.configure(
                connection,
                opts={"compare_type": True, "compare_server_default": True, "include_name": _is_no_partition},
            )
            assert compare_metadata(context, schema.metadata) == []
    finally:
        engine.dispose()


def test_the_first_migration_is_still_its_last_edition(connection: sa.Connection, postgres_server: str) -> None:
    """Revision 0001 has shipped: a change of the schema is a new file."""
    migrate(connection, "0001")
    first = catalog(connection)
    migrate(connection, "base", down=True)
    connection.execute(sa.text("DROP TABLE alembic_version"))
    assert catalog(connection) == [set(), set(), set()]
    connection.execute(sa.text(EDITIONS[-1].read_text(encoding="utf-8")))
    assert catalog(connection) == first


@pytest.mark.parametrize("edition", EDITIONS, ids=lambda path: path.stem)
def test_every_edition_of_the_first_schema_becomes_the_current_one(
    edition: Path, connection: sa.Connection, empty_url: str, postgres_url: str
) -> None:
    """A database of any edition, with data in it, gets the schema of a fresh database and keeps its data."""
    before = create_edition(connection, edition)
    asyncio.run(Migrations(empty_url).apply())
    fresh = sa.create_engine(with_driver(postgres_url), poolclass=sa.NullPool)
    with fresh.connect() as other:
        assert catalog(connection) == catalog(other)
    assert lost_rows(before, read(connection)) == []


@pytest.mark.parametrize("edition", EDITIONS, ids=lambda path: path.stem)
def test_the_store_reads_what_any_edition_stored(edition: Path, connection: sa.Connection, empty_url: str) -> None:
    """Runs, verdicts, incidents and alerts of any edition can be used after the migration."""
    create_edition(connection, edition)
    asyncio.run(Migrations(empty_url).apply())

    async def use() -> None:
        store = PostgresStore(empty_url)
        await store.open()
        try:
            active, resolved = await store.list_incidents()
            assert (active.status, active.subject, active.recovering) == (IncidentStatus.OPEN, "docs", {"legal": 0})
            assert (active.axes, active.baseline_run_ids) == (("broad",), ("run-1",))
            assert (active.summary, active.fired_at) == ("It is regressed.", LATER)
            assert resolved.status is IncidentStatus.RESOLVED
            assert await store.find_incident(IncidentKind.REGRESSION, "docs") == active
            verdict = await store.latest_verdict("docs")
            assert verdict is not None
            assert verdict.evidence[0].difference == -0.1
            run = await store.load_run("run-1")
            assert run.outcomes[0].ranking is not None
            assert run.outcomes[0].ranking.doc_ids == ("d2", "d1")
            assert (await store.baselines())[0].run_id == "run-1"
            deliveries = await store.lease_deliveries(("pager",), 5, LATER + timedelta(hours=1), 60.0)
            assert [delivery.alert.notifiers for delivery in deliveries] == [("pager", "chat")]
        finally:
            await store.close()

    asyncio.run(use())


@pytest.mark.parametrize("revision", REVISIONS[1:], ids=lambda script: script.revision)
def test_a_migration_keeps_the_data_up_and_down(revision: Any, connection: sa.Connection) -> None:
    """From the revision before it, with data in it, a migration goes up, down and up again without losing a row."""
    migrate(connection, revision.down_revision)
    fill(connection)
    connection.commit()
    before, schema_before = read(connection), catalog(connection)
    migrate(connection, revision.revision)
    schema_after = catalog(connection)
    assert lost_rows(before, read(connection)) == []
    migrate(connection, revision.down_revision, down=True)
    assert catalog(connection) == schema_before
    assert lost_rows(before, read(connection)) == []
    migrate(connection, revision.revision)
    assert catalog(connection) == schema_after
    assert lost_rows(before, read(connection)) == []


def test_repeated_verdicts_are_written_whole_on_the_way_down(connection: sa.Connection) -> None:
    """A verdict that refers to another one is the same row before and after, with its own run in the latest step."""
    migrate(connection, "0015")
    fill(connection)
    step = {"run_before": {"verdict": "passed", "runs": {"legal": ["run-1", "run-2"]}}}
    connection.execute(sa.text("UPDATE decided_verdict SET insights = :step"), {"step": json.dumps(step)})
    connection.commit()
    query = sa.text("SELECT to_jsonb(verdict) - 'repeats' FROM verdict ORDER BY verdict_id")
    before = list(connection.scalars(query))
    n_entries = connection.scalar(sa.text("SELECT count(*) FROM audit"))
    repeated = before[-1]
    assert (repeated["verdict_id"], repeated["run_ids"], repeated["name"]) == ("verdict-4", ["run-3"], "regressed")
    assert repeated["insights"]["run_before"]["runs"] == {"legal": ["run-1", "run-3"]}
    migrate(connection, "0014", down=True)
    assert list(connection.scalars(query)) == before
    assert connection.scalar(sa.text("SELECT count(*) FROM audit")) == n_entries
    migrate(connection, "0015")
    assert list(connection.scalars(query)) == before
