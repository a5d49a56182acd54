"""The trials as a page of Markdown."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from benchmarks.causes.trials import ACCESS, CHANGES, N_DOCUMENTS, N_ECHOES, N_QUERIES, N_REPLAYED, Trial
from monitor.model.causes import CauseName

PROSE = """\
# Accuracy of cause attribution

Written by `python -m benchmarks.causes --write`{quick}.

recallwatch names the most likely cause of a change. This page reports how often it is correct. A trial makes one
change of random kind and severity to a reference service, and compares the cycle before the change with the first
cycle after it (`monitor.diagnosis.causes`). The thresholds were set with other seeds. No trial is left out, even if
a change of one document in a hundred hardly alters the results.

The reference services run in process, with {n_documents} canary documents and {n_queries} canary queries of the
built-in suites. They use real vectors of all-MiniLM-L6-v2 (in 32 and in 8 bits), of the demo's adapters after 10 to
100 steps, and of wordllama; exact search and HNSW graphs of FAISS; one or two replicas; and BM25 for hybrid
retrieval.

There are three levels of access:

- **two runs**: rankings and scores, which are stored in any case;
- **and echoes and words**: in addition {n_echoes} documents are queried with their own text, and the texts and
  groups of the documents are known;
- **and vectors**: in addition the vectors of queries and stored documents, and the results of exact search.

These trials send {n_echoes} echoes and {n_replayed} replays around each change. A cycle of the daemon sends at most
five per cent of a suite's queries as echoes and replays, each document and canary once while nothing changes (48 and
30, where the suite has a corpus), and at a detected change all echoes again. They come after the suite and count
towards `limits.probes_per_day`. `tests/system/test_causes_in_cycles.py` names causes through such cycles over HTTP,
with random vectors: of 91 changes of thirteen kinds, the cause was named first in 80 and was among the named ones in
all; the others are filters and mixed indexes, which look like deletions without access to the index.
"""

KNOWN_TO_BE_ALIKE = """\
## Causes that cannot be distinguished

- **Deleted documents and a filter**: both keep documents out of all results, and only the index can distinguish
  them. Without access to it, a filter is named first if whole groups are missing or rankings became shorter, else a
  deletion, and always both. The same holds for added documents and a filter that is lifted.
- **A new model and a new query encoder alone**: both change all scores. Echoes distinguish them: while queries and
  documents are encoded by the same model, the score of a document for its own text stays the same. This requires
  scores that are equal for all echoes, as with normalised vectors.
- **A new model and other hybrid weights**: the words distinguish them, where the texts of the documents are known.
- **A rotation of the whole space** changes no score and no ranking. Without vectors it is reported as no change,
  correctly.
- **Scores that depend on the other hits** (reciprocal rank fusion, min-max normalisation) shift when documents are
  added or deleted. Then only rankings can be used, with less certainty. These trials contain no such scores.
"""


def page(
    trials: Sequence[Trial], nulls: Sequence[Trial], paragraphs: Mapping[str, str], *, seed: int, quick: bool
) -> str:
    """All tables."""
    head = PROSE.format(
        quick=" with `--quick`: too few trials to rely on" if quick else "",
        n_documents=N_DOCUMENTS, n_queries=N_QUERIES, n_echoes=N_ECHOES, n_replayed=N_REPLAYED,
    )  # fmt: skip
    parts = [head, *_right(trials), KNOWN_TO_BE_ALIKE, *_confusions(trials), *_kinds(trials), _null(nulls)]
    parts += ["## Descriptions of changed spaces\n", *(f"- **{name}**: {text}" for name, text in paragraphs.items())]
    took = 1000 * statistics.median(each.naming_s for each in trials)
    parts.append(f"\nSeeds from {seed}. Naming a cause took {took:.0f} ms (median, with vectors).\n")
    return "\n".join(parts)


def _right(trials: Sequence[Trial]) -> Iterator[str]:
    yield "## Correct causes\n"
    yield (
        "Of 100 trials each: the cause was named first; in brackets, it was among the causes that the verdict lists as "
        "indistinguishable.\n"
    )
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
        yield f"## Confusion matrix: {title}\n"
        counts = Counter((each.cause, each.causes[access].name) for each in trials)
        rows = [[cause.label, *(f"{counts[cause, name] or ''}" for name in CauseName)] for cause in CHANGES]
        yield _grid(("change", *(f"`{name.value}`" for name in CauseName)), rows)


def _kinds(trials: Sequence[Trial]) -> Iterator[str]:
    yield "## Correct causes by kind of change\n"
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
        f"## False alarms in unchanged cycles\n\n{len(nulls):,} cycles of two HNSW replicas built in different orders, "
        "one of which is chosen at random for each query, with scores that jitter by 1e-6 to 1e-4.\n\n"
    )
    return intro + _grid(("access", "nothing changed", "numerical noise", "raised"), rows)


def _grid(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [headings, ["---", *["--:"] * (len(headings) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
