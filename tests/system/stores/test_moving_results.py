"""A database of rows becomes one of references: no value changes, and the migration can be killed at any time."""

import asyncio
import random
import signal
import subprocess
import sys
import time
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from monitor.adapters.stores.postgres import migration
from monitor.adapters.stores.postgres.connection import with_driver
from monitor.adapters.stores.postgres.migration import Migrations
from monitor.adapters.stores.postgres.store import PostgresStore
from monitor.model.runs import Run
from monitor.service.recomputation import recompute
from tests.conftest import ROOT
from tests.system.stores.history import write_history

pytestmark = pytest.mark.slow
ROWS_OF_RESULTS = "0008"
"""The revision before results became references."""
MOVE = """
import asyncio, sys
from monitor.adapters.stores.postgres import migration
migration.BATCH = 1
print("moving", flush=True)
asyncio.run(migration.Migrations(sys.argv[1]).apply())
"""


def go_back(url: str) -> None:
    """Bring the database to the version before."""
    config = Config()
    config.set_main_option("script_location", str(ROOT / "migrations"))
    engine = sa.create_engine(with_driver(url), poolclass=sa.NullPool)
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, ROWS_OF_RESULTS)
        connection.commit()
    engine.dispose()


def rows(url: str) -> dict[str, list[Any]]:
    """Every row of outcomes, measurements and answers, by the names that people's SQL uses."""
    with psycopg.connect(url) as connection:
        return {
            name: sorted((row for (row,) in connection.execute(query)), key=repr)
            for name, query in (
                ("outcome", "SELECT to_jsonb(t) FROM outcome AS t"),
                ("measurement", "SELECT to_jsonb(t) FROM measurement AS t"),
                ("answer", "SELECT to_jsonb(t) FROM answer AS t"),
            )
        }


def inspect(url: str, run_ids: list[str]) -> tuple[dict[str, Run], list[str]]:
    """Every run as the store loads it, and the first difference of each verdict decided again."""

    async def body() -> tuple[dict[str, Run], list[str]]:
        store = PostgresStore(url)
        await store.open()
        try:
            runs = {run_id: await store.load_run(run_id) for run_id in run_ids}
            again = [await recompute(verdict, store) for verdict in await store.list_verdicts()]
            assert all(each.is_identical for each in again), [each.first_difference for each in again]
            return runs, [each.stored.verdict_id for each in again]
        finally:
            await store.close()

    return asyncio.run(body())


def write(url: str, days: tuple[int, ...] = (0, 40, 80)) -> list[str]:
    """Write a history into the database."""

    async def body() -> list[str]:
        store = PostgresStore(url)
        await store.open()
        try:
            return await write_history(store, days=days)
        finally:
            await store.close()

    return asyncio.run(body())


def test_every_value_and_every_verdict_survives_the_migration(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows, runs and recomputed verdicts of a database of the version before are the same after the migration."""
    run_ids = write(postgres_url)
    runs, verdicts = inspect(postgres_url, run_ids)
    assert len(verdicts) == 3
    stored = rows(postgres_url)
    go_back(postgres_url)
    assert rows(postgres_url) == stored
    monkeypatch.setattr(migration, "BATCH", 2)
    steps: list[tuple[int, int]] = []
    asyncio.run(Migrations(with_driver(postgres_url)).apply(lambda _, done, total: steps.append((done, total))))
    assert steps == [(0, 4), (2, 4), (4, 4)]
    assert rows(postgres_url) == stored
    assert inspect(postgres_url, run_ids) == (runs, verdicts)


@pytest.mark.timeout(600)
def test_a_migration_that_is_killed_again_and_again_loses_and_doubles_nothing(postgres_url: str) -> None:
    """After SIGKILLs at random moments the next migration continues, and every row is there once."""
    run_ids = write(postgres_url, days=tuple(range(0, 120, 4)))
    runs, verdicts = inspect(postgres_url, run_ids)
    stored = rows(postgres_url)
    go_back(postgres_url)
    rng = random.Random(20261121)  # noqa: S311 - moments to kill at, not secrets
    moved: list[int] = []
    for _ in range(8):
        process = subprocess.Popen(
            [sys.executable, "-c", MOVE, with_driver(postgres_url)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(rng.uniform(0.0, 0.4))  # so that the kill is at any distance from a commit
        process.send_signal(signal.SIGKILL)
        process.communicate()
        moved.append(n_moved(postgres_url))
    assert moved == sorted(moved)
    asyncio.run(Migrations(with_driver(postgres_url)).apply())
    assert rows(postgres_url) == stored
    assert inspect(postgres_url, run_ids) == (runs, verdicts)


def n_moved(url: str) -> int:
    """Runs whose results are references."""
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT count(DISTINCT run_key) FROM outcome_block").fetchone()
    assert row is not None
    return int(row[0])
