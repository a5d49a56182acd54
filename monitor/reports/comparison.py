"""A verdict for a terminal of 80 columns: the sentence, the advice, the largest losses by stratum, the lost queries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from monitor.evaluation.measures import parse
from monitor.model.verdicts import Evidence, Verdict, VerdictName

MOST_LOSSES = 10
"""Differences shown without ``--all``."""
SIGNIFICANT = 0.05
LONGEST_NAME = 24
COLOURS = {
    VerdictName.PASSED: "green",
    VerdictName.REGRESSED: "bold red",
    VerdictName.TRADE_OFF: "bold red",
    VerdictName.INCONCLUSIVE: "yellow",
    VerdictName.INVALID: "magenta",
}


def verdict_text(verdict: Verdict, *, is_whole: bool = False) -> RenderableType:
    """The verdict first, then the ten largest losses; with ``is_whole`` every changed measure and all its numbers."""
    head = Text.assemble((str(verdict.name).upper(), COLOURS[verdict.name]), "  ", verdict.summary)
    advice = Text(f"Advice: {verdict.advice}.", style="bold")
    changed = [row for row in verdict.evidence if row.gating and row.difference != 0]
    parts: list[RenderableType] = [head, advice]
    if changed and is_whole:
        parts.append(evidence_table(changed))
    elif changed:
        parts += [losses_table(changed), *_remainder(changed)]
    if verdict.lost_queries and verdict.name.pages:
        parts += ["", Text("Lost queries", style="bold"), *map(_lost_query, verdict.lost_queries)]
    return Group(*parts)


def losses_table(changed: Sequence[Evidence]) -> Table:
    """The ten largest losses grouped by stratum, the stratum with the largest loss first; without a loss, gains."""
    table = _table("Largest losses" if _losses(changed) else "Largest gains")
    for name in ("stratum", "measure"):
        table.add_column(name, no_wrap=True, max_width=LONGEST_NAME)
    for name in ("before", "now", "change", "95 % interval", "p"):
        table.add_column(name, justify="right", no_wrap=True)
    for stratum, rows in _by_stratum(_largest(changed)).items():
        for number, row in enumerate(rows):
            table.add_row(
                stratum if number == 0 else "", *_cells(row), f"{row.p_worse_adjusted:.1g}", style=_style(row)
            )
    return table


def evidence_table(evidence: Iterable[Evidence]) -> Table:
    """Every difference with its interval, size and detectable drop, worst first."""
    table = _table("Changed measures")
    for name in ("suite", "stratum", "measure"):
        table.add_column(name, no_wrap=True)
    for name in ("before", "now", "change", "95 % interval", "p", "queries", "clusters", "detectable"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in sorted(evidence, key=lambda row: row.difference):
        sizes = (str(row.n_queries), str(row.n_clusters), _points(row.measure, row.mde_page).lstrip("+"))
        table.add_row(row.suite, row.stratum, *_cells(row), f"{row.p_worse_adjusted:.2g}", *sizes, style=_style(row))
    return table


def _table(title: str) -> Table:
    caption = "change and interval in points; p adjusted for all strata and measures"
    return Table(
        box=SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        title=title,
        caption=caption,
        title_justify="left",
        caption_justify="left",
    )


def _losses(changed: Sequence[Evidence]) -> list[Evidence]:
    return sorted((row for row in changed if row.difference < 0), key=lambda row: row.difference)


def _largest(changed: Sequence[Evidence]) -> list[Evidence]:
    """What fell, then the largest losses beside it; the largest gains where nothing was lost."""
    losses = sorted(_losses(changed), key=lambda row: not row.fallen)
    return (losses or sorted(changed, key=lambda row: -row.difference))[:MOST_LOSSES]


def _by_stratum(rows: Sequence[Evidence]) -> dict[str, list[Evidence]]:
    groups: dict[str, list[Evidence]] = {}
    for row in rows:
        groups.setdefault(f"{row.suite} · {row.stratum}", []).append(row)
    return groups


def _remainder(changed: Sequence[Evidence]) -> list[str]:
    hidden = len(changed) - len(_largest(changed))
    gains = sum(row.difference > 0 for row in changed)
    return (
        [f"… {hidden} more changed measures ({gains} of all {len(changed)} rose); --all shows them"] if hidden else []
    )


def _cells(row: Evidence) -> tuple[str, ...]:
    return (
        row.measure,
        f"{row.baseline_mean:.3f}",
        f"{row.candidate_mean:.3f}",
        _points(row.measure, row.difference),
        f"{_points(row.measure, row.lower)} … {_points(row.measure, row.upper)}",
    )


def _style(row: Evidence) -> str | None:
    """Red for a drop that pages, yellow for one to watch, green for a significant gain."""
    if row.fallen:
        return "red"
    if row.watched:
        return "yellow"
    return "green" if row.p_better_adjusted <= SIGNIFICANT else None


def _points(measure: str, value: float) -> str:
    """A difference in points, or in standard deviations."""
    return f"{100 * value:+.1f}" if parse(measure).measure.unit == "ratio" else f"{value:+.2f} sd"


def _lost_query(query: Mapping[str, Any]) -> Text:
    expected = ", ".join(query["expected"][:2])
    before, now = (f"rank {rank}" if rank else "not found" for rank in (query["rank_before"], query["rank_now"]))
    first = f"; now first: {query['retrieved_now'][0]}" if query["retrieved_now"] else ""
    return Text(f"“{query['query']}” ({query['stratum']})\n  wanted {expected}: {before} → {now}{first}")
