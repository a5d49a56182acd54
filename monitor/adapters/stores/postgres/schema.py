"""The tables, named like the model. `migrations/` creates them; a test compares the two.

`content_schema` has the tables of rankings, answers and measurements.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    column,
    table,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "fk": "%(table_name)s_%(column_0_name)s_fkey",
        "uq": "%(table_name)s_%(column_0_name)s_key",
        "ix": "%(table_name)s_%(column_0_name)s_idx",
    }
)

_when = DateTime(timezone=True)
_id = Text(collation="C")
"""An identifier, ordered by its bytes, which makes its index cheaper than a linguistic order."""

suite = Table(
    "suite",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("axis", Text, nullable=False),
    Column("controls", JSONB, nullable=False),
)

suite_query = Table(
    "suite_query",
    metadata,
    Column("digest", ForeignKey("suite.digest"), primary_key=True),
    Column("query_id", Text, primary_key=True),
    Column("ordinal", Integer, nullable=False),
    Column("text", Text, nullable=False),
    Column("stratum", Text, nullable=False),
    Column("cluster", Text, nullable=False),
    Column("grades", JSONB, nullable=False),
    Column("answers", JSONB, nullable=False),
    Column("pair", JSONB),
    Column("passages", JSONB, nullable=False),
    Column("follows", Text, nullable=False),
    Column("style", Text, nullable=False, server_default=""),
    Column("answer_parts", JSONB, nullable=False, server_default="[]"),
    Index("suite_query_ordinal_idx", "digest", "ordinal", unique=True),
)

run = Table(
    "run",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("cycle_id", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("suite_name", Text, nullable=False),
    Column("suite_digest", ForeignKey("suite.digest"), nullable=False),
    Column("axis", Text, nullable=False),
    Column("depth", Integer, nullable=False),
    Column("status", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("started_at", _when, nullable=False),
    Column("finished_at", _when),
    Column("fingerprint", Text, nullable=False, server_default=""),
    Column("deployment", Text, nullable=False, server_default=""),
    Column("corpus", Text, nullable=False, server_default=""),
    Column("answers", Text, nullable=False, server_default=""),
    Column("answerer", Text, nullable=False, server_default=""),
    Column("judge", Text, nullable=False, server_default=""),
    Column("anchors", JSONB, nullable=False, server_default="[]"),
    Column("run_key", BigInteger, Identity(always=True), unique=True, nullable=False),
    Column("measured_key", BigInteger),
    Index("run_target_suite_idx", "target", "suite_name", "started_at"),
    Index("run_started_at_idx", "started_at"),
    Index("run_running_idx", "owner", postgresql_where=text("status = 'running'")),
)

grade = Table(
    "grade",
    metadata,
    Column("judge", _id, primary_key=True),
    Column("key", _id, primary_key=True),
    Column("scores", JSONB, nullable=False),
    Column("requests", Integer, nullable=False),
    Column("graded_at", _when, nullable=False),
    Index("grade_graded_at_idx", "graded_at"),
)

baseline = Table(
    "baseline",
    metadata,
    Column("baseline_id", BigInteger, Identity(always=True), primary_key=True),
    Column("target", Text, nullable=False),
    Column("suite_name", Text, nullable=False),
    Column("run_id", ForeignKey("run.run_id"), nullable=False),
    Column("promoted_by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("promoted_at", _when, nullable=False),
    Column("retired_at", _when),
    Index(
        "baseline_current_idx",
        "target",
        "suite_name",
        unique=True,
        postgresql_where=text("retired_at IS NULL"),
    ),
)

detector_state = Table(
    "detector_state",
    metadata,
    Column("target", Text, primary_key=True),
    Column("suite_name", Text, primary_key=True),
    Column("state", JSONB, nullable=False),
    Column("revision", Integer, nullable=False),
)

deployment = Table(
    "deployment",
    metadata,
    Column("deployment_id", BigInteger, Identity(always=True), primary_key=True),
    Column("target", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("declared_by", Text, nullable=False),
    Column("declared_at", _when, nullable=False),
    Column("detail", JSONB, nullable=False),
    Index("deployment_target_idx", "target", "declared_at"),
)

snapshot = Table(
    "snapshot",
    metadata,
    Column("target", Text, primary_key=True),
    Column("suite_name", Text, primary_key=True),
    Column("run_id", ForeignKey("run.run_id"), nullable=False),
    Column("state", JSONB, nullable=False),
)

swap = Table(
    "swap",
    metadata,
    Column("run_id", ForeignKey("run.run_id"), primary_key=True),
    Column("previous_run_id", ForeignKey("run.run_id"), nullable=False),
    Column("target", Text, nullable=False),
    Column("suite_name", Text, nullable=False),
    Column("declared", Boolean, nullable=False),
    Column("share_changed", Double, nullable=False),
    Column("detected_at", _when, nullable=False),
    Column("answers_changed", Double, nullable=False),
    Column("cause", Text, nullable=False),
    Column("evidence", Text, nullable=False),
    Index("swap_detected_at_idx", "detected_at"),
)

announcement = Table(
    "announcement",
    metadata,
    Column("run_id", ForeignKey("swap.run_id"), primary_key=True),
    Column("notifier", Text, primary_key=True),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("next_attempt_at", _when),
    Column("leased_until", _when),
    Column("announced_at", _when),
    Column("reason", Text),
)

decided_verdict = Table(
    "decided_verdict",
    metadata,
    Column("verdict_id", Text, primary_key=True),
    Column("cycle_id", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("summary", Text, nullable=False),
    Column("advice", Text, nullable=False),
    Column("evidence", JSONB, nullable=False),
    Column("run_ids", JSONB, nullable=False),
    Column("baseline_run_ids", JSONB, nullable=False),
    Column("policy", JSONB, nullable=False),
    Column("policy_digest", Text, nullable=False),
    Column("seed", BigInteger, nullable=False),
    Column("method", Text, nullable=False),
    Column("look", Integer, nullable=False),
    Column("look_reason", Text, nullable=False),
    Column("lost_queries", JSONB, nullable=False),
    Column("insights", JSONB, nullable=False),
    Column("decided_at", _when, nullable=False),
    Column("verdict_key", BigInteger, Identity(always=True), unique=True, nullable=False),
    Index("decided_verdict_target_idx", "target", "decided_at"),
)

# Verdicts on results that were judged before: everything else is that of the decided one.
repeated_verdict = Table(
    "repeated_verdict",
    metadata,
    Column("verdict_id", Text, primary_key=True),
    Column("cycle_id", Text, nullable=False),
    Column("verdict_key", ForeignKey("decided_verdict.verdict_key"), nullable=False),
    Column("target", Text, nullable=False),
    Column("run_ids", JSONB, nullable=False),
    Column("decided_at", _when, nullable=False),
    Index("repeated_verdict_target_idx", "target", "decided_at"),
)

verdict = table("verdict", *(column(each.name, each.type) for each in decided_verdict.columns if each.identity is None))
"""The view of both."""
