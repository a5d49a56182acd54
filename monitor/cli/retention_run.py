"""`recallwatch retention run`: drop the rankings and answers of expired months."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli.result import Result
from monitor.cli.terminal import DEFAULT_CONFIG, AsJson, ConfigPath, finish, perform

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from monitor.model.retention import MonthOfResults


def retention_run(
    is_dry: Annotated[bool, typer.Option("--dry-run", help="Print what would be dropped, and drop nothing.")] = False,
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Drop rankings and answers that are older than `retention.results`. The daemon does the same every day."""
    finish(perform(apply_retention(config, is_dry=is_dry)), as_json)


async def apply_retention(path: Path, *, is_dry: bool) -> Result:
    """Drop the expired months, or list them."""
    from monitor.adapters.exporters.storage import StorageMetrics
    from monitor.cli.url_targets import load_with_targets
    from monitor.errors import StoreError
    from monitor.ports.retention import RetentionStore
    from monitor.service import wiring
    from monitor.service.retention import expired_months, run_retention

    config = load_with_targets(path).config
    keep_s, now = config.retention.results, wiring.utc_now()
    async with wiring.open_store(config) as store:
        if not isinstance(store, RetentionStore):
            raise StoreError("this store has no retention")
        if is_dry:
            months = await expired_months(store, keep_s, now)
        else:
            months = await run_retention(store, keep_s, now, StorageMetrics())
        sizes = dict(await store.table_sizes())
    return Result([*_lines(months, is_dry=is_dry, keep_s=keep_s)], _to_dict(months, sizes, is_dry=is_dry))


def _lines(months: Sequence[MonthOfResults], *, is_dry: bool, keep_s: float | None) -> list[str]:
    if not months:
        limit = "kept for ever" if keep_s is None else f"kept for {keep_s / 86_400:g} days"
        return [f"Nothing to drop: rankings and answers are {limit}."]
    verb = "would drop" if is_dry else "dropped"
    return [
        f"{month.month:%Y-%m}: {verb} {month.rankings:,} rankings and {month.answers:,} answers of {month.runs:,} runs "
        f"({month.size_bytes / 1e6:,.1f} MB); {month.kept_runs:,} runs keep theirs"
        for month in months
    ]


def _to_dict(months: Sequence[MonthOfResults], sizes: dict[str, int], *, is_dry: bool) -> dict[str, Any]:
    return {
        "dry_run": is_dry,
        "months": [
            {
                "month": f"{month.month:%Y-%m}",
                "rankings": month.rankings,
                "answers": month.answers,
                "bytes": month.size_bytes,
                "runs": month.runs,
                "kept_runs": month.kept_runs,
            }
            for month in months
        ],
        "table_bytes": sizes,
    }
