"""The store of a configuration with its audit log, tokens and gates."""

from __future__ import annotations

import asyncio
import getpass
import hashlib
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import cast

import structlog

from monitor.adapters.exporters.audit import AuditMetrics
from monitor.config.config import Config
from monitor.errors import StoreError
from monitor.ports.ledger import LedgerStore
from monitor.service import wiring

_LOG = structlog.get_logger(__name__)
HEAD_EVERY_S = 10.0
"""The head of the audit log is read this often."""


@asynccontextmanager
async def open_ledger(config: Config) -> AsyncIterator[LedgerStore]:
    """The store of a configuration, opened and closed; every shipped database has a ledger."""
    async with wiring.open_store(config) as store:
        yield cast("LedgerStore", store)


async def record_configuration(ledger: LedgerStore, config: Config) -> None:
    """Record in the audit log which configuration is in force, by its digest; its secrets count, but are not in it."""
    digest = hashlib.sha256(config.model_dump_json().encode()).hexdigest()
    actor = f"{getpass.getuser()}@{socket.gethostname()}"
    detail = {"digest": digest, "targets": list(config.targets), "schedules": list(config.schedules)}
    await ledger.record(actor, "configuration.loaded", "recallwatch", detail=json.dumps(detail, sort_keys=True))
    head = await ledger.audit_head()
    _LOG.info("audit_head", entries=head.number, hash=head.hash)


async def watch_audit_head(ledger: Callable[[], LedgerStore], metrics: AuditMetrics) -> None:
    """Keep the head of the audit log in the metrics, for ever."""
    while True:
        with suppress(StoreError):  # the database is away; the metrics keep their values
            metrics.head = await ledger().audit_head()
        await asyncio.sleep(HEAD_EVERY_S)
