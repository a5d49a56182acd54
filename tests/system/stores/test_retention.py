"""Retention drops months of rankings and answers, and nothing that is still needed."""

import asyncio
import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any, TypeVar

import psycopg
import pytest

from monitor.adapters.exporters.storage import StorageMetrics
from monitor.adapters.stores.postgres.store import PostgresStore
from monitor.errors import ComparisonError, StoreError
from monitor.evaluation.scoring import measure
from monitor.model.measurements import Measured
from monitor.model.retention import Pin
from monitor.service.recomputation import recompute
from monitor.service.retention import expired_months, run_retention
from monitor.testing.runs import NOW
from tests.conftest import ROOT, command
from tests.system.stores.history import promote, save_run, write_history

pytestmark = pytest.mark.slow
LATER = NOW + timedelta(days=400)
KEEP_S = 90 * 86_400.0
T = TypeVar("T")
DROP = """
import asyncio, sys
from datetime import datetime
from monitor.adapters.exporters.storage import StorageMetrics
from monitor.adapters.stores.postgres.store import PostgresStore
from monitor.service.retention import run_retention

async def drop():
    store = PostgresStore(sys.argv[1])
    await store.open()
    print("dropping", flush=True)
    await run_retention(store, 90 * 86_400.0, datetime.fromisoformat(sys.argv[2]), StorageMetrics())

asyncio.run(drop())
"""


@pytest.fixture
def use(postgres_url: str) -> Callable[[Callable[[PostgresStore], Awaitable[T]]], T]:
    """Call a function with an open store of the test's database."""

    def call(body: Callable[[PostgresStore], Awaitable[T]]) -> T:
        async def with_store() -> T:
            store = PostgresStore(postgres_url)
            await store.open()
            try:
                return await body(store)
            finally:
                await store.close()

        return asyncio.run(with_store())

    return call


Use = Callable[[Callable[[PostgresStore], Awaitable[Any]]], Any]


async def drop_all(store: PostgresStore) -> list[date]:
    """Run the job long after the history."""
    return [each.month for each in await run_retention(store, KEEP_S, LATER, StorageMetrics())]


def test_a_dropped_run_keeps_its_measurements_and_its_verdict(use: Use) -> None:
    """After the drop every verdict recomputes identically, counts and failures stay, and the run says when it was."""

    async def body(store: PostgresStore) -> None:
        await write_history(store)
        before = await store.load_measured("run-1")
        assert len(await drop_all(store)) == 3
        run = await store.load_run("run-1")
        assert run.dropped_at == LATER
        with pytest.raises(ComparisonError, match=r"dropped by retention on 2027-02-06; its measurements"):
            measure(run, before.suite)
        assert plain(await store.load_measured("run-1")) == plain(before)
        assert [outcome.failure for outcome in run.outcomes] == [outcome.failure for outcome in before.run.outcomes]
        again = [await recompute(verdict, store) for verdict in await store.list_verdicts()]
        assert [(each.is_identical, each.first_difference) for each in again] == [(True, "")] * 3

    use(body)


def plain(measured: Measured) -> tuple[Any, ...]:
    """Everything that was measured, without the run."""
    values = {name: (each.query_ids, each.values.tolist()) for name, each in measured.measurements.items()}
    return values, measured.counts, measured.judged_share, measured.labels, measured.replies


def test_needed_runs_keep_their_rankings(use: Use) -> None:
    """The runs of a baseline and pinned runs are loaded whole after their months are gone; others are not."""

    async def body(store: PostgresStore) -> None:
        run_ids = await write_history(store)
        await store.pin_run(Pin("run-2", "ada", "audit", NOW))
        before = {run_id: await store.load_run(run_id) for run_id in run_ids}
        await drop_all(store)
        after = {run_id: await store.load_run(run_id) for run_id in run_ids}
        # run-0 returned the same rankings as the baseline, so they are still there.
        assert {run_id for run_id in run_ids if after[run_id].dropped_at} == {"run-1"}
        assert [after[run_id] for run_id in ("trusted", "run-2")] == [before[run_id] for run_id in ("trusted", "run-2")]
        with pytest.raises(StoreError, match="the rankings of run run-1 were dropped on 2027-02-06"):
            await store.pin_run(Pin("run-1", "ada", "audit", NOW))
        assert [await store.unpin_run("run-2"), await store.unpin_run("run-1")] == [True, False]

    use(body)


def test_only_whole_months_expire(use: Use) -> None:
    """A month is dropped when its last day is older than the limit; without a limit nothing expires."""

    async def body(store: PostgresStore) -> None:
        await write_history(store, days=(0, 40))
        at = NOW.replace(month=5, day=31)
        assert await expired_months(store, 120 * 86_400.0, at) == []
        assert [each.month for each in await expired_months(store, 119 * 86_400.0, at)] == [date(2026, 1, 1)]
        assert await expired_months(store, None, LATER) == []
        (month,) = await expired_months(store, 119 * 86_400.0, at)
        assert (month.runs, month.kept_runs, month.rankings, month.answers) == (2, 1, 59, 59)

    use(body)


def test_months_are_prepared_ahead(use: Use, postgres_url: str) -> None:
    """The partitions of this month and the next two exist before they are needed."""

    async def body(store: PostgresStore) -> None:
        await run_retention(store, KEEP_S, NOW, StorageMetrics())
        await run_retention(store, KEEP_S, NOW, StorageMetrics())

    use(body)
    with psycopg.connect(postgres_url) as connection:
        names = connection.execute("SELECT relid::regclass::text FROM pg_partition_tree('ranking') WHERE isleaf")
        expected = {"ranking_kept", "ranking_2026_01", "ranking_2026_02", "ranking_2026_03"}
        assert {name for (name,) in names} == expected


def test_a_drop_waits_for_nobody_long(use: Use, postgres_url: str) -> None:
    """While another transaction reads the rankings, nothing is dropped and other readers wait at most a moment."""

    async def body(store: PostgresStore) -> list[date]:
        await write_history(store, days=(0,))
        with psycopg.connect(postgres_url) as reader:
            reader.execute("SELECT count(*) FROM ranking")
            drop = asyncio.create_task(drop_all(store))
            await asyncio.sleep(0.3)
            started = time.monotonic()
            await store.load_run("run-0")
            assert time.monotonic() - started < 5.0
            assert await drop == []
            assert (await store.load_run("run-0")).dropped_at is None
        return await drop_all(store)

    assert use(body) == [date(2026, 1, 1)]


@pytest.mark.timeout(600)
def test_retention_that_is_killed_loses_nothing_that_is_kept(use: Use, postgres_url: str) -> None:
    """After SIGKILLs at random moments the next job finishes, kept runs are whole, and verdicts recompute."""

    async def write(store: PostgresStore) -> Any:
        await write_history(store, days=tuple(range(0, 240, 30)))
        await store.pin_run(Pin("run-3", "ada", "audit", NOW))
        return [await store.load_run(run_id) for run_id in ("trusted", "run-3")]

    kept = use(write)
    rng = random.Random(20261122)  # noqa: S311 - moments to kill at, not secrets
    for _ in range(6):
        process = subprocess.Popen(
            [sys.executable, "-c", DROP, postgres_url, LATER.isoformat()], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(rng.uniform(0.0, 0.4))  # so that the kill is at any distance from a commit
        process.send_signal(signal.SIGKILL)
        process.communicate()

    async def check(store: PostgresStore) -> None:
        await drop_all(store)
        assert [await store.load_run(run_id) for run_id in ("trusted", "run-3")] == kept
        assert (await store.load_run("run-5")).dropped_at is not None
        assert await store.months_before(LATER.date() - timedelta(days=90)) == []
        again = [await recompute(verdict, store) for verdict in await store.list_verdicts()]
        assert [each.first_difference for each in again] == [""] * 8

    use(check)


def test_the_command_previews_drops_and_names_what_is_gone(use: Use, postgres_url: str, tmp_path: Path) -> None:
    """`retention run --dry-run` lists months and drops none; after a real run `runs show` prints what was dropped."""

    async def write(store: PostgresStore) -> None:
        await write_history(store, days=(0,))
        newer = await save_run(store, (await store.load_measured("run-0")).suite, "newer", day=1, are_found=False)
        await promote(store, newer.run)

    use(write)
    (tmp_path / "recallwatch.yaml").write_text(
        f"storage: {{url: {json.dumps(postgres_url)}}}\nretention: {{results: 7d}}"
    )
    preview = json.loads(command("retention", "run", "--dry-run", "--json", cwd=tmp_path).stdout)
    assert [(each["month"], each["runs"], each["kept_runs"]) for each in preview["months"]] == [("2026-01", 3, 1)]
    assert command("retention", "run", cwd=tmp_path).stdout.startswith("2026-01: dropped ")
    shown = command("runs", "show", "run-0", cwd=tmp_path).stdout
    assert "Rankings and answers were dropped by retention on " in shown
    assert "recall@10" in shown
    assert "dropped" not in command("runs", "show", "newer", cwd=tmp_path).stdout
