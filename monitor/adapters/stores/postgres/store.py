"""The store in PostgreSQL 14 or newer: SQLAlchemy Core for statements, arrays for bulk."""

from __future__ import annotations

from monitor.adapters.stores.postgres.announcement_table import AnnouncementTable
from monitor.adapters.stores.postgres.decision_tables import DecisionTables
from monitor.adapters.stores.postgres.ledger_tables import LedgerTables
from monitor.adapters.stores.postgres.outbox_table import OutboxTable
from monitor.adapters.stores.postgres.retention_tables import RetentionTables
from monitor.adapters.stores.postgres.silence_tables import SilenceTables
from monitor.adapters.stores.postgres.slot_tables import SlotTables


class PostgresStore(
    RetentionTables, DecisionTables, OutboxTable, AnnouncementTable, LedgerTables, SilenceTables, SlotTables
):
    """All data of recallwatch in one PostgreSQL database."""
