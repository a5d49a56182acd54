"""Runs, verdicts and baselines as tables and sentences for a terminal, and as plain values for JSON."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import RenderableType
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
from monitor.model.verdicts import Verdict
from monitor.reports.comparison import COLOURS

JUDGED = "judged"
WIDTH = 80
"""Columns of the smallest terminal that shows every table unbroken."""
GAP = 3
"""Columns between two cells."""


def run_tables(measured: Measured, *, with_bounds: bool = False) -> list[RenderableType]:
    """The measures of a run: rankings, then pairs and answers where it has them; none wider than 80 columns."""
    pairs = [name for name in (*measured.measurements, *measured.shown_only) if _is_of_pairs(name)]
    tables = _ranking_tables(measured, with_bounds=with_bounds)
    if any(map(_is_of_pairs, measured.measurements)):
        tables += _tables(f"Pairs of {measured.suite.name} · {measured.run.target}", _pairs_caption(measured), pairs,
                          _rows(measured, pairs))  # fmt: skip
    if measured.replies:
        answers = [name for name in measured.measurements if name in ANSWER_MEASURES]
        title = f"Answers to {measured.suite.name} · {measured.run.answerer or measured.run.target}"
        tables += _tables(title, _answers_caption(measured.replies), answers, _rows(measured, answers))
    return tables


def _ranking_tables(measured: Measured, *, with_bounds: bool) -> list[RenderableType]:
    """Measures by stratum, the whole suite first."""
    measures = [name for name in measured.measurements if name not in UNRANKED]
    means, shares = by_stratum(measured), judged_by_stratum(measured)
    upper = by_stratum(measured, upper_bounds(measured)) if with_bounds else {}
    rows = {
        stratum: {
            JUDGED: f"{shares[stratum]:.0%}" if stratum in shares else "",
            **{name: _cell(values, upper.get(stratum, {}), name) for name in measures},
        }
        for stratum, values in means.items()
    }
    title = f"{measured.suite.name} ({measured.suite.axis}) · {measured.run.target}"
    caption = _ranking_caption(measured)
    if with_bounds:
        caption += "\nafter … the upper bound if all unjudged documents were relevant"
    return _tables(title, caption, [JUDGED, *measures], rows)


def _rows(measured: Measured, measures: Sequence[str]) -> dict[str, dict[str, str]]:
    """Stratum → column → cell; only strata with one of the measures, controls marked."""
    return {
        f"{stratum} (control)" if stratum in measured.suite.controls else stratum: {
            name: f"{values[name]:.4f}" for name in measures if name in values
        }
        for stratum, values in by_stratum(measured).items()
        if values.keys() & set(measures)
    }


def _tables(
    title: str, caption: str, columns: Sequence[str], rows: Mapping[str, Mapping[str, str]]
) -> list[RenderableType]:
    """One table, or several below each other, so that no row is wider than 80 columns."""
    room = WIDTH - max((len(stratum) for stratum in rows), default=0)
    blocks: list[list[str]] = [[]]
    for name in columns:
        widths = [
            GAP + max(len(each), *(len(cells.get(each, "")) for cells in rows.values()), 0) for each in blocks[-1]
        ]
        own = GAP + max(len(name), *(len(cells.get(name, "")) for cells in rows.values()), 0)
        if blocks[-1] and sum(widths) + own > room:
            blocks.append([])
        blocks[-1].append(name)
    tables = [_table(title if block is blocks[0] else None, block, rows) for block in blocks]
    return [*tables, Text(f"{caption}\n", style="dim")]


def _table(title: str | None, columns: Sequence[str], rows: Mapping[str, Mapping[str, str]]) -> Table:
    table = Table(
        box=SIMPLE_HEAD, show_edge=False, pad_edge=False, title=title, title_justify="left", caption_justify="left"
    )
    table.add_column("stratum", no_wrap=True)
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True)
    for stratum, cells in rows.items():
        style = "bold" if stratum == "overall" else None
        table.add_row(stratum, *(cells.get(name, "") for name in columns), style=style)
    return table


def _ranking_caption(measured: Measured) -> str:
    counts = measured.counts
    failed = ", ".join(f"{count} {reason}" for reason, count in sorted(counts.reasons.items()))
    return (
        f"{counts.attempted} queries: {counts.scored} scored, {counts.failed} failed"
        + (f" ({failed})" if failed else "")
        + f", {counts.skipped} skipped\nrun {measured.run.run_id}{_labels(measured)}"
    )


def _pairs_caption(measured: Measured) -> str:
    return (
        f"of the first {measured.run.depth} hits; separation in standard deviations of a query's\n"
        "scores; violating@k: lower is better"
    )


def _answers_caption(replies: Replies) -> str:
    failed = ", ".join(f"{count} {reason}" for reason, count in sorted(replies.reasons.items()))
    ungraded = ", ".join(f"{count} {reason}" for reason, count in sorted(replies.ungraded_reasons.items()))
    return (
        f"{replies.scored} scored, {replies.failed} failed"
        + (f" ({failed})" if failed else "")
        + f", {replies.unreferenced} without a reference answer;\nof those scored {replies.abstained} abstained, "
        + f"{replies.empty} were empty, {replies.ungraded} were not graded"
        + (f" ({ungraded})" if ungraded else "")
    )


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
            Text(verdict.name, style=COLOURS[verdict.name]),
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
