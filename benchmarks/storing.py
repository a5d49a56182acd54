"""Storing outcomes: blocks of references through the store, against SQLAlchemy Core's executemany of rows."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

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
RUN_ID = "run"
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


def prepare() -> list[list[Outcome]]:
    """Outcomes in batches; the rankings repeat from batch to batch to save memory."""
    rng = random.Random(1)  # noqa: S311 - the same inputs every time, not a secret
    rankings = [
        Ranking(
            doc_ids=tuple(f"doc-{number:07d}" for number in rng.sample(range(1_000_000), DEPTH)),
            scores=tuple(sorted((rng.random() for _ in range(DEPTH)), reverse=True)),
        )
        for _ in range(BATCH)
    ]
    return [
        [
            Outcome(query_id=f"query-{start + i:07d}", ranking=ranking, duration_s=0.025)
            for i, ranking in enumerate(rankings)
        ]
        for start in range(0, N_OURS, BATCH)
    ]


def as_dicts(batch: Sequence[Outcome]) -> list[dict[str, object]]:
    """Rows for executemany."""
    return [
        {
            "run_id": RUN_ID,
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
    now = utc_now()
    await store.save_suite(
        Suite(
            name="suite",
            version="1",
            axis=Axis.BROAD,
            queries=tuple(
                Query(query_id=f"query-{n:07d}", text="?", stratum="all", cluster="all") for n in range(N_OURS)
            ),
            digest="suite",
        )
    )
    await store.start_run(
        Run(
            run_id=RUN_ID,
            cycle_id="cycle",
            target="target",
            suite_name="suite",
            suite_digest="suite",
            axis=Axis.BROAD,
            depth=DEPTH,
            started_at=now,
        )
    )
    batches = prepare()
    dicts = [as_dicts(batch) for batch in batches[: N_THEIRS // BATCH]]
    say(f"storing: {N_OURS:,} outcomes, {N_THEIRS:,} of them by executemany")

    async def ours() -> None:
        forget(engine)
        for batch in batches:
            await store.save_outcomes(RUN_ID, batch)

    def theirs() -> None:
        forget(engine)
        for batch in dicts:
            with engine.begin() as connection:
                connection.execute(insert(ROWS), batch)

    mine_s, their_s = await median_seconds(ours, theirs)
    mine, their = N_OURS / mine_s, N_THEIRS / their_s
    peer = f"SQLAlchemy {version('SQLAlchemy')} Core executemany, psycopg {version('psycopg')}"
    return [Result(f"storing outcomes of {DEPTH} hits", "rows/s", mine, peer, their, mine / their, GOAL)]


if __name__ == "__main__":
    print(dump(run_until_done(compare())))
