"""`recallwatch verdicts show`: one verdict with its evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.result import Result
from monitor.cli.terminal import DEFAULT_CONFIG, AsJson, ConfigPath, Whole, finish, perform

if TYPE_CHECKING:
    from pathlib import Path


def verdicts_show(
    verdict: Annotated[str, typer.Argument(help="The id of the verdict, or the beginning of it.")],
    config: ConfigPath = DEFAULT_CONFIG,
    whole: Whole = False,
    as_json: AsJson = False,
) -> None:
    """Show one verdict with its evidence."""
    finish(perform(show_verdict(config, verdict, is_whole=whole)), as_json)


async def show_verdict(path: Path, prefix: str, *, is_whole: bool = False) -> Result:
    """One verdict with its evidence."""
    from monitor.cli.identifiers import load_verdict
    from monitor.cli.url_targets import load_with_targets
    from monitor.reports import terminal
    from monitor.reports.comparison import verdict_text
    from monitor.service import wiring

    async with wiring.open_store(load_with_targets(path).config) as store:
        verdict = await load_verdict(store, prefix)
    origin = (
        f"Verdict {verdict.verdict_id} on {verdict.target}, {verdict.decided_at:%Y-%m-%d %H:%M:%S} UTC · "
        f"runs {', '.join(verdict.run_ids)} · baselines {', '.join(verdict.baseline_run_ids) or 'none'} · "
        f"seed {verdict.seed} · method {verdict.method}"
    )
    return Result([verdict_text(verdict, is_whole=is_whole), origin], terminal.verdict_to_dict(verdict))
