"""`recallwatch verdicts recompute`: decide stored verdicts again from the database, and compare."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli.place import HERE, Place
from monitor.cli.result import PASSED, REGRESSED, Result
from monitor.cli.terminal import AsJson, finish, perform
from monitor.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import RenderableType

    from monitor.ports.records import StoredRuns
    from monitor.service.recomputation import Recomputation


def verdicts_recompute(
    verdict: Annotated[str | None, typer.Argument(help="The id of the verdict, or the beginning of it.")] = None,
    all_verdicts: Annotated[bool, typer.Option("--all", help="Recompute every stored verdict.")] = False,
    place: Place = HERE,
    as_json: AsJson = False,
) -> None:
    """Decide a verdict again from its stored runs, policy and seed. Exit code 1 if the same method gives another."""
    if (verdict is None) != all_verdicts:
        raise ConfigError("verdicts recompute", "give either a verdict id or --all")
    finish(perform(recompute_verdicts(place, verdict)), as_json)


async def recompute_verdicts(place: Place, prefix: str | None) -> Result:
    """Recompute one verdict, or all of them if ``prefix`` is None."""
    from monitor.cli.identifiers import load_verdict
    from monitor.cli.session import open_session
    from monitor.service.recomputation import recompute

    async with open_session(place) as session:
        if prefix is None:
            results = await _recompute_all(session.records)
        else:
            results = [await recompute(await load_verdict(session.records, prefix), session.records)]
    return report(results, with_total=prefix is None)


def report(results: Sequence[Recomputation], *, with_total: bool) -> Result:
    """A line for each verdict, and the exit code: 1 if the same method gives another result."""
    counts = _count(results)
    output: list[RenderableType] = [_line(result) for result in results]
    if with_total:
        output.append(
            f"{len(results)} verdicts recomputed: {counts['identical']} identical, {counts['different']} different, "
            f"{counts['other_method']} decided by another method."
        )
    return Result(output, counts | {"verdicts": _to_dicts(results)}, REGRESSED if counts["different"] else PASSED)


async def _recompute_all(records: StoredRuns) -> list[Recomputation]:
    """Recompute every verdict, oldest first."""
    from monitor.cli.progress import progress_bar
    from monitor.service.recomputation import recompute

    verdict_ids = await records.find_verdict_ids()
    results = []
    with progress_bar("recomputing verdicts", len(verdict_ids)) as advance:
        for verdict_id in reversed(verdict_ids):
            results.append(await recompute(await records.load_verdict(verdict_id), records))
            n_different = _count(results)["different"]
            advance(f"{n_different} different" if n_different else "")
    return results


def _count(results: Sequence[Recomputation]) -> dict[str, Any]:
    return {
        "identical": sum(result.is_identical for result in results),
        "different": sum(result.is_different for result in results),
        "other_method": sum(result.is_by_other_method for result in results),
    }


def _line(result: Recomputation) -> RenderableType:
    from rich.text import Text

    stored = result.stored
    label = f"{stored.verdict_id}  {stored.name} on {stored.target}, {stored.decided_at:%Y-%m-%d %H:%M:%S} UTC: "
    if result.is_identical:
        return Text(f"✓ {label}name, {len(stored.evidence)} rows of evidence and seed are identical")
    if result.recomputed and result.is_by_other_method:
        now = result.recomputed
        difference = f"; first difference: {result.first_difference}" if result.first_difference else ""
        return Text(
            f"↷ {label}decided by {stored.method}; this version decides by {now.method}: "
            f"{stored.name} then, {now.name} now{difference}"
        )
    return Text(f"✗ {label}{result.first_difference}")


def _to_dicts(results: Iterable[Recomputation]) -> list[dict[str, Any]]:
    return [
        {
            "verdict_id": result.stored.verdict_id,
            "target": result.stored.target,
            "verdict": str(result.stored.name),
            "identical": result.is_identical,
            "other_method": result.is_by_other_method,
            "recomputed_verdict": str(result.recomputed.name) if result.recomputed else None,
            "first_difference": result.first_difference or None,
            "evidence": len(result.stored.evidence),
            "seed": result.stored.seed,
            "method": result.stored.method,
        }
        for result in results
    ]
