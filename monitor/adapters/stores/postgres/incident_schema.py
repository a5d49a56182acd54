"""The tables of incidents, their alerts and deliveries, and silences. `migrations/` creates them."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from monitor.adapters.stores.postgres.schema import metadata

_when = DateTime(timezone=True)

incident = Table(
    "incident",
    metadata,
    Column("incident_id", Text, primary_key=True),
    Column("dedup_key", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("verdict_name", Text, nullable=False),
    Column("policy", Text, nullable=False),
    Column("summary", Text, nullable=False),
    Column("n_paging", Integer, nullable=False),
    Column("recovering", JSONB, nullable=False),
    Column("fallen", JSONB, nullable=False),
    Column("bounds", JSONB, nullable=False),
    Column("axes", JSONB, nullable=False),
    Column("baseline_run_ids", JSONB, nullable=False),
    Column("reopened", Integer, nullable=False),
    Column("opened_at", _when, nullable=False),
    Column("fired_at", _when),
    Column("reminded_at", _when),
    Column("acknowledged_at", _when),
    Column("acknowledged_by", Text, nullable=False),
    Column("resolved_at", _when),
    Column("resolution", Text, nullable=False),
    Column("dismissed_by", Text, nullable=False, server_default=""),
    Column("reason", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    # One incident of a kind can be active per subject.
    Index(
        "incident_lasting_idx",
        "kind",
        "subject",
        unique=True,
        postgresql_where=text("status IN ('suspected', 'open', 'acknowledged')"),
    ),
    Index("incident_dedup_key_idx", "dedup_key"),
    Index("incident_subject_idx", "kind", "subject", "opened_at"),
)

alert = Table(
    "alert",
    metadata,
    Column("alert_id", Text, primary_key=True),
    Column("incident_id", ForeignKey("incident.incident_id"), nullable=False),
    Column("dedup_key", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("payload", JSONB, nullable=False),
    Column("created_at", _when, nullable=False),
    Column("notifiers", JSONB, nullable=False),
    Column("silenced_until", _when),
    Column("silence", Text, nullable=False),
    Index("alert_incident_id_idx", "incident_id"),
)

delivery = Table(
    "delivery",
    metadata,
    Column("delivery_id", BigInteger, Identity(always=True), primary_key=True),
    Column("alert_id", ForeignKey("alert.alert_id"), nullable=False),
    Column("notifier", Text, nullable=False),
    Column("dedup_key", Text, nullable=False),
    Column("state", Text, nullable=False, server_default="pending"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("next_attempt_at", _when),
    Column("leased_until", _when),
    Column("delivered_at", _when),
    Column("reason", Text),
    Column("detail", Text),
    Column("receipt", Text),
    UniqueConstraint("alert_id", "notifier"),
    Index("delivery_pending_idx", "notifier", "delivery_id", postgresql_where=text("state = 'pending'")),
    Index("delivery_lane_idx", "notifier", "dedup_key", "delivery_id", postgresql_where=text("state = 'pending'")),
    Index("delivery_dead_idx", "delivery_id", postgresql_where=text("state = 'dead'")),
)

silence = Table(
    "silence",
    metadata,
    Column("silence_id", Text, primary_key=True),
    Column("author", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("match", JSONB, nullable=False),
    Column("starts_at", _when),
    Column("ends_at", _when),
    Column("daily", JSONB),
    Column("zone", Text, nullable=False),
    Column("weekdays", JSONB, nullable=False),
    Column("created_at", _when, nullable=False),
    Column("ended_by", Text),
    Column("ended_at", _when),
)
