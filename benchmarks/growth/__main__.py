"""Fill 1, 10 and 100 million outcomes and measure: ``python -m benchmarks.growth [--write] [millions …]``."""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import date
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.growth.history import History, suite
from benchmarks.growth.page import write
from benchmarks.timing import say
from monitor.adapters.stores.embedded import EmbeddedPostgres
from monitor.adapters.stores.postgres.store import PostgresStore
from monitor.cli.process import run_until_done

VIEWS = Path(__file__).resolve().parents[2] / "dashboards" / "read-only.sql"
CYCLES = ("-m", "benchmarks.growth.cycles")
ROUNDS = 5


async def measure_growth(millions: list[int]) -> list[dict[str, Any]]:
    """One row of numbers for each amount of history."""
    with tempfile.TemporaryDirectory(prefix="recallwatch-") as folder:
        server = EmbeddedPostgres(Path(folder))
        url = await server.__aenter__()
        store = PostgresStore(EmbeddedPostgres(Path(folder)))
        try:
            await store.open()
            return [row async for row in _rows(store, url, millions)]
        finally:
            await store.close()
            await server.__aexit__(None, None, None)


async def _rows(store: PostgresStore, url: str, millions: list[int]) -> Any:
    for number in range(20):
        await store.save_suite(suite(number))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(VIEWS.read_text(encoding="utf-8"))
        history = History(connection)
        for amount in millions:
            started = time.perf_counter()
            history.grow(amount * 1_000_000)
            connection.execute("VACUUM ANALYZE")
            say(f"growth: {history.n_outcomes:,} outcomes after {time.perf_counter() - started:.0f} s")
            yield await _measure(store, connection, history, url)


async def _measure(
    store: PostgresStore, connection: psycopg.Connection[Any], history: History, url: str
) -> dict[str, Any]:
    sizes = dict(await store.table_sizes())
    before, after = history.run_ids[0], history.run_ids[-1]
    cycles = await asyncio.to_thread(_cycles, url)
    probing_bytes = sum(sizes[name] for name in ("outcome_block", "measurement_values", "measured", "run"))
    return {
        "outcomes": history.n_outcomes,
        "gigabytes": sum(sizes.values()) / 1e9,
        "bytes_per_outcome": sum(sizes.values()) / history.n_outcomes,
        "bytes_without_rankings": probing_bytes / history.n_outcomes,
        "ranking_gigabytes": sizes["ranking"] / 1e9,
        **cycles,
        "overview_s": await _median_s(lambda: store.list_runs(50)),
        "verdicts_s": await _query_s(connection, "SELECT * FROM dashboard.verdict ORDER BY decided_at DESC LIMIT 100"),
        "run_s": await _query_s(connection, "SELECT * FROM dashboard.run WHERE run_id IN (%s, %s)", before, after),
        "compare_s": await _query_s(connection, "SELECT * FROM dashboard.compare(%s, %s, 'ndcg@10')", before, after),
        "load_run_s": await _median_s(lambda: store.load_run(before)),
        "sizes": sizes,
    }


def _cycles(url: str) -> dict[str, float]:
    """Time and memory of cycles, in a process of their own."""
    done = subprocess.run([sys.executable, *CYCLES, url], stdout=subprocess.PIPE, check=True)
    numbers: dict[str, float] = json.loads(done.stdout)
    return numbers


async def _median_s(work: Callable[[], Awaitable[object]]) -> float:
    times = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        await work()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


async def _query_s(connection: psycopg.Connection[Any], query: str, *arguments: object) -> float:
    async def work() -> None:
        connection.execute(query, arguments or None).fetchall()

    return await _median_s(work)


def main() -> None:
    """Parse the command line, measure, print or write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description="Size and times against history.")
    parser.add_argument("millions", nargs="*", type=int, default=[1, 10, 100], help="millions of outcomes")
    parser.add_argument("--write", action="store_true", help="write docs/growth.svg and the part of docs/benchmarks.md")
    options = parser.parse_args()
    rows = run_until_done(measure_growth(sorted(options.millions)))
    print(json.dumps(rows, indent=2))
    if options.write:
        write(rows, date.today())  # noqa: DTZ011 - a date for readers


if __name__ == "__main__":
    main()
