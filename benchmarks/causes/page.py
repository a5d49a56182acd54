"""The trials as a page of Markdown."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from benchmarks.causes.trials import ACCESS, CHANGES, N_DOCUMENTS, N_ECHOES, N_QUERIES, N_REPLAYED, Trial
from monitor.model.causes import CauseName

PROSE = """\
# Which cause is named

Written by `python -m benchmarks.causes --write`{quick}.

Reference services are held in process: {n_documents} canary documents and {n_queries} canary queries of the built-in
suites, real vectors of all-MiniLM-L6-v2 (in 32 and in 8 bits), of the demo's adapters after 10 to 100 steps, and of
wordllama; exact search and HNSW graphs of FAISS, one or two replicas; words mixed in by BM25. A trial makes one change
of random kind and severity and compares the cycle before it with the first cycle after it (`monitor.diagnosis.causes`).
The thresholds were set on other seeds.

Three accesses. **Two runs**: rankings and scores that are stored in any case. **And echoes and words**: {n_echoes}
documents are also asked for by their own text, and the texts and groups of the documents are known. **And vectors**: of
queries and stored documents, and what exact search finds. All canaries are replayed once when the noise floor is
learnt; in a cycle {n_replayed} replays and the echoes are {n_probes} probes more, {share:.1%} of the 3,759 of both
suites.

No trial is left out, not even where a change of one document in a hundred alters little that comes back.
"""

KNOWN_TO_BE_ALIKE = """\
## What looks alike

- **Deleted documents and a filter**: both keep documents from ever coming back. Only the index itself can tell; without
  it a filter is named first where whole groups are missing or rankings became shorter, else a deletion, and
  always both. The same holds for additions and a filter that is lifted.
- **A new model and a query encoder swapped alone**: both change all scores. A document that is asked for by its own
  text tells them: as long as both sides are encoded alike it scores for itself what it always did. That takes scores
  which are the same for all such documents, as those of normalised vectors are.
- **A new model and other hybrid weights**: told by the words, where the texts of the documents are known.
- **A rotation of the whole space** changes no score and no ranking. Without vectors it is nothing, and rightly.
- **Scores that depend on the other hits** (reciprocal rank fusion, min-max normalisation) shift when documents come or
  go; there only the rankings tell, and less surely. These trials have none of them.
"""


def page(
    trials: Sequence[Trial], nulls: Sequence[Trial], paragraphs: Mapping[str, str], *, seed: int, quick: bool
) -> str:
    """All tables."""
    n_probes = N_ECHOES + N_REPLAYED
    head = PROSE.format(
        quick=" with `--quick`: too few trials to rely on" if quick else "",
        n_documents=N_DOCUMENTS, n_queries=N_QUERIES, n_echoes=N_ECHOES, n_replayed=N_REPLAYED, n_probes=n_probes,
        share=n_probes / 3759,
    )  # fmt: skip
    parts = [head, *_right(trials), KNOWN_TO_BE_ALIKE, *_confusions(trials), *_kinds(trials), _null(nulls)]
    parts += ["## What the geometry says\n", *(f"- **{name}**: {text}" for name, text in paragraphs.items())]
    took = 1000 * statistics.median(each.naming_s for each in trials)
    parts.append(f"\nSeeds from {seed}. Naming a cause took {took:.0f} ms (median, with vectors).\n")
    return "\n".join(parts)


def _right(trials: Sequence[Trial]) -> Iterator[str]:
    yield "## Causes named right\n"
    yield "Of each 100 trials: named first; in brackets, among the causes that the verdict says it cannot tell apart.\n"
    rows = []
    for cause in CHANGES:
        these = [each for each in trials if each.cause is cause]
        rows.append([cause.label, f"{len(these)}", *(_hits(these, access) for access in range(len(ACCESS)))])
    yield _grid(("cause", "trials", *ACCESS), rows)


def _hits(trials: Sequence[Trial], access: int) -> str:
    first = sum(each.causes[access].name is each.cause for each in trials)
    listed = sum(each.cause in (each.causes[access].name, *each.causes[access].or_else) for each in trials)
    return f"{first}" if first == listed else f"{first} ({listed})"


def _confusions(trials: Sequence[Trial]) -> Iterator[str]:
    for access, title in enumerate(ACCESS):
        yield f"## What was named: {title}\n"
        counts = Counter((each.cause, each.causes[access].name) for each in trials)
        rows = [[cause.label, *(f"{counts[cause, name] or ''}" for name in CauseName)] for cause in CHANGES]
        yield _grid(("what was done", *(f"`{name.value}`" for name in CauseName)), rows)


def _kinds(trials: Sequence[Trial]) -> Iterator[str]:
    yield "## By what was done\n"
    kinds = dict.fromkeys((each.cause, each.kind) for each in sorted(trials, key=lambda each: each.kind))
    rows = []
    for cause in CHANGES:
        for kind in (kind for of, kind in kinds if of is cause):
            these = [each for each in trials if each.cause is cause and each.kind == kind]
            rows.append([f"{cause.label}: {kind}", f"{len(these)}", *(_hits(these, each) for each in range(3))])
    yield _grid(("", "trials", *ACCESS), rows)


def _null(nulls: Sequence[Trial]) -> str:
    rows = []
    for access, title in enumerate(ACCESS):
        names = Counter(each.causes[access].name for each in nulls)
        raised = sum(count for name, count in names.items() if name.is_swap)
        rows.append([title, f"{names[CauseName.UNCHANGED]}", f"{names[CauseName.NOISY]}", f"{raised}"])
    intro = (
        f"## Cycles in which nothing changes\n\n{len(nulls):,} cycles of two HNSW replicas built in different orders, "
        "one of which answers a query by chance, with scores that jitter by 1e-6 to 1e-4.\n\n"
    )
    return intro + _grid(("access", "nothing changed", "numerical noise", "raised"), rows)


def _grid(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [headings, ["---", *["--:"] * (len(headings) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
