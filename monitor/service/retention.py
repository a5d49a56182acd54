"""The daily retention job: create partitions ahead, drop expired months, measure the tables."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

import structlog

from monitor.adapters.exporters.storage import StorageMetrics
from monitor.errors import StoreError
from monitor.model.retention import MonthOfResults
from monitor.ports.retention import RetentionStore

_LOG = structlog.get_logger(__name__)

EVERY_S = 86_400.0
RETRY_S = 600.0
"""After a failure the job runs again this soon."""


async def expired_months(store: RetentionStore, keep_s: float | None, now: datetime) -> list[MonthOfResults]:
    """The stored months of which every day is older than ``keep_s``; none if everything is kept."""
    if keep_s is None:
        return []
    return await store.months_before((now - timedelta(seconds=keep_s)).date())


async def drop_months(store: RetentionStore, months: Iterable[MonthOfResults], now: datetime) -> list[MonthOfResults]:
    """Drop these months, oldest first, and return those that were dropped; the others wait for the next run."""
    return [month for month in months if await store.drop_month(month.month, now)]


async def run_retention(
    store: RetentionStore, keep_s: float | None, now: datetime, metrics: StorageMetrics
) -> list[MonthOfResults]:
    """Create partitions ahead, drop the expired months, and measure the tables; return the dropped months."""
    await store.prepare_months(now)
    dropped = await drop_months(store, await expired_months(store, keep_s, now), now)
    for month in dropped:
        metrics.count_dropped(month)
        _LOG.info("month_dropped", month=f"{month.month:%Y-%m}", rankings=month.rankings, answers=month.answers)
    metrics.sizes = dict(await store.table_sizes())
    return dropped


async def run_daily(
    store: RetentionStore, keep_s: float | None, now: Callable[[], datetime], metrics: StorageMetrics
) -> None:
    """Run the job at once and then every day; after a failure, which is logged, soon again."""
    while True:
        try:
            await run_retention(store, keep_s, now(), metrics)
            await asyncio.sleep(EVERY_S)
        except StoreError as error:
            _LOG.warning("retention_failed", problem=str(error))
            await asyncio.sleep(RETRY_S)
