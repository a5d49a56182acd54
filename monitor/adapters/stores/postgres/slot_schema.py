"""The tables that processes of the service share, named like the model."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, DateTime, Index, Integer, Table, Text, text
from sqlalchemy.dialects.postgresql import JSONB

from monitor.adapters.stores.postgres.schema import metadata

_when = DateTime(timezone=True)

slot = Table(
    "slot",
    metadata,
    Column("schedule", Text, primary_key=True),
    Column("scheduled_at", _when, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("plan_digest", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("heartbeat", Integer, nullable=False),
    Column("takeovers", Integer, nullable=False),
    Column("claimed_at", _when, nullable=False),
    Column("finished_at", _when),
    Column("has_data", Boolean, nullable=False),
    Index("slot_data_idx", "schedule", "finished_at", postgresql_where=text("has_data")),
)

peer = Table(
    "peer",
    metadata,
    Column("owner", Text, primary_key=True),
    Column("heartbeat", Integer, nullable=False),
    Column("schedules", JSONB, nullable=False),
)

served_schedule = Table(
    "served_schedule",
    metadata,
    Column("installation", Text, primary_key=True),
    Column("schedule", Text, primary_key=True),
)

# Kept by a trigger of `incident`, because counting every incident takes longer with each of them.
incident_tally = Table(
    "incident_tally",
    metadata,
    Column("target", Text, primary_key=True),
    Column("policy", Text, primary_key=True),
    Column("fired", Integer, nullable=False),
    Column("confirmed", Integer, nullable=False),
    Column("dismissed", Integer, nullable=False),
)
