"""The store of a configuration with its audit log, tokens and gates."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

from monitor.config.config import Config
from monitor.ports.ledger import LedgerStore
from monitor.service import wiring


@asynccontextmanager
async def open_ledger(config: Config) -> AsyncIterator[LedgerStore]:
    """The store of a configuration, opened and closed; every shipped database has a ledger."""
    async with wiring.open_store(config) as store:
        yield cast("LedgerStore", store)
