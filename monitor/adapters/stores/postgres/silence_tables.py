"""Silences that people set, in PostgreSQL."""

from __future__ import annotations

from dataclasses import fields
from datetime import time

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as upsert

from monitor.adapters.stores.postgres import incident_schema
from monitor.adapters.stores.postgres.connection import Database
from monitor.adapters.stores.postgres.rows import Row
from monitor.model.silences import Silence


class SilenceTables(Database):
    """Statements for silences."""

    async def save_silence(self, silence: Silence) -> None:
        """Store a silence, or its end."""
        values = {each.name: getattr(silence, each.name) for each in fields(silence)} | {
            "match": {label: list(accepted) for label, accepted in silence.match.items()},
            "daily": [each.isoformat() for each in silence.daily] if silence.daily else None,
            "weekdays": list(silence.weekdays),
        }
        stored = upsert(incident_schema.silence).values(values)
        end = {"ended_by": silence.ended_by, "ended_at": silence.ended_at}
        await self._execute(stored.on_conflict_do_update(index_elements=["silence_id"], set_=end))

    async def silences(self, *, ended: bool = False) -> list[Silence]:
        """Silences set by people, newest first; with ``ended`` also those that a person ended."""
        table = incident_schema.silence
        query = select(table).order_by(table.c.created_at.desc())
        return [_from_row(row) for row in await self._all(query if ended else query.where(table.c.ended_at.is_(None)))]


def _from_row(row: Row) -> Silence:
    values = {each.name: row[each.name] for each in fields(Silence)}
    daily = row["daily"]
    return Silence(
        **values
        | {
            "match": {label: tuple(accepted) for label, accepted in row["match"].items()},
            "daily": (time.fromisoformat(daily[0]), time.fromisoformat(daily[1])) if daily else None,
            "weekdays": tuple(row["weekdays"]),
            "ended_by": row["ended_by"] or "",
        }
    )
