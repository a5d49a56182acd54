"""Slots, signs of life and cheap counts in PostgreSQL. Times are those of the database."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select, text, tuple_, update
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.dialects.postgresql import insert as upsert

from monitor.adapters.stores.postgres import schema
from monitor.adapters.stores.postgres.connection import Database
from monitor.adapters.stores.postgres.rows import Row
from monitor.adapters.stores.postgres.slot_schema import peer, served_schedule, slot
from monitor.model.deployments import Deployment
from monitor.model.slots import Peer, Slot, SlotStatus

_NOW = func.clock_timestamp()
_KEPT_DAYS = 14
_BACKLOG = text(
    """SELECT (SELECT count(*) FROM delivery WHERE state = 'pending') AS pending,
              (SELECT count(*) FROM delivery WHERE state = 'dead') AS dead,
              (SELECT min(created_at) FROM alert JOIN delivery USING (alert_id)
               WHERE delivery.state = 'pending') AS oldest_at"""
)
"""Each part reads a partial index, however many deliveries there are."""
_CLAIM = f"""WITH latest AS (
        SELECT status, owner FROM slot WHERE schedule = %(schedule)s ORDER BY scheduled_at DESC LIMIT 1
    ), added AS (
        INSERT INTO slot
            (schedule, scheduled_at, owner, plan_digest, heartbeat, takeovers, status, claimed_at, has_data)
        SELECT %(schedule)s, %(scheduled_at)s, %(owner)s, %(plan_digest)s, %(heartbeat)s, %(takeovers)s, %(status)s,
            clock_timestamp(), false
        WHERE NOT %(alone)s OR NOT EXISTS (
            SELECT FROM latest WHERE status = '{SlotStatus.RUNNING}' AND owner <> %(owner)s
        ) ON CONFLICT DO NOTHING RETURNING schedule
    ), expired AS (
        DELETE FROM slot WHERE schedule = %(schedule)s AND EXISTS (SELECT FROM added)
            AND claimed_at < clock_timestamp() - interval '{_KEPT_DAYS} days'
    )
    SELECT schedule FROM added"""  # noqa: S608 - constants
_FINISH = f"""UPDATE slot SET status = '{SlotStatus.FINISHED}', finished_at = clock_timestamp(), has_data = %(has_data)s
    WHERE schedule = %(schedule)s AND scheduled_at = %(scheduled_at)s AND owner = %(owner)s
        AND status = '{SlotStatus.RUNNING}' RETURNING schedule"""  # noqa: S608 - constants


class SlotTables(Database):
    """Statements of the service; each change is a compare-and-swap, so that processes need no other lock."""

    async def claim_slot(self, claimed: Slot, *, alone: bool = True) -> bool:
        """Take a slot. Returns False if any process took it before."""
        async with self._lane() as lane:
            return bool(await lane.rows(_CLAIM, {**_values(claimed), "alone": alone}))

    async def latest_slot(self, schedule: str) -> Slot | None:
        """The slot of a schedule with the latest due time."""
        newest = select(slot).where(slot.c.schedule == schedule).order_by(slot.c.scheduled_at.desc()).limit(1)
        row = await self._first(newest)
        return _slot(row) if row else None

    async def take_over_slot(self, stale: Slot, owner: str) -> Slot | None:
        """Take a slot from an owner that is gone; None if it moved on meanwhile."""
        is_unchanged = (
            *_is(stale.key),
            slot.c.owner == stale.owner,
            slot.c.heartbeat == stale.heartbeat,
            slot.c.status == str(stale.status),
            slot.c.status != str(SlotStatus.FINISHED),
        )
        values: dict[str, Any] = {
            "owner": owner,
            "status": str(SlotStatus.RUNNING),
            "heartbeat": slot.c.heartbeat + 1,
            "takeovers": slot.c.takeovers + 1,
        }
        row = await self._first(update(slot).where(*is_unchanged).values(values).returning(*slot.c))
        return _slot(row) if row else None

    async def beat(self, alive: Peer, slots: Collection[tuple[str, datetime]]) -> set[tuple[str, datetime]]:
        """Store a sign of life of a process and of its running slots; return the slots that it still owns."""
        values = {"owner": alive.owner, "heartbeat": alive.heartbeat, "schedules": dict(alive.schedules)}
        sign = upsert(peer).values(values)
        changed = {"heartbeat": sign.excluded.heartbeat, "schedules": sign.excluded.schedules}
        owned = (
            update(slot)
            .where(
                tuple_(slot.c.schedule, slot.c.scheduled_at).in_(list(slots)),
                slot.c.owner == alive.owner,
                slot.c.status == str(SlotStatus.RUNNING),
            )
            .values(heartbeat=slot.c.heartbeat + 1)
            .returning(slot.c.schedule, slot.c.scheduled_at)
        )
        async with self._transaction() as connection:
            await connection.execute(sign.on_conflict_do_update(index_elements=["owner"], set_=changed))
            return {(row[0], row[1]) for row in await connection.execute(owned)} if slots else set()

    async def open_slots(self, schedules: Collection[str]) -> list[Slot]:
        """The latest slot of each of these schedules, where it is not finished."""
        latest = (
            select(slot)
            .where(slot.c.schedule.in_(schedules))
            .ext(distinct_on(slot.c.schedule))
            .order_by(slot.c.schedule, slot.c.scheduled_at.desc())
            .subquery()
        )
        is_open = latest.c.status != str(SlotStatus.FINISHED)
        return [_slot(row) for row in await self._all(select(latest).where(is_open))]

    async def peers(self) -> list[Peer]:
        """Every process that has not left."""
        return [Peer(**row) for row in await self._all(select(peer))]

    async def forget_peer(self, owner: str) -> None:
        """Remove a process that left or died."""
        await self._execute(delete(peer).where(peer.c.owner == owner))

    async def finish_slot(self, finished: Slot, *, has_data: bool) -> bool:
        """Mark a slot finished. Returns False if another process took it over."""
        async with self._lane() as lane:
            return bool(await lane.rows(_FINISH, {**_values(finished), "has_data": has_data}))

    async def hand_back_slot(self, left: Slot) -> None:
        """Offer a slot whose cycle did not end to other processes."""
        is_owned = (*_is(left.key), slot.c.owner == left.owner, slot.c.status == str(SlotStatus.RUNNING))
        await self._execute(update(slot).where(*is_owned).values(status=str(SlotStatus.HANDED_BACK)))

    async def serve_schedules(self, installation: str, schedules: Collection[str]) -> list[str]:
        """Store the schedules of an installation; return those that it had before and that no installation has now."""
        table = served_schedule
        gone = delete(table).where(table.c.installation == installation, table.c.schedule.not_in(schedules))
        async with self._transaction() as connection:
            removed = set((await connection.execute(gone.returning(table.c.schedule))).scalars())
            if schedules:
                own = [{"installation": installation, "schedule": name} for name in schedules]
                await connection.execute(upsert(table).values(own).on_conflict_do_nothing())
            elsewhere = select(table.c.schedule).where(table.c.schedule.in_(removed))
            return sorted(removed.difference((await connection.execute(elsewhere)).scalars()))

    async def seconds_since_data(self, schedules: Collection[str]) -> Mapping[str, float]:
        """Time since the latest slot with data ended, by the clock of the database; without any, no entry."""
        age = func.extract("epoch", _NOW - func.max(slot.c.finished_at)).label("age_s")
        latest = select(slot.c.schedule, age).where(slot.c.schedule.in_(schedules), slot.c.has_data)
        return {
            row["schedule"]: max(0.0, float(row["age_s"])) for row in await self._all(latest.group_by(slot.c.schedule))
        }

    async def deployments_after(self, deployment_id: int) -> Sequence[tuple[int, Deployment]]:
        """Deployments that were declared after this one, with their ids, in order."""
        table = schema.deployment
        newer = select(table).where(table.c.deployment_id > deployment_id).order_by(table.c.deployment_id)
        stored = await self._all(newer.limit(1_000))
        names = [each.name for each in fields(Deployment)]
        return [(row["deployment_id"], Deployment(**{name: row[name] for name in names})) for row in stored]

    async def latest_deployment_id(self) -> int:
        """The id of the deployment that was declared last; 0 without any."""
        row = await self._first(select(func.max(schema.deployment.c.deployment_id).label("latest")))
        return int(row["latest"] or 0) if row else 0

    async def outbox_backlog(self) -> tuple[int, int, datetime | None]:
        """Number of pending and of dead deliveries, and when the oldest pending alert was queued."""
        row = await self._first(_BACKLOG)
        return (row["pending"], row["dead"], row["oldest_at"]) if row else (0, 0, None)


def _values(value: Slot) -> dict[str, Any]:
    names = ("schedule", "scheduled_at", "owner", "plan_digest", "heartbeat", "takeovers")
    return {**{name: getattr(value, name) for name in names}, "status": str(value.status)}


def _slot(row: Row) -> Slot:
    names = ("schedule", "scheduled_at", "owner", "plan_digest", "heartbeat", "takeovers")
    return Slot(**{name: row[name] for name in names}, status=SlotStatus(row["status"]))


def _is(key: tuple[str, datetime]) -> tuple[Any, Any]:
    return slot.c.schedule == key[0], slot.c.scheduled_at == key[1]
