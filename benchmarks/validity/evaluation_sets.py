"""Evaluation sets of the study: suites with their own corpus as index, and public triplets."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.adapters.retrievers.local import build_index
from monitor.evaluation.measures import REPORTED
from monitor.evaluation.scoring import measure, run_depth
from monitor.model.measurements import Measured
from monitor.model.runs import Outcome, Ranking, Run, RunStatus
from monitor.model.suites import Suite
from monitor.suites.reading import read_corpus, read_suite

Vectors = NDArray[np.float32]
Encode = Callable[[Sequence[str]], Vectors]

ROUNDING = 1e-6
"""Cosines that differ by less are a tie: such differences come from the order of summation."""
_AT = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class EvaluationSet:
    """A suite and the documents of its index."""

    suite: Suite
    doc_ids: tuple[str, ...]
    documents: tuple[str, ...]

    @property
    def questions(self) -> tuple[str, ...]:
        """The texts of the queries in order."""
        return tuple(query.text for query in self.suite.queries)


@dataclass(frozen=True, slots=True)
class Triplets:
    """Texts, each with a paraphrase and with a near-miss: almost the same words with another meaning."""

    categories: tuple[str, ...]
    texts: tuple[str, ...]
    paraphrases: tuple[str, ...]
    near_misses: tuple[str, ...]


def read_evaluation_set(folder: Path) -> EvaluationSet:
    """The suite in a folder, with its corpus."""
    documents = list(read_corpus(folder))
    return EvaluationSet(
        read_suite(folder), tuple(each.doc_id for each in documents), tuple(each.full_text for each in documents)
    )


def read_triplets(path: Path, *, every: int = 1) -> Triplets:
    """Every n-th triplet of a file of JSON lines."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()][::every]
    columns = (tuple(row[key] for row in rows) for key in ("category", "text", "paraphrase", "near_miss"))
    return Triplets(*columns)


def replay(evaluation_set: EvaluationSet, encode: Encode, *, depth: int | None = None) -> Measured:
    """A measured run of the suite: exact cosine search over its own corpus, by default as deep as in production."""
    depth = min(depth or run_depth(evaluation_set.suite, REPORTED), len(evaluation_set.documents))
    index = build_index(encode(evaluation_set.documents))
    scores, places = index.search(encode(evaluation_set.questions), depth)
    return run_of(evaluation_set, places, scores, depth)


def run_of(evaluation_set: EvaluationSet, places: NDArray[Any], scores: NDArray[Any], depth: int) -> Measured:
    """The measured run of a search: places of the documents found by each query, best first, and their scores.

    Documents with a score of -∞ were not found.
    """
    outcomes = tuple(
        Outcome(
            query_id=query.query_id,
            ranking=Ranking(
                doc_ids=tuple(evaluation_set.doc_ids[place] for place in rows[values > -np.inf]),
                scores=tuple(map(float, values[values > -np.inf])),
            ),
        )
        for query, rows, values in zip(evaluation_set.suite.queries, places, scores, strict=True)
    )
    suite = evaluation_set.suite
    run = Run(
        run_id="run",
        cycle_id="cycle",
        target="model",
        suite_name=suite.name,
        suite_digest=suite.digest,
        axis=suite.axis,
        depth=depth,
        started_at=_AT,
        finished_at=_AT,
        status=RunStatus.FINISHED,
        outcomes=outcomes,
    )
    return measure(run, suite)


def pairs_by_similarity(evaluation_set: EvaluationSet, encode: Encode) -> Iterator[tuple[str, float]]:
    """Stratum of each pair, and whether its query is closer to the satisfying than to the violating document."""
    documents = dict(zip(evaluation_set.doc_ids, encode(evaluation_set.documents), strict=True))
    queries = dict(
        zip((query.query_id for query in evaluation_set.suite.queries), encode(evaluation_set.questions), strict=True)
    )
    stratum_of = {query.query_id: query.stratum for query in evaluation_set.suite.queries}
    for pair in evaluation_set.suite.pairs:
        closer = documents[pair.satisfying_id] - documents[pair.violating_id]
        yield stratum_of[pair.query_id], forced_choice(float(queries[pair.query_id] @ closer))


def triplets_by_similarity(triplets: Triplets, encode: Encode) -> Iterator[tuple[str, float]]:
    """Category of each triplet, and whether its text is closer to the paraphrase than to the near-miss."""
    texts, paraphrases, near_misses = map(encode, (triplets.texts, triplets.paraphrases, triplets.near_misses))
    margins = (texts * (paraphrases - near_misses)).sum(axis=1)
    yield from zip(triplets.categories, map(forced_choice, margins.tolist()), strict=True)


def forced_choice(margin: float) -> float:
    """Probability of a correct choice, from the cosine margin of the correct text: 1, 0, or one half for a tie."""
    if abs(margin) < ROUNDING:
        return 0.5
    return float(margin > 0)
