"""The tables of the audit log, the tokens and the gate, named like the model."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, DateTime, Index, Integer, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from monitor.adapters.stores.postgres.schema import metadata

_when = DateTime(timezone=True)

# The database fills number, time, previous and hash; it refuses changes of an entry.
audit = Table(
    "audit",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("recorded_at", _when, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("previous", Text, nullable=False),
    Column("hash", Text, nullable=False),
)

token = Table(
    "token",
    metadata,
    Column("token_id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("hash", Text, nullable=False),
    Column("scopes", JSONB, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("created_at", _when, nullable=False),
    Column("expires_at", _when),
    Column("last_used_at", _when),
    Column("revoked_at", _when),
    Column("revoked_by", Text, nullable=False),
)

remembered_response = Table(
    "remembered_response",
    metadata,
    Column("caller", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("request_digest", Text, nullable=False),
    Column("status", Integer),
    Column("headers", JSONB, nullable=False),
    Column("body", Text, nullable=False),
    Column("created_at", _when, nullable=False),
)

gate = Table(
    "gate",
    metadata,
    Column("gate_id", Text, primary_key=True),
    Column("requested_by", Text, nullable=False),
    Column("requested_at", _when, nullable=False),
    Column("request", JSONB, nullable=False),
    Column("status", Text, nullable=False),
    Column("finished_at", _when),
    Column("result", JSONB),
    Index("gate_requested_at_idx", "requested_at"),
)
