"""Runs, verdicts and baselines as tables and sentences for a terminal, and as plain values for JSON."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from monitor.evaluation.bounds import judged_shares, upper_bounds
from monitor.evaluation.measures import ANSWER_MEASURES, UNRANKED, parse
from monitor.evaluation.scoring import PAIR_MEASURES, stratum_means
from monitor.model.answers import Replies
from monitor.model.deployments import Baseline
from monitor.model.measurements import Measured, Measurements
from monitor.model.passages import Manner
from monitor.model.runs import Run
from monitor.model.verdicts import Evidence, Verdict, VerdictName

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
        + f", {counts.skipped} skipped · run {measured.run.run_id}\n"
        + f"after … the upper bound if all unjudged documents were relevant{_labels(measured)}",
        title_justify="left",
        caption_justify="left",
    )
    means, upper = by_stratum(measured), by_stratum(measured, upper_bounds(measured))
    shares = judged_by_stratum(measured)
    measures = [name for name in measured.measurements if name not in UNRANKED]
    table.add_column("stratum")
    table.add_column("judged", justify="right")
    for name in measures:
        table.add_column(name, justify="right")
    for stratum, values in means.items():
        cells = [_cell(values, upper.get(stratum, {}), name) for name in measures]
        share = f"{shares[stratum]:.0%}" if stratum in shares else ""
        table.add_row(stratum, share, *cells, style="bold" if stratum == "overall" else None)
    return table


def structure_table(measured: Measured) -> Table:
    """Measures of pairs by phenomenon, the whole suite first."""
    table = Table(
        title=f"Pairs of {measured.suite.name} · {measured.run.target}",
        caption=f"of the first {measured.run.depth} hits; separation in standard deviations of a query's scores; "
        "violating@k: lower is better",
        title_justify="left",
        caption_justify="left",
    )
    measures = [name for name in (*measured.measurements, *measured.shown_only) if _is_of_pairs(name)]
    table.add_column("stratum")
    for name in measures:
        table.add_column(name, justify="right")
    for stratum, values in by_stratum(measured).items():
        if values.keys() & set(measures):
            name = f"{stratum} (control)" if stratum in measured.suite.controls else stratum
            cells = [f"{values[measure]:.4f}" if measure in values else "" for measure in measures]
            table.add_row(name, *cells, style="bold" if stratum == "overall" else None)
    return table


def answers_table(measured: Measured, replies: Replies) -> Table:
    """Scores of the answers by stratum, the whole suite first."""
    failed = ", ".join(f"{count} {reason}" for reason, count in sorted(replies.reasons.items()))
    table = Table(
        title=f"Answers to {measured.suite.name} · {measured.run.answerer or measured.run.target}",
        caption=f"{replies.scored} scored, {replies.failed} failed"
        + (f" ({failed})" if failed else "")
        + f", {replies.unreferenced} without a reference answer; of those scored {replies.abstained} abstained, "
        + f"{replies.empty} were empty, {replies.ungraded} were not graded",
        title_justify="left",
        caption_justify="left",
    )
    measures = [name for name in measured.measurements if name in ANSWER_MEASURES]
    table.add_column("stratum")
    for name in measures:
        table.add_column(name, justify="right")
    for stratum, values in by_stratum(measured).items():
        if values.keys() & set(measures):
            cells = [f"{values[name]:.4f}" if name in values else "" for name in measures]
            table.add_row(stratum, *cells, style="bold" if stratum == "overall" else None)
    return table


def run_tables(measured: Measured) -> list[Table]:
    """The measures of a run: one table of rankings, one of pairs and one of answers where it has them."""
    has_pairs = any(map(_is_of_pairs, measured.measurements))
    return [
        run_table(measured),
        *([structure_table(measured)] if has_pairs else []),
        *([answers_table(measured, measured.replies)] if measured.replies else []),
    ]


def _is_of_pairs(name: str) -> bool:
    return parse(name).measure.name in PAIR_MEASURES


def _cell(values: Mapping[str, float], upper: Mapping[str, float], name: str) -> str:
    if name not in values:
        return ""
    return f"{values[name]:.4f}" + (f" … {upper[name]:.2f}" if name in upper else "")


def _labels(measured: Measured) -> str:
    """The states of the judgements that the hits revealed, and the hits that match a quote only approximately."""
    states = ", ".join(f"{count} {state}" for state, count in measured.labels.items())
    rough = f", {fuzzy} hits by fuzzy quote" if (fuzzy := count_fuzzy(measured)) else ""
    return f"\njudgements revealed: {states}{rough}" if states else ""


def verdict_text(verdict: Verdict) -> RenderableType:
    """The verdict as a sentence, and the changed measures as a table."""
    head = Text.assemble((str(verdict.name).upper(), _COLOURS[verdict.name]), "  ", verdict.summary)
    advice = Text(f"Advice: {verdict.advice}.", style="bold")
    changed = [row for row in verdict.evidence if row.gating and row.difference != 0]
    return Group(head, advice, *([evidence_table(changed)] if changed else []))


def evidence_table(evidence: Iterable[Evidence]) -> Table:
    """Differences with their intervals, worst first; ratios in points, others in their own unit."""
    table = Table(title="Changed measures (points)", title_justify="left")
    for name, justify in (("axis", "left"), ("stratum", "left"), ("measure", "left"), ("baseline", "right"),
                          ("now", "right"), ("difference", "right"), ("95 % interval", "right"),
                          ("adjusted p", "right"), ("queries", "right"), ("detectable", "right")):  # fmt: skip
        table.add_column(name, justify=justify)  # type: ignore[arg-type]  # literals, kept in a table
    for row in sorted(evidence, key=lambda row: row.difference):
        table.add_row(
            row.axis,
            row.stratum,
            row.measure,
            f"{row.baseline_mean:.3f}",
            f"{row.candidate_mean:.3f}",
            _points(row.measure, row.difference),
            f"{_points(row.measure, row.lower)} … {_points(row.measure, row.upper)}",
            f"{row.p_worse_adjusted:.2g}",
            str(row.n_queries),
            _points(row.measure, row.mde_page).lstrip("+"),
        )
    return table


def _points(measure: str, value: float) -> str:
    """A difference in points, or in standard deviations."""
    return f"{100 * value:+.1f}" if parse(measure).measure.unit == "ratio" else f"{value:+.3f} sd"


def baseline_table(baselines: Iterable[Baseline]) -> Table:
    """The current baselines: run, date, author and reason."""
    table = Table("target", "suite", "run", "promoted", "by", "reason", title="Baselines", title_justify="left")
    for baseline in baselines:
        date = f"{baseline.promoted_at:%Y-%m-%d %H:%M}"
        table.add_row(
            baseline.target, baseline.suite_name, baseline.run_id, date, baseline.promoted_by, baseline.reason
        )
    return table


def runs_table(runs: Iterable[Run], baselines: Iterable[Baseline]) -> Table:
    """The latest runs; a star marks a baseline."""
    trusted = {baseline.run_id for baseline in baselines}
    table = Table("run", "target", "suite", "status", "started", title="Latest runs", title_justify="left")
    for run in runs:
        star = "* " if run.run_id in trusted else ""
        table.add_row(star + run.run_id, run.target, run.suite_name, run.status, f"{run.started_at:%Y-%m-%d %H:%M}")
    return table


def verdicts_table(verdicts: Iterable[Verdict]) -> Table:
    """The latest verdicts, with the first sentence of each summary."""
    table = Table("verdict", "decided", "target", "name", "summary", title="Latest verdicts", title_justify="left")
    for verdict in verdicts:
        first_sentence = verdict.summary.partition(". ")[0]
        table.add_row(
            verdict.verdict_id,
            f"{verdict.decided_at:%Y-%m-%d %H:%M}",
            verdict.target,
            Text(verdict.name, style=_COLOURS[verdict.name]),
            Text(first_sentence),
        )
    return table


def plain(noun: Any, *, leave_out: tuple[str, ...] = ()) -> dict[str, Any]:
    """The fields of a dataclass of the model as plain values."""
    return {each.name: finite(getattr(noun, each.name)) for each in fields(noun) if each.name not in leave_out}


def by_stratum(
    measured: Measured, measurements: Mapping[str, Measurements] | None = None
) -> dict[str, dict[str, float]]:
    """Stratum → measure → mean, of the run's own measurements or of others on its queries; ``overall`` first."""
    means: dict[str, dict[str, float]] = {}
    for stratum, measure, value in stratum_means(measured, measurements):
        means.setdefault(stratum, {})[measure] = value
    return means


def judged_by_stratum(measured: Measured) -> dict[str, float]:
    """Stratum → share of the returned documents that are judged, mean over queries."""
    shares = by_stratum(measured, {"judged_share": judged_shares(measured)})
    return {stratum: values["judged_share"] for stratum, values in shares.items()}


def count_fuzzy(measured: Measured) -> int:
    """Hits that match a judged quote only approximately."""
    sources = (each.ranking.sources for each in measured.run.outcomes if each.ranking and each.ranking.sources)
    return sum(quoted.manner is Manner.FUZZY for each in sources for quoted in each.quoted or ())


def _bounds(measured: Measured) -> dict[str, dict[str, dict[str, float]]]:
    upper, lower = by_stratum(measured, upper_bounds(measured)), by_stratum(measured)
    return {
        stratum: {name: {"lower": lower[stratum][name], "upper": value} for name, value in values.items()}
        for stratum, values in upper.items()
    }


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
        "judged_shares": judged_by_stratum(measured),
        "bounds": _bounds(measured),
        "labels": {str(state): count for state, count in measured.labels.items()},
        "label_validity": measured.label_validity,
        "fuzzy_hits": count_fuzzy(measured),
        "corpus": run.corpus,
        "answers": plain(measured.replies) | {"coverage": measured.replies.coverage} if measured.replies else None,
        "answerer": run.answerer,
        "judge": run.judge,
        "measures": means.get("overall", {}),
        "strata": {name: values for name, values in means.items() if name != "overall"},
    }


def verdict_to_dict(verdict: Verdict) -> dict[str, Any]:
    """A verdict as plain values, unrounded; null where a number does not exist."""
    data = asdict(verdict) | {"name": str(verdict.name), "decided_at": verdict.decided_at.isoformat()}
    data["verdict"] = data.pop("name")
    data["evidence"] = [{key: finite(value) for key, value in asdict(each).items()} for each in verdict.evidence]
    return data


def finite(value: Any) -> Any:
    """The value, or None for a number that JSON does not have."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
