"""Storing outcomes: blocks of references through the store, against SQLAlchemy Core's executemany of rows."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from uuid import uuid4

import orjson
from sqlalchemy import JSON, Column, Double, Engine, MetaData, Table, Text, create_engine, insert, text

from benchmarks.result import Result, dump
from benchmarks.timing import median_seconds, say
from monitor.adapters.stores.embedded import EmbeddedPostgres
from monitor.adapters.stores.postgres.connection import with_driver
from monitor.adapters.stores.postgres.store import PostgresStore
from monitor.cli.process import run_until_done
from monitor.model.runs import Outcome, Ranking, Run
from monitor.model.suites import Axis, Query, Suite
from monitor.service.wiring import utc_now

N_OURS, N_THEIRS, BATCH, DEPTH = 1_000_000, 100_000, 10_000, 10
GOAL = 10.0
ROWS = Table(
    "stored_by_executemany",
    MetaData(),
    Column("run_id", Text, primary_key=True),
    Column("query_id", Text, primary_key=True),
    Column("duration_s", Double, nullable=False),
    Column("doc_ids", JSON),
    Column("scores", JSON),
)
"""One row for each outcome, as a service would store it without a design of its own."""


def prepare() -> list[Outcome]:
    """The outcomes of one run; other runs repeat them."""
    rng = random.Random(1)  # noqa: S311 - the same inputs every time, not a secret
    return [
        Outcome(
            query_id=f"query-{number:07d}",
            ranking=Ranking(
                doc_ids=tuple(f"doc-{each:07d}" for each in rng.sample(range(1_000_000), DEPTH)),
                scores=tuple(sorted((rng.random() for _ in range(DEPTH)), reverse=True)),
            ),
            duration_s=0.025,
        )
        for number in range(BATCH)
    ]


def a_run() -> Run:
    """A run that has just started."""
    return Run(
        run_id=uuid4().hex,
        cycle_id="cycle",
        target="target",
        suite_name="suite",
        suite_digest="suite",
        axis=Axis.BROAD,
        depth=DEPTH,
        started_at=utc_now(),
    )


def as_dicts(run_id: str, batch: Sequence[Outcome]) -> list[dict[str, object]]:
    """Rows for executemany."""
    return [
        {
            "run_id": run_id,
            "query_id": each.query_id,
            "duration_s": each.duration_s,
            "doc_ids": each.ranking.doc_ids if each.ranking else None,
            "scores": each.ranking.scores if each.ranking else None,
        }
        for each in batch
    ]


def forget(engine: Engine) -> None:
    """Empty the table before each round."""
    with engine.begin() as connection:
        connection.execute(text("TRUNCATE outcome_block, stored_by_executemany"))


async def compare() -> list[Result]:
    """Compare recallwatch with executemany, one row for each outcome."""
    with tempfile.TemporaryDirectory(prefix="recallwatch-") as folder:
        server = EmbeddedPostgres(Path(folder))
        url = await server.__aenter__()
        store = PostgresStore(EmbeddedPostgres(Path(folder)))
        engine = create_engine(with_driver(url), json_serializer=lambda value: orjson.dumps(value).decode())
        try:
            await store.open()
            ROWS.create(engine)
            return await measure(store, engine)
        finally:
            engine.dispose()
            await store.close()
            await server.__aexit__(None, None, None)


async def measure(store: PostgresStore, engine: Engine) -> list[Result]:
    """Rows per second of both."""
    batch = prepare()
    queries = tuple(Query(query_id=each.query_id, text="?", stratum="all", cluster="all") for each in batch)
    await store.save_suite(Suite(name="suite", version="1", axis=Axis.BROAD, queries=queries, digest="suite"))
    dicts = [as_dicts(str(number), batch) for number in range(N_THEIRS // BATCH)]
    say(f"storing: {N_OURS:,} outcomes, {N_THEIRS:,} of them by executemany")

    async def ours() -> None:
        forget(engine)
        for _ in range(N_OURS // BATCH):
            run = a_run()
            await store.start_run(run)
            await store.save_outcomes(run.run_id, batch)

    def theirs() -> None:
        forget(engine)
        for rows in dicts:
            with engine.begin() as connection:
                connection.execute(insert(ROWS), rows)

    mine_s, their_s = await median_seconds(ours, theirs)
    mine, their = N_OURS / mine_s, N_THEIRS / their_s
    peer = f"SQLAlchemy {version('SQLAlchemy')} Core executemany, psycopg {version('psycopg')}"
    return [Result(f"storing outcomes of {DEPTH} hits", "rows/s", mine, peer, their, mine / their, GOAL)]


if __name__ == "__main__":
    print(dump(run_until_done(compare())))
