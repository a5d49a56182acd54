"""What a person reads: a run as a table, a verdict as a sentence, either as JSON."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, fields
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from monitor.evaluation.scoring import stratum_means
from monitor.model import Measured, Run
from monitor.verdict import Baseline, Evidence, Verdict, VerdictName

_COLOURS = {
    VerdictName.PASSED: "green",
    VerdictName.REGRESSED: "bold red",
    VerdictName.TRADE_OFF: "bold red",
    VerdictName.INCONCLUSIVE: "yellow",
    VerdictName.INVALID: "magenta",
}


def run_table(measured: Measured) -> Table:
    """Measures by stratum, the whole suite first."""
    counts = measured.counts
    failed = ", ".join(f"{count} {reason}" for reason, count in sorted(counts.reasons.items()))
    table = Table(
        title=f"{measured.suite.name} ({measured.suite.axis}) · {measured.run.target}",
        caption=f"{counts.attempted} queries: {counts.scored} scored, {counts.failed} failed"
        + (f" ({failed})" if failed else "")
        + f", {counts.skipped} skipped · run {measured.run.run_id}",
        title_justify="left",
        caption_justify="left",
    )
    means = by_stratum(measured)
    measures = list(measured.measurements)
    table.add_column("stratum")
    for name in measures:
        table.add_column(name, justify="right")
    for stratum, values in means.items():
        cells = [f"{values[name]:.4f}" if name in values else "" for name in measures]
        table.add_row(stratum, *cells, style="bold" if stratum == "overall" else None)
    return table


def verdict_text(verdict: Verdict) -> RenderableType:
    """The verdict as a sentence, and what moved as a table."""
    head = Text.assemble((str(verdict.name).upper(), _COLOURS[verdict.name]), "  ", verdict.summary)
    advice = Text(f"Advice: {verdict.advice}.", style="bold")
    moved = [each for each in verdict.evidence if each.gating and each.difference != 0]
    return Group(head, advice, *([evidence_table(moved)] if moved else []))


def evidence_table(evidence: Iterable[Evidence]) -> Table:
    """Differences with their intervals, worst first."""
    table = Table(title="What moved (points)", title_justify="left")
    for name, justify in (("axis", "left"), ("stratum", "left"), ("measure", "left"), ("baseline", "right"),
                          ("now", "right"), ("difference", "right"), ("95 % interval", "right"),
                          ("adjusted p", "right"), ("queries", "right"), ("detectable", "right")):  # fmt: skip
        table.add_column(name, justify=justify)  # type: ignore[arg-type]  # literals, kept in a table
    for each in sorted(evidence, key=lambda each: each.difference):
        table.add_row(
            each.axis,
            each.stratum,
            each.measure,
            f"{each.baseline_mean:.3f}",
            f"{each.candidate_mean:.3f}",
            f"{100 * each.difference:+.1f}",
            f"{100 * each.lower:+.1f} … {100 * each.upper:+.1f}",
            f"{each.p_worse_adjusted:.2g}",
            str(each.n_queries),
            f"{100 * each.mde:.1f}",
        )
    return table


def baseline_table(baselines: Iterable[Baseline]) -> Table:
    """Which run is trusted, since when, by whom and why."""
    table = Table("target", "suite", "run", "promoted", "by", "reason", title="Baselines", title_justify="left")
    for each in baselines:
        when = f"{each.promoted_at:%Y-%m-%d %H:%M}"
        table.add_row(each.target, each.suite_name, each.run_id, when, each.promoted_by, each.reason)
    return table


def runs_table(runs: Iterable[Run], baselines: Iterable[Baseline]) -> Table:
    """The latest runs; a star marks a baseline."""
    trusted = {each.run_id for each in baselines}
    table = Table("run", "target", "suite", "status", "started", title="Latest runs", title_justify="left")
    for each in runs:
        star = "* " if each.run_id in trusted else ""
        table.add_row(
            star + each.run_id, each.target, each.suite_name, each.status, f"{each.started_at:%Y-%m-%d %H:%M}"
        )
    return table


def plain(noun: Any, *, leave_out: tuple[str, ...] = ()) -> dict[str, Any]:
    """A noun of the model as plain values."""
    return {each.name: finite(getattr(noun, each.name)) for each in fields(noun) if each.name not in leave_out}


def by_stratum(measured: Measured) -> dict[str, dict[str, float]]:
    """Stratum to measure to mean; “overall” first."""
    means: dict[str, dict[str, float]] = {}
    for stratum, measure, value in stratum_means(measured):
        means.setdefault(stratum, {})[measure] = value
    return means


def run_to_dict(measured: Measured) -> dict[str, Any]:
    """A run as plain values, unrounded."""
    run, counts = measured.run, measured.counts
    means = by_stratum(measured)
    return {
        "run_id": run.run_id,
        "target": run.target,
        "suite": measured.suite.name,
        "suite_digest": measured.suite.digest,
        "axis": str(measured.suite.axis),
        "deployment": run.deployment,
        "started_at": run.started_at.isoformat(),
        "finished_at": run.finished_at.isoformat() if run.finished_at else None,
        "counts": {
            "attempted": counts.attempted,
            "scored": counts.scored,
            "failed": counts.failed,
            "skipped": counts.skipped,
            "reasons": {str(reason): count for reason, count in counts.reasons.items()},
        },
        "coverage": counts.coverage,
        "judged_share": finite(measured.judged_share),
        "measures": means.get("overall", {}),
        "strata": {name: values for name, values in means.items() if name != "overall"},
    }


def verdict_to_dict(verdict: Verdict) -> dict[str, Any]:
    """A verdict as plain values, unrounded; null where a number does not exist."""
    stated = asdict(verdict) | {"name": str(verdict.name), "decided_at": verdict.decided_at.isoformat()}
    stated["verdict"] = stated.pop("name")
    stated["evidence"] = [{key: finite(value) for key, value in asdict(each).items()} for each in verdict.evidence]
    return stated


def finite(value: Any) -> Any:
    """The value, or None for a number that JSON does not have."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
