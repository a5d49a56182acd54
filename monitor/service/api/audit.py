"""The audit log over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from monitor.model.access import Scope
from monitor.model.audit import AuditEntry
from monitor.service.api.backend import TheBackend
from monitor.service.api.cursors import Limit, Page
from monitor.service.api.pipeline import ApiRoute, needs
from monitor.service.api.shapes import HeadShape

router = APIRouter(route_class=ApiRoute)
After = Annotated[int, Query(ge=0, le=2**62, description="Only entries after this number.")]


@router.get("/audit", **needs(Scope.ADMIN))
async def entries(backend: TheBackend, after: After = 0, limit: Limit = 50) -> Page[AuditEntry]:
    """Entries of the audit log, oldest first; ``next`` is the number to continue after."""
    rows = await backend.store().audit_entries(after=after, limit=limit)
    return Page(items=rows, next=str(rows[-1].number) if len(rows) == limit else None)


@router.get("/audit/head", **needs(Scope.READ))
async def head(backend: TheBackend) -> HeadShape:
    """The latest entry; keep it elsewhere, and a later verification finds entries that were cut off."""
    latest = await backend.store().audit_head()
    return HeadShape(number=latest.number, hash=latest.hash)
