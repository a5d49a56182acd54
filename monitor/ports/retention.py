"""The part of a store that drops old results, as a protocol."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Protocol, runtime_checkable

from monitor.model.retention import MonthOfResults, Pin


@runtime_checkable
class RetentionStore(Protocol):
    """Drops rankings and answers by month. Raises `StoreError` and nothing else."""

    async def prepare_months(self, now: datetime) -> None:
        """Create the storage of this month and of the following ones."""
        ...

    async def months_before(self, day: date) -> list[MonthOfResults]:
        """The stored months that end before a day, oldest first."""
        ...

    async def drop_month(self, month: date, at: datetime) -> bool:
        """Drop the rankings and answers of a month, except those of runs that keep theirs.

        Measurements, verdicts, counts, failures and grades stay. Returns False if other work holds the tables for long;
        nothing is dropped then.
        """
        ...

    async def pin_run(self, pin: Pin) -> None:
        """Keep the rankings and answers of a run for ever. Raises StoreError if they were dropped before."""
        ...

    async def unpin_run(self, run_id: str) -> bool:
        """Remove the pin of a run; False if it has none."""
        ...

    async def table_sizes(self) -> Mapping[str, int]:
        """Bytes of every table with its indexes; a partitioned table counts its partitions."""
        ...
