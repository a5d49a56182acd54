"""Tables that store each ranking, answer and array of measurements once, and runs as references to them."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

TABLES = (
    "CREATE SEQUENCE content_key",
    "ALTER TABLE run ADD COLUMN run_key bigint GENERATED ALWAYS AS IDENTITY, ADD COLUMN measured_key bigint",
    "ALTER TABLE run ADD CONSTRAINT run_run_key_key UNIQUE (run_key)",
    """CREATE TABLE ranking (
        month date NOT NULL, ranking_key bigint NOT NULL DEFAULT nextval('content_key'), hash uuid NOT NULL,
        doc_ids json NOT NULL, scores double precision[], deployment text, sources json,
        CONSTRAINT ranking_pkey PRIMARY KEY (ranking_key, month), CONSTRAINT ranking_hash_key UNIQUE (hash, month)
    ) PARTITION BY RANGE (month)""",
    """CREATE TABLE answer_content (
        month date NOT NULL, answer_key bigint NOT NULL DEFAULT nextval('content_key'), hash uuid NOT NULL,
        text text NOT NULL, doc_ids json, citations json, model text, deployment text, tokens json,
        CONSTRAINT answer_content_pkey PRIMARY KEY (answer_key, month),
        CONSTRAINT answer_content_hash_key UNIQUE (hash, month)
    ) PARTITION BY RANGE (month)""",
    # What outlives its month, for baselines, open incidents and pinned runs, lies in the partition of this month.
    "CREATE TABLE ranking_kept PARTITION OF ranking FOR VALUES FROM (MINVALUE) TO ('1970-02-01')",
    "CREATE TABLE answer_content_kept PARTITION OF answer_content FOR VALUES FROM (MINVALUE) TO ('1970-02-01')",
    """CREATE TABLE outcome_block (
        run_key bigint NOT NULL, first_ordinal integer NOT NULL, ordinals integer[] NOT NULL,
        ranking_keys bigint[] NOT NULL, durations double precision[] NOT NULL, failures jsonb,
        answer_keys bigint[], answer_durations double precision[], answer_failures jsonb,
        CONSTRAINT outcome_block_pkey PRIMARY KEY (run_key, first_ordinal))""",
    """CREATE TABLE measurement_values (
        values_key bigint NOT NULL DEFAULT nextval('content_key'), hash uuid NOT NULL,
        numbers double precision[] NOT NULL,
        CONSTRAINT measurement_values_pkey PRIMARY KEY (values_key),
        CONSTRAINT measurement_values_hash_key UNIQUE (hash))""",
    """CREATE TABLE measured (
        measured_key bigint NOT NULL DEFAULT nextval('content_key'), hash uuid NOT NULL, value_keys jsonb NOT NULL,
        summary jsonb,
        CONSTRAINT measured_pkey PRIMARY KEY (measured_key), CONSTRAINT measured_hash_key UNIQUE (hash))""",
    "CREATE TABLE answer_grade (run_key bigint NOT NULL, grades jsonb NOT NULL,"
    " CONSTRAINT answer_grade_pkey PRIMARY KEY (run_key))",
    """CREATE TABLE dropped_month (
        month date NOT NULL, dropped_at timestamptz NOT NULL, rankings bigint NOT NULL, answers bigint NOT NULL,
        bytes bigint NOT NULL, CONSTRAINT dropped_month_pkey PRIMARY KEY (month))""",
    "CREATE UNIQUE INDEX suite_query_ordinal_idx ON suite_query (digest, ordinal)",
    """CREATE TABLE pinned_run (
        run_id text NOT NULL, pinned_by text NOT NULL, reason text NOT NULL, pinned_at timestamptz NOT NULL,
        CONSTRAINT pinned_run_pkey PRIMARY KEY (run_id),
        CONSTRAINT pinned_run_run_id_fkey FOREIGN KEY (run_id) REFERENCES run (run_id))""",
    "CREATE INDEX run_started_at_idx ON run (started_at)",
    # Which runs the next revision has moved already.
    "CREATE TABLE moved_run (run_key bigint NOT NULL, CONSTRAINT moved_run_pkey PRIMARY KEY (run_key))",
)
NAMES = (
    "moved_run", "pinned_run", "dropped_month", "answer_grade", "measured", "measurement_values", "outcome_block",
    "answer_content", "ranking",
)  # fmt: skip


def upgrade() -> None:
    """Create the tables beside those of today; the next revision fills them."""
    for statement in TABLES:
        op.execute(sa.text(statement))


def downgrade() -> None:
    """Drop them; the revision before this one has moved the rows back."""
    for name in NAMES:
        op.drop_table(name)
    op.execute("ALTER TABLE run DROP COLUMN run_key, DROP COLUMN measured_key")
    op.execute("DROP SEQUENCE content_key")
    op.execute("DROP INDEX suite_query_ordinal_idx")
    op.execute("DROP INDEX run_started_at_idx")
