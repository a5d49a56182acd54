"""The tables of results: contents that are stored once, and runs as references to them.

A ranking, an answer and an array of measurements is addressed by 128 bits of SHA-256 over its content. Rankings and
answers lie in monthly partitions, so that retention drops a month as a whole; measurements are kept for ever.
"""

from __future__ import annotations

from sqlalchemy import (
    ARRAY,
    JSON,
    BigInteger,
    Column,
    Date,
    DateTime,
    Double,
    ForeignKey,
    Integer,
    Sequence,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB

from monitor.adapters.stores.postgres.schema import metadata

_keys = Sequence("content_key", metadata=metadata)
_next_key = _keys.next_value()

ranking = Table(
    "ranking",
    metadata,
    Column("month", Date, primary_key=True),
    Column("ranking_key", BigInteger, primary_key=True, server_default=_next_key),
    Column("hash", Uuid, nullable=False),
    Column("doc_ids", JSON, nullable=False),
    Column("scores", ARRAY(Double)),
    Column("deployment", Text),
    Column("sources", JSON),
    UniqueConstraint("hash", "month"),
    postgresql_partition_by="RANGE (month)",
)

answer_content = Table(
    "answer_content",
    metadata,
    Column("month", Date, primary_key=True),
    Column("answer_key", BigInteger, primary_key=True, server_default=_next_key),
    Column("hash", Uuid, nullable=False),
    Column("text", Text, nullable=False),
    Column("doc_ids", JSON),
    Column("citations", JSON),
    Column("model", Text),
    Column("deployment", Text),
    Column("tokens", JSON),
    UniqueConstraint("hash", "month"),
    postgresql_partition_by="RANGE (month)",
)

# The outcomes of one commit of a run, in parallel arrays. Key 0 stands for no ranking or no answer; a duration of NaN
# for no reply. Failures are few, so they are a mapping from the ordinal of the query to reason and detail.
outcome_block = Table(
    "outcome_block",
    metadata,
    Column("run_key", BigInteger, primary_key=True, autoincrement=False),
    Column("first_ordinal", Integer, primary_key=True),
    Column("ordinals", ARRAY(Integer), nullable=False),
    Column("ranking_keys", ARRAY(BigInteger), nullable=False),
    Column("durations", ARRAY(Double), nullable=False),
    Column("failures", JSONB),
    Column("answer_keys", ARRAY(BigInteger)),
    Column("answer_durations", ARRAY(Double)),
    Column("answer_failures", JSONB),
)

# The values of one measure, in the order of the queries of the suite; NaN for a query without a value.
measurement_values = Table(
    "measurement_values",
    metadata,
    Column("values_key", BigInteger, primary_key=True, server_default=_next_key),
    Column("hash", Uuid, nullable=False),
    Column("numbers", ARRAY(Double), nullable=False),
    UniqueConstraint("hash"),
)

# Everything that was measured of a run: the arrays by measure, and the counts that follow from its outcomes.
measured = Table(
    "measured",
    metadata,
    Column("measured_key", BigInteger, primary_key=True, server_default=_next_key),
    Column("hash", Uuid, nullable=False),
    Column("value_keys", JSONB, nullable=False),
    Column("summary", JSONB),
    UniqueConstraint("hash"),
)

answer_grade = Table(
    "answer_grade",
    metadata,
    Column("run_key", BigInteger, primary_key=True, autoincrement=False),
    Column("grades", JSONB, nullable=False),
)

# Runs whose rankings and answers are never dropped.
pinned_run = Table(
    "pinned_run",
    metadata,
    Column("run_id", ForeignKey("run.run_id"), primary_key=True),
    Column("pinned_by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("pinned_at", DateTime(timezone=True), nullable=False),
)

dropped_month = Table(
    "dropped_month",
    metadata,
    Column("month", Date, primary_key=True),
    Column("dropped_at", DateTime(timezone=True), nullable=False),
    Column("rankings", BigInteger, nullable=False),
    Column("answers", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
)
