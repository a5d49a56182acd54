"""A long history, written in bulk into the tables that the store writes: 20 suites of 1,000 queries, every hour."""

# ruff: noqa: S608 - every statement is made of constants of this file

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import numpy as np
import psycopg
from numpy.typing import NDArray

from monitor.adapters.stores.postgres.content_rows import month_of
from monitor.model.suites import Axis, Query, Suite

N_SUITES, N_QUERIES, DEPTH, N_STRATA = 20, 1_000, 10, 5
CHANGED = 0.03
"""Share of the rankings that change in every hour."""
MEASURES = ("recall@5", "recall@10", "mrr@10", "ndcg@5", "ndcg@10", "success@5")
STARTS_AT = datetime(2026, 1, 1, tzinfo=UTC)
OUTCOMES_A_CYCLE = N_SUITES * N_QUERIES
A_YEAR = 24 * 365 * OUTCOMES_A_CYCLE


def suite(number: int) -> Suite:
    """One of the suites; each query has a relevant document of its own."""
    queries = tuple(
        Query(
            query_id=f"query-{number:02d}-{at:04d}",
            text=f"which document answers question {at} of suite {number}?",
            stratum=f"domain-{at % N_STRATA}",
            cluster=f"source-{at}",
            grades={f"doc-{at:07d}": 1},
        )
        for at in range(N_QUERIES)
    )
    axis = Axis.BROAD if number % 2 else Axis.COMPOSITIONAL
    return Suite(name=f"suite-{number:02d}", version="1", axis=axis, queries=queries, digest=f"digest-{number:02d}")


@dataclass(slots=True)
class History:
    """What was written so far."""

    connection: psycopg.Connection[Any]
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(7))
    n_cycles: int = 0
    next_key: int = 1_000_000
    month: date | None = None
    rankings: NDArray[np.int64] = field(default_factory=lambda: np.zeros((N_SUITES, N_QUERIES), np.int64))
    """The key of the present ranking of each query."""
    values: NDArray[np.float64] = field(
        default_factory=lambda: np.ones((N_SUITES, len(MEASURES), N_QUERIES), np.float64)
    )
    run_ids: list[str] = field(default_factory=list)

    n_eras: int = 1

    @property
    def n_outcomes(self) -> int:
        """Outcomes that are stored."""
        return self.n_cycles * OUTCOMES_A_CYCLE * self.n_eras

    def grow(self, n_outcomes: int) -> None:
        """Write until so many outcomes are stored: an era of up to 500 hours, then copies of it, one in each month."""
        n_cycles = min(n_outcomes // OUTCOMES_A_CYCLE, HOURS_OF_AN_ERA)
        self.extend(n_cycles - self.n_cycles)
        while self.n_outcomes < n_outcomes:
            self._repeat()

    def _repeat(self) -> None:
        """Copy the first era into the next month, with keys of its own."""
        with self.connection.transaction():
            first = month_of(STARTS_AT)
            self._create_partitions({date(first.year, first.month + self.n_eras, 1)})
            keys = {"offset": self.n_eras * KEYS_OF_AN_ERA, "last": self.next_key}
            for statement in REPEAT:
                self.connection.execute(statement, {"era": self.n_eras, "first": first, **keys})
        self.run_ids.append(self._last_run_id())
        self.n_eras += 1

    def _last_run_id(self) -> str:
        row = self.connection.execute("SELECT run_id FROM run ORDER BY run_key DESC LIMIT 1").fetchone()
        if row is None:
            raise ValueError("the history is empty")
        return str(row[0])

    def extend(self, n_cycles: int) -> None:
        """Write so many more hours."""
        # Cycles that were measured in between have taken keys.
        row = self.connection.execute("SELECT nextval('content_key')").fetchone()
        self.next_key = max(self.next_key, *(row or (0,))) + 1
        buffers: dict[str, list[tuple[Any, ...]]] = {name: [] for name in COLUMNS}
        for _ in range(n_cycles):
            self._cycle(buffers)
            if len(buffers["ranking"]) > 30_000:
                self._flush(buffers)
        self._flush(buffers)

    def _cycle(self, buffers: dict[str, list[tuple[Any, ...]]]) -> None:
        at = STARTS_AT + timedelta(hours=self.n_cycles)
        month = month_of(at)
        is_new_month = month != self.month
        self.month = month
        cycle_id = uuid4().hex
        for number in range(N_SUITES):
            changed = np.flatnonzero(self.rng.random(N_QUERIES) < (1.0 if is_new_month else CHANGED))
            keys = self._keys(len(changed))
            self.rankings[number, changed] = keys
            buffers["ranking"].extend(map(self._ranking, keys.tolist()))
            if self.n_cycles:
                self.values[number][:, changed] = self.rng.choice(LEVELS, (len(MEASURES), len(changed)))
            self._run(buffers, number, at, cycle_id)
        self.n_cycles += 1

    def _run(self, buffers: dict[str, list[tuple[Any, ...]]], number: int, at: datetime, cycle_id: str) -> None:
        run_key, measured_key, *value_keys = self._keys(2 + len(MEASURES)).tolist()
        run_id = uuid4().hex
        self.run_ids.append(run_id)
        durations = self.rng.gamma(4.0, 0.01, N_QUERIES)
        buffers["outcome_block"].append(
            (run_key, 0, ORDINALS, self.rankings[number].tolist(), durations.tolist(), None)
        )
        for key, values in zip(value_keys, self.values[number], strict=True):
            buffers["measurement_values"].append((key, uuid4(), values.tolist()))
        names = dict(zip(MEASURES, value_keys, strict=True))
        buffers["measured"].append((measured_key, uuid4(), _jsonb(names), _jsonb(SUMMARY)))
        print_of = uuid4().hex * 2
        axis = "broad" if number % 2 else "compositional"
        buffers["run"].append(
            (run_id, cycle_id, "production", f"suite-{number:02d}", f"digest-{number:02d}", axis, DEPTH, "finished",
             "host/1/2", at, at, print_of, print_of, "corpus", run_key, measured_key)
        )  # fmt: skip

    def _ranking(self, key: int) -> tuple[Any, ...]:
        documents = DOCUMENTS[self.rng.integers(len(DOCUMENTS))]
        return self.month, key, uuid4(), documents, self.rng.random(DEPTH).tolist(), "v1"

    def _keys(self, count: int) -> NDArray[np.int64]:
        self.next_key += count
        return np.arange(self.next_key - count, self.next_key)

    def _flush(self, buffers: dict[str, list[tuple[Any, ...]]]) -> None:
        with self.connection.transaction():
            for table, columns in COLUMNS.items():
                statement = f"COPY {table} ({', '.join(columns)}) FROM STDIN (FORMAT BINARY)"
                if table == "ranking":
                    self._create_partitions({row[0] for row in buffers[table]})
                if table == "run":
                    # The identity is given, so that blocks need not look it up.
                    self.connection.execute("ALTER TABLE run ALTER run_key SET GENERATED BY DEFAULT")
                with self.connection.cursor() as cursor, cursor.copy(statement) as writer:
                    writer.set_types(list(columns.values()))
                    for row in buffers[table]:
                        writer.write_row(row)
                buffers[table].clear()
            self.connection.execute("SELECT setval('content_key', %s)", (self.next_key,))
            self.connection.execute("SELECT setval(pg_get_serial_sequence('run', 'run_key'), %s)", (self.next_key,))
            self.connection.execute("ALTER TABLE run ALTER run_key SET GENERATED ALWAYS")

    def _create_partitions(self, months: set[date]) -> None:
        for month in sorted(months):
            after = (month + timedelta(days=31)).replace(day=1)
            for table in ("ranking", "answer_content"):
                self.connection.execute(
                    f"CREATE TABLE IF NOT EXISTS {table}_{month:%Y_%m} PARTITION OF {table}"
                    f" FOR VALUES FROM ('{month}') TO ('{after}')"
                )


COLUMNS = {
    "ranking": {"month": "date", "ranking_key": "int8", "hash": "uuid", "doc_ids": "bytea", "scores": "float8[]",
                "deployment": "text"},
    "outcome_block": {"run_key": "int8", "first_ordinal": "int4", "ordinals": "int4[]", "ranking_keys": "int8[]",
                      "durations": "float8[]", "failures": "jsonb"},
    "measurement_values": {"values_key": "int8", "hash": "uuid", "numbers": "float8[]"},
    "measured": {"measured_key": "int8", "hash": "uuid", "value_keys": "bytea", "summary": "bytea"},
    "run": {"run_id": "text", "cycle_id": "text", "target": "text", "suite_name": "text", "suite_digest": "text",
            "axis": "text", "depth": "int4", "status": "text", "owner": "text", "started_at": "timestamptz",
            "finished_at": "timestamptz", "fingerprint": "text", "deployment": "text", "corpus": "text",
            "run_key": "int8", "measured_key": "int8"},
}  # fmt: skip
HOURS_OF_AN_ERA, KEYS_OF_AN_ERA = 500, 10_000_000
_OF_FIRST = "BETWEEN 1000000 AND %(last)s"
_LATER = "+ make_interval(months => %(era)s::int)"
REPEAT = (
    f"""INSERT INTO ranking SELECT (month {_LATER})::date, ranking_key + %(offset)s, gen_random_uuid(), doc_ids, scores,
        deployment, sources FROM ranking WHERE ranking_key {_OF_FIRST} AND month = %(first)s""",
    f"""INSERT INTO outcome_block SELECT run_key + %(offset)s, first_ordinal, ordinals,
        (SELECT array_agg(key + %(offset)s ORDER BY place)
            FROM unnest(ranking_keys) WITH ORDINALITY AS keys(key, place)),
        durations FROM outcome_block WHERE run_key {_OF_FIRST}""",
    f"""INSERT INTO measurement_values SELECT values_key + %(offset)s, gen_random_uuid(), numbers
        FROM measurement_values WHERE values_key {_OF_FIRST}""",
    f"""INSERT INTO measured SELECT measured_key + %(offset)s, gen_random_uuid(),
        (SELECT jsonb_object_agg(key, value::bigint + %(offset)s) FROM jsonb_each_text(value_keys)), summary
        FROM measured WHERE measured_key {_OF_FIRST}""",
    f"""INSERT INTO run (run_id, cycle_id, target, suite_name, suite_digest, axis, depth, status, owner, started_at,
            finished_at, fingerprint, deployment, corpus, run_key, measured_key)
        OVERRIDING SYSTEM VALUE
        SELECT md5(run_id || %(era)s::text), cycle_id, target, suite_name, suite_digest, axis, depth, status, owner,
            started_at {_LATER}, finished_at {_LATER}, fingerprint, deployment, corpus, run_key + %(offset)s,
            measured_key + %(offset)s FROM run WHERE run_key {_OF_FIRST} AND target = 'production'""",
    "SELECT setval('content_key', %(offset)s + %(last)s)",
    "SELECT setval(pg_get_serial_sequence('run', 'run_key'), %(offset)s + %(last)s)",
)
ORDINALS = list(range(N_QUERIES))
LEVELS = np.array([0.0, 0.3010299956639812, 0.43067655807339306, 0.5, 0.6309297535714575, 1.0, 1.0, 1.0, 1.0])
SUMMARY = {
    "counts": {"scored": N_QUERIES, "failed": 0, "skipped": 0, "reasons": {}},
    "judged_share": 0.1, "labels": {}, "replies": None,
}  # fmt: skip
DOCUMENTS = [
    json.dumps([f"doc-{number:07d}" for number in row]).encode()
    for row in np.random.default_rng(1).integers(0, 1_000_000, (10_000, DEPTH)).tolist()
]


def _jsonb(value: Any) -> bytes:
    """A value as binary COPY takes JSONB: its version, then the text."""
    return b"\x01" + json.dumps(value).encode()


def renamed(of: Suite, name: str) -> Suite:
    """The suite under another name and digest."""
    return replace(of, name=name, digest=name)
