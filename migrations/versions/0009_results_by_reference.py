"""Move outcomes, measurements and answers into the tables of 0008; views keep their names and columns.

`recallwatch migrate` moves batches of runs before this revision is applied, each batch in a transaction that also
records which runs it moved. So the migration can be interrupted at any time, and continues where it stopped.
"""

# ruff: noqa: S608 - every statement is made of constants of this file

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

MONTH = "date_trunc('month', run.started_at AT TIME ZONE 'UTC')::date"


def _hash(*parts: str) -> str:
    """128 bits of SHA-256 over the parts."""
    joined = " || E'\\x1f' || ".join(f"coalesce({part}, '')" for part in parts)
    return f"encode(substring(sha256(convert_to({joined}, 'UTF8')) FROM 1 FOR 16), 'hex')::uuid"


RANKING_HASH = _hash("o.doc_ids::text", "o.scores::text", "'=' || o.deployment", "o.sources::text")
ANSWER_HASH = _hash(
    "'=' || a.text", "a.doc_ids::text", "a.citations::text", "'=' || a.model", "'=' || a.deployment", "a.tokens::text"
)
NUMBERS = "ARRAY(SELECT number::float8 FROM json_array_elements_text({}) AS number)"

MOVE = (
    # 1. Rankings and answers, each once in its month.
    f"""INSERT INTO ranking (month, hash, doc_ids, scores, deployment, sources)
        SELECT DISTINCT ON (1, 2) {MONTH}, {RANKING_HASH}, o.doc_ids,
            CASE json_typeof(o.scores) WHEN 'array' THEN {NUMBERS.format("o.scores")} END, o.deployment, o.sources
        FROM outcome AS o JOIN run USING (run_id) WHERE run_key = ANY(:keys) AND json_typeof(o.doc_ids) = 'array'
        ON CONFLICT DO NOTHING""",
    f"""INSERT INTO answer_content (month, hash, text, doc_ids, citations, model, deployment, tokens)
        SELECT DISTINCT ON (1, 2) {MONTH}, {ANSWER_HASH}, a.text, a.doc_ids, a.citations, a.model, a.deployment,
            a.tokens
        FROM answer AS a JOIN run USING (run_id) WHERE run_key = ANY(:keys) AND a.text IS NOT NULL
        ON CONFLICT DO NOTHING""",
    # 2. Outcomes and replies as one block of references for each run.
    f"""INSERT INTO outcome_block
        SELECT run_key, min(ordinal), array_agg(ordinal ORDER BY ordinal), array_agg(ranking_key ORDER BY ordinal),
            array_agg(duration_s ORDER BY ordinal),
            jsonb_object_agg(ordinal, jsonb_build_array(reason, detail)) FILTER (WHERE reason IS NOT NULL),
            CASE WHEN bool_or(is_replied) THEN array_agg(answer_key ORDER BY ordinal) END,
            CASE WHEN bool_or(is_replied) THEN array_agg(answer_duration ORDER BY ordinal) END,
            jsonb_object_agg(ordinal, jsonb_build_array(answer_reason, answer_detail))
                FILTER (WHERE answer_reason IS NOT NULL)
        FROM (
            SELECT run_key, q.ordinal, coalesce(r.ranking_key, 0) AS ranking_key, o.duration_s, o.reason, o.detail,
                a.run_id IS NOT NULL AS is_replied, coalesce(c.answer_key, 0) AS answer_key,
                coalesce(a.duration_s, 'NaN') AS answer_duration, a.reason AS answer_reason, a.detail AS answer_detail
            FROM run JOIN outcome AS o USING (run_id)
            JOIN suite_query AS q ON q.digest = run.suite_digest AND q.query_id = o.query_id
            LEFT JOIN ranking AS r
                ON r.month = {MONTH} AND r.hash = {RANKING_HASH} AND json_typeof(o.doc_ids) = 'array'
            LEFT JOIN answer AS a ON a.run_id = o.run_id AND a.query_id = o.query_id
            LEFT JOIN answer_content AS c ON c.month = {MONTH} AND c.hash = {ANSWER_HASH} AND a.text IS NOT NULL
            WHERE run_key = ANY(:keys)
        ) AS results
        GROUP BY run_key""",
    """INSERT INTO answer_grade
        SELECT run_key, jsonb_object_agg(q.ordinal, a.scores)
        FROM run JOIN answer AS a USING (run_id)
        JOIN suite_query AS q ON q.digest = run.suite_digest AND q.query_id = a.query_id
        WHERE run_key = ANY(:keys) AND json_typeof(a.scores) = 'array' GROUP BY run_key""",
    # 3. Measurements as one array for each measure, in the order of the suite.
    """CREATE TEMPORARY TABLE moved_values ON COMMIT DROP AS
        SELECT run_key, measure, numbers,
            encode(substring(sha256(convert_to(numbers::text, 'UTF8')) FROM 1 FOR 16), 'hex')::uuid AS hash
        FROM (
            SELECT run_key, names.measure, array_agg(coalesce(m.value, 'NaN') ORDER BY q.ordinal) AS numbers
            FROM run
            JOIN (SELECT DISTINCT run_id, measure FROM measurement) AS names USING (run_id)
            JOIN suite_query AS q ON q.digest = run.suite_digest
            LEFT JOIN measurement AS m
                ON m.run_id = names.run_id AND m.measure = names.measure AND m.query_id = q.query_id
            WHERE run_key = ANY(:keys) GROUP BY run_key, names.measure
        ) AS arrays""",
    """INSERT INTO measurement_values (hash, numbers) SELECT DISTINCT ON (hash) hash, numbers FROM moved_values
        ON CONFLICT DO NOTHING""",
    """CREATE TEMPORARY TABLE moved_measured ON COMMIT DROP AS
        SELECT run_key, value_keys,
            encode(substring(sha256(convert_to(value_keys::text, 'UTF8')) FROM 1 FOR 16), 'hex')::uuid AS hash
        FROM (
            SELECT run_key, jsonb_object_agg(measure, values_key) AS value_keys
            FROM moved_values JOIN measurement_values USING (hash) GROUP BY run_key
        ) AS keys""",
    """INSERT INTO measured (hash, value_keys) SELECT DISTINCT ON (hash) hash, value_keys FROM moved_measured
        ON CONFLICT DO NOTHING""",
    """UPDATE run SET measured_key = measured.measured_key
        FROM moved_measured JOIN measured USING (hash) WHERE run.run_key = moved_measured.run_key""",
    "DROP TABLE moved_values, moved_measured",
    "INSERT INTO moved_run SELECT unnest(CAST(:keys AS bigint[]))",
)
ORPHANS = """SELECT count(*) FROM outcome AS o JOIN run USING (run_id)
    LEFT JOIN suite_query AS q ON q.digest = run.suite_digest AND q.query_id = o.query_id
    WHERE run_key = ANY(:keys) AND q.query_id IS NULL"""

KEPT = "DATE '1970-01-01'"
VIEWS = {
    "outcome": f"""
        SELECT run.run_id COLLATE "C" AS run_id, q.query_id COLLATE "C" AS query_id, o.duration_s,
            b.failures -> o.ordinal::text ->> 0 AS reason, b.failures -> o.ordinal::text ->> 1 AS detail,
            r.doc_ids, to_json(r.scores) AS scores, r.deployment, r.sources
        FROM run
        JOIN outcome_block AS b USING (run_key)
        CROSS JOIN LATERAL unnest(b.ordinals, b.ranking_keys, b.durations) AS o(ordinal, ranking_key, duration_s)
        JOIN suite_query AS q ON q.digest = run.suite_digest AND q.ordinal = o.ordinal
        LEFT JOIN ranking AS r ON r.ranking_key = o.ranking_key AND r.month IN ({MONTH}, {KEPT})""",
    "measurement": """
        SELECT run.run_id COLLATE "C" AS run_id, keys.measure COLLATE "C" AS measure,
            q.query_id COLLATE "C" AS query_id, v.value
        FROM run
        JOIN measured USING (measured_key)
        CROSS JOIN LATERAL jsonb_each_text(measured.value_keys) AS keys(measure, values_key)
        JOIN measurement_values AS stored ON stored.values_key = keys.values_key::bigint
        CROSS JOIN LATERAL unnest(stored.numbers) WITH ORDINALITY AS v(value, place)
        JOIN suite_query AS q ON q.digest = run.suite_digest AND q.ordinal = v.place - 1
        WHERE v.value <> 'NaN'""",
    "answer": f"""
        SELECT run.run_id COLLATE "C" AS run_id, q.query_id COLLATE "C" AS query_id, c.text, c.doc_ids, c.citations,
            c.model, c.deployment, c.tokens, b.answer_failures -> o.ordinal::text ->> 0 AS reason,
            b.answer_failures -> o.ordinal::text ->> 1 AS detail, o.duration_s,
            (g.grades -> o.ordinal::text)::json AS scores
        FROM run
        JOIN outcome_block AS b USING (run_key)
        CROSS JOIN LATERAL unnest(b.ordinals, b.answer_keys, b.answer_durations) AS o(ordinal, answer_key, duration_s)
        JOIN suite_query AS q ON q.digest = run.suite_digest AND q.ordinal = o.ordinal
        LEFT JOIN answer_content AS c ON c.answer_key = o.answer_key AND c.month IN ({MONTH}, {KEPT})
        LEFT JOIN answer_grade AS g USING (run_key)
        WHERE b.answer_keys IS NOT NULL AND o.duration_s <> 'NaN'""",
}
OLD_TABLES = {
    "outcome": """run_id text COLLATE "C" NOT NULL, query_id text COLLATE "C" NOT NULL,
        duration_s double precision NOT NULL, reason text, detail text, doc_ids json, scores json, deployment text,
        sources json, CONSTRAINT outcome_pkey PRIMARY KEY (run_id, query_id)""",
    "measurement": """run_id text COLLATE "C" NOT NULL, measure text COLLATE "C" NOT NULL,
        query_id text COLLATE "C" NOT NULL, value double precision NOT NULL,
        CONSTRAINT measurement_pkey PRIMARY KEY (run_id, measure, query_id)""",
    "answer": """run_id text COLLATE "C" NOT NULL, query_id text COLLATE "C" NOT NULL, text text, doc_ids json,
        citations json, model text, deployment text, tokens json, reason text, detail text,
        duration_s double precision NOT NULL, scores json, CONSTRAINT answer_pkey PRIMARY KEY (run_id, query_id)""",
}
RESULTS = "ranking, answer_content, outcome_block, measurement_values, measured, answer_grade"
BATCH = 200
"""Runs in a batch of the final step."""


def pending(connection: sa.Connection) -> list[int]:
    """Keys of the closed runs that are not moved, oldest first; a process may still write to a running one."""
    query = """SELECT run_key FROM run LEFT JOIN moved_run USING (run_key)
        WHERE moved_run.run_key IS NULL AND status <> 'running' ORDER BY run_key"""
    return list(connection.scalars(sa.text(query)))


def move(connection: sa.Connection, run_keys: Sequence[int]) -> None:
    """Move the results of these runs, except those that another process moved, and record that they are moved."""
    query = """SELECT run_key FROM unnest(CAST(:keys AS bigint[])) AS run_key
        LEFT JOIN moved_run USING (run_key) WHERE moved_run.run_key IS NULL"""
    keys = {"keys": list(connection.scalars(sa.text(query), {"keys": list(run_keys)}))}
    _create_partitions(connection, keys)
    if n_orphans := connection.scalar(sa.text(ORPHANS), keys):
        raise RuntimeError(f"{n_orphans} rows of outcome belong to no query of the suite of their run: delete them")
    for statement in MOVE:
        connection.execute(sa.text(statement), keys if ":keys" in statement else {})


def _create_partitions(connection: sa.Connection, keys: dict[str, list[int]]) -> None:
    query = f"SELECT DISTINCT {MONTH} FROM run WHERE run_key = ANY(:keys)"
    for month in connection.scalars(sa.text(query), keys):
        after = month.replace(year=month.year + month.month // 12, month=month.month % 12 + 1)
        for table in ("ranking", "answer_content"):
            connection.execute(
                sa.text(
                    f"CREATE TABLE IF NOT EXISTS {table}_{month:%Y_%m} PARTITION OF {table}"
                    f" FOR VALUES FROM ('{month}') TO ('{after}')"
                )
            )


def upgrade() -> None:
    """Move what is left, runs that a crash left running among it, and put views in the place of the tables."""
    connection = op.get_bind()
    op.execute("LOCK TABLE outcome, measurement, answer IN ACCESS EXCLUSIVE MODE")
    query = "SELECT run_key FROM run LEFT JOIN moved_run USING (run_key) WHERE moved_run.run_key IS NULL ORDER BY 1"
    left = list(connection.scalars(sa.text(query)))
    for start in range(0, len(left), BATCH):
        move(connection, left[start : start + BATCH])
    for name, query in VIEWS.items():
        op.drop_table(name)
        op.execute(sa.text(f"CREATE VIEW {name} AS {query}"))
    op.drop_table("moved_run")


def downgrade() -> None:
    """Write every row again as it was. Refused after retention, whose rankings no migration can restore."""
    if op.get_bind().scalar(sa.text("SELECT count(*) FROM dropped_month")):
        raise RuntimeError("retention has dropped rankings, which the tables of revision 0008 cannot express")
    for name, columns in OLD_TABLES.items():
        op.execute(sa.text(f"CREATE TABLE former_{name} AS SELECT * FROM {name}"))
        op.execute(sa.text(f"DROP VIEW {name}"))
        op.execute(sa.text(f"CREATE TABLE {name} ({columns})"))
        op.execute(sa.text(f"INSERT INTO {name} SELECT * FROM former_{name}"))
        op.drop_table(f"former_{name}")
    op.execute("UPDATE run SET measured_key = NULL")
    op.execute(f"TRUNCATE {RESULTS}")
    op.execute("CREATE TABLE moved_run (run_key bigint NOT NULL, CONSTRAINT moved_run_pkey PRIMARY KEY (run_key))")
