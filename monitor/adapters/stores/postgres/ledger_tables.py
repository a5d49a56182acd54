"""The audit log, tokens, remembered responses and gates in PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import asdict, fields
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert

from monitor.adapters.stores.postgres import access_schema as tables
from monitor.adapters.stores.postgres import rows, schema
from monitor.adapters.stores.postgres.connection import Database
from monitor.model.access import Scope, Token
from monitor.model.audit import AuditEntry, Head
from monitor.model.deployments import Swap
from monitor.model.gates import Gate, GateStatus
from monitor.ports.ledger import PastBaseline, RememberedResponse

PAGE = 1_000
"""Audit entries that are read at once."""
_KEYS_ARE_KEPT_FOR = timedelta(days=1)
_APPEND = text(
    "INSERT INTO audit (actor, action, subject, reason, detail) VALUES (:actor, :action, :subject, :reason, :detail)"
)


class LedgerTables(Database):
    """Statements for the audit log, tokens, remembered responses and gates."""

    async def record(self, actor: str, action: str, subject: str, *, reason: str = "", detail: str = "{}") -> None:
        """Append an entry to the audit log; a trigger chains it."""
        values = {"actor": actor, "action": action, "subject": subject, "reason": reason, "detail": detail}
        async with self._transaction() as connection:
            await connection.execute(_APPEND, values)

    async def audit_head(self) -> Head:
        """The latest entry."""
        row = await self._first(
            select(tables.audit.c.number, tables.audit.c.hash).order_by(tables.audit.c.number.desc()).limit(1)
        )
        return Head(row["number"], row["hash"]) if row else Head()

    async def audit_entries(self, *, after: int = 0, limit: int = PAGE) -> list[AuditEntry]:
        """Entries after a number, oldest first."""
        query = select(tables.audit).where(tables.audit.c.number > after).order_by(tables.audit.c.number).limit(limit)
        return [AuditEntry(**row) for row in await self._all(query)]

    async def all_audit_entries(self, *, after: int = 0) -> AsyncIterator[AuditEntry]:
        """Every entry after a number, oldest first, read in pages."""
        while entries := await self.audit_entries(after=after):
            for entry in entries:
                yield entry
            after = entries[-1].number

    async def add_token(self, token: Token) -> None:
        """Store a new token."""
        await self._execute(insert(tables.token).values(asdict(token)))

    async def token(self, token_id: str) -> Token | None:
        """One token."""
        row = await self._first(select(tables.token).where(tables.token.c.token_id == token_id))
        return _token(row) if row else None

    async def tokens(self) -> list[Token]:
        """Every token, newest first; revoked ones too."""
        return [_token(row) for row in await self._all(select(tables.token).order_by(tables.token.c.created_at.desc()))]

    async def touch_token(self, token_id: str, at: datetime) -> None:
        """Store when a token was last used."""
        await self._execute(update(tables.token).where(tables.token.c.token_id == token_id).values(last_used_at=at))

    async def revoke_token(self, token_id: str, *, by: str, at: datetime) -> bool:
        """Revoke a token. Returns False if it is unknown or was revoked before."""
        is_open = (tables.token.c.token_id == token_id, tables.token.c.revoked_at.is_(None))
        statement = update(tables.token).where(*is_open).values(revoked_at=at, revoked_by=by)
        return await self._first(statement.returning(tables.token.c.token_id)) is not None

    async def claim_key(self, caller: str, key: str, request_digest: str, at: datetime) -> RememberedResponse | None:
        """Claim an idempotency key for a request; None if it was free."""
        table = tables.remembered_response
        values = {"caller": caller, "key": key, "request_digest": request_digest, "created_at": at}
        claim = upsert(table).values(**values, status=None, headers={}, body="").on_conflict_do_nothing()
        is_this = (table.c.caller == caller, table.c.key == key)
        async with self._transaction() as connection:
            await connection.execute(delete(table).where(table.c.created_at < at - _KEYS_ARE_KEPT_FOR))
            if (await connection.execute(claim.returning(table.c.key))).first():
                return None
            row = (await connection.execute(select(table).where(*is_this))).mappings().first()
        names = [field.name for field in fields(RememberedResponse)]
        return RememberedResponse(**{name: row[name] for name in names}) if row else None

    async def remember_response(self, caller: str, key: str, response: RememberedResponse) -> None:
        """Store the response of a claimed key."""
        table = tables.remembered_response
        is_this = (table.c.caller == caller, table.c.key == key)
        await self._execute(update(table).where(*is_this).values(asdict(response)))

    async def release_key(self, caller: str, key: str) -> None:
        """Free a claimed key, because the request failed and may be sent again."""
        table = tables.remembered_response
        await self._execute(delete(table).where(table.c.caller == caller, table.c.key == key))

    async def save_gate(self, gate: Gate) -> None:
        """Store a gate, or its next state."""
        values = asdict(gate)
        await self._execute(
            upsert(tables.gate).values(values).on_conflict_do_update(index_elements=["gate_id"], set_=values)
        )

    async def load_gate(self, gate_id: str) -> Gate | None:
        """One gate."""
        row = await self._first(select(tables.gate).where(tables.gate.c.gate_id == gate_id))
        return _gate(row) if row else None

    async def baseline_history(self, target: str | None = None, limit: int = 50) -> list[PastBaseline]:
        """Baselines, current and retired, newest first."""
        table = schema.baseline
        query = select(table).order_by(table.c.baseline_id.desc()).limit(limit)
        stored = await self._all(query if target is None else query.where(table.c.target == target))
        return [PastBaseline(rows.baseline_from_row(row), row["retired_at"]) for row in stored]

    async def list_swaps(self, target: str | None = None, limit: int = 50) -> list[Swap]:
        """Detected changes of deployments, newest first."""
        table = schema.swap
        query = select(table).order_by(table.c.detected_at.desc()).limit(limit)
        stored = await self._all(query if target is None else query.where(table.c.target == target))
        return [rows.swap_from_row(row) for row in stored]


def _token(row: Any) -> Token:
    return Token(**{**row, "scopes": tuple(map(Scope, row["scopes"]))})


def _gate(row: Any) -> Gate:
    return Gate(**{**row, "status": GateStatus(row["status"])})
