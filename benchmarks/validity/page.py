"""Format the study as a page of the documentation, and as text for a terminal."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import numpy as np

from benchmarks.validity.agreement import (
    COUNTERPARTS,
    RHO_GOAL,
    SIGN_THRESHOLD,
    Agreement,
    agreement,
    correlation_interval,
    self_correlation,
)
from benchmarks.validity.models import ADAPTER_PAIRS
from benchmarks.validity.prose import PROSE, READING
from benchmarks.validity.resampling import DRAWS
from benchmarks.validity.scores import (
    BROAD,
    COMPARISONS,
    EVERY_COMPARISON,
    PUBMEDQA,
    RANK,
    SIMILARITY,
    TRIPLETS,
    XQUAD,
)
from benchmarks.validity.study import SEED, Study

SERIES = (BROAD, XQUAD, PUBMEDQA, SIMILARITY, RANK, TRIPLETS)


def page(study: Study) -> str:
    """The study as Markdown."""
    return PROSE.format(
        when=f"{datetime.now(UTC):%Y-%m-%d}",
        processors=os.cpu_count(),
        goals="\n".join(f"- {line}" for line in goals(study)),
        changes=_markdown(_changes(study)),
        agreements=_markdown(_agreements(study)),
        n_swaps=len(study.swaps),
        rho_goal=RHO_GOAL,
        threshold=100 * SIGN_THRESHOLD,
        reading=READING,
        domains=_markdown(_parts(study, BROAD)),
        phenomena=_markdown(_parts(study, SIMILARITY, controls=("paraphrase", "entity-substitution"))),
        counterparts=_markdown(_counterparts(study)),
        mapping=", ".join(f"`{theirs}` to {ours}" for theirs, ours in COUNTERPARTS.items()),
        pairs=ADAPTER_PAIRS,
        n_broad=study.sizes["broad"],
        n_xquad=study.sizes[XQUAD],
        n_pubmedqa=study.sizes[PUBMEDQA],
        n_pairs=study.sizes["compositional"],
        n_triplets=study.sizes["triplets"],
        seed=SEED,
        draws=DRAWS,
        moved=_moved(study, SIMILARITY),
    )


def text(study: Study) -> str:
    """The study for a terminal."""
    tables = (_changes(study), _agreements(study), _counterparts(study))
    return "\n\n".join(["\n".join(goals(study)), *map(_markdown, tables)])


def goals(study: Study) -> list[str]:
    """One line for each goal: met or missed, with the numbers."""
    lines = []
    for ours, theirs in COMPARISONS:
        result = agreement(ours, theirs, study.changes)
        goal = "met" if result.met else "**missed**"
        lines.append(f"{ours} and {theirs}: {goal}: rank correlation {result.rho:.2f}, {_signs(result)}.")
    for swap in study.swaps:
        if swap.kind == "null":
            alarm = "**alarm on the null swap**" if swap.judgement.name.pages else "met: no alarm on the null swap"
            lines.append(f"{swap.name}: {alarm}, the verdict is `{swap.judgement.name}`. {swap.judgement.summary}")
    return lines


def _signs(result: Agreement) -> str:
    if not result.contradicted:
        swaps = "the only swap" if result.n_beyond == 1 else f"all {result.n_beyond} swaps"
        return f"the same sign on {swaps} with a clear change on public data"
    names = "; ".join(result.contradicted)
    n_swaps = f"{len(result.contradicted)} of {result.n_beyond} swaps"
    return f"another sign on {n_swaps} with a clear change on public data ({names})"


def _changes(study: Study) -> list[list[str]]:
    return [
        ["swap", *SERIES, "verdict"],
        ["(baseline)", *(f"{study.baseline[series]:.3f}" for series in SERIES), ""],
        *([s.name, *(_points(s.changes[series]) for series in SERIES), f"`{s.judgement.name}`"] for s in study.swaps),
        ["(standard error)", *(f"{100 * _standard_error(study, series):.1f}" for series in SERIES), ""],
    ]


def _standard_error(study: Study, series: str) -> float:
    """Standard error of a change in a series: median over the swaps."""
    return float(np.median(study.resampled[series].std(axis=1)))


def _agreements(study: Study) -> list[list[str]]:
    results = [agreement(ours, theirs, study.changes) for ours, theirs in EVERY_COMPARISON]
    return [
        ["ours", "public", "rank correlation", "90 % interval", "ours, itself", "public, itself", "same sign", "goal"],
        *(
            [
                each.ours,
                each.theirs,
                f"{each.rho:.2f}",
                "{:.2f} to {:.2f}".format(
                    *correlation_interval(study.resampled[each.ours], study.resampled[each.theirs])
                ),
                *(f"{_with_itself(study, series):.2f}" for series in (each.ours, each.theirs)),
                f"{each.n_beyond - len(each.contradicted)} of {each.n_beyond}",
                ("met" if each.met else "missed") if (each.ours, each.theirs) in COMPARISONS else "",
            ]
            for each in results
        ),
    ]


def _with_itself(study: Study, series: str) -> float:
    return self_correlation([changes[series] for changes in study.changes.values()], study.resampled[series])


def _moved(study: Study, series: str) -> int:
    """Swaps that change this series by more than two standard errors."""
    errors = study.resampled[series].std(axis=1)
    return sum(abs(swap.changes[series]) > 2 * error for swap, error in zip(study.swaps, errors.tolist(), strict=True))


def _parts(study: Study, series: str, *, controls: Sequence[str] = ()) -> list[list[str]]:
    """One row for each swap, one column for each part."""
    parts = dict(_parts_of(study, series))
    return [
        ["swap", *(part + ("*" if part in controls else "") for part in parts)],
        ["(baseline)", *(f"{mean:.3f}" for mean in parts.values())],
        *([swap.name, *(_points(swap.changes[f"{series}/{part}"]) for part in parts)] for swap in study.swaps),
    ]


def _parts_of(study: Study, series: str) -> Iterable[tuple[str, float]]:
    prefix = f"{series}/"
    return ((name.removeprefix(prefix), mean) for name, mean in study.baseline.items() if name.startswith(prefix))


def _counterparts(study: Study) -> list[list[str]]:
    pairs = [(f"{SIMILARITY}/{ours}", f"{TRIPLETS}/{theirs}") for theirs, ours in COUNTERPARTS.items()]
    correlations = [agreement(*pair, study.changes).rho for pair in pairs]
    return [
        ["swap", *(series.partition("/")[2] for pair in pairs for series in pair)],
        ["(baseline)", *(f"{study.baseline[series]:.3f}" for pair in pairs for series in pair)],
        *([s.name, *(_points(s.changes[series]) for pair in pairs for series in pair)] for s in study.swaps),
        ["rank correlation", *(cell for rho in correlations for cell in (f"{rho:.2f}", ""))],
    ]


def _markdown(rows: Sequence[Sequence[str]]) -> str:
    heading, *lines = rows
    return "\n".join(f"| {' | '.join(line)} |" for line in (heading, ["---", *["--:"] * (len(heading) - 1)], *lines))


def _points(change: float) -> str:
    return f"{100 * change:+.1f}"
