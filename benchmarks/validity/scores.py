"""The scores of one model on every evaluation set."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.validity.agreement import COUNTERPARTS, mean_of_groups, shares
from benchmarks.validity.evaluation_sets import (
    Encode,
    EvaluationSet,
    Triplets,
    pairs_by_similarity,
    read_evaluation_set,
    read_triplets,
    replay,
    triplets_by_similarity,
)
from benchmarks.validity.resampling import Sample, sample
from monitor.evaluation.scoring import stratum_means
from monitor.model.measurements import Measured
from monitor.model.suites import Suite
from monitor.statistics.pairing import OVERALL

BROAD, SIMILARITY, RANK = "broad", "phenomena", "phenomena by rank"
XQUAD, PUBMEDQA, TRIPLETS = "xquad-en", "pubmedqa", "sugarcrepe-pp"
COMPARISONS = ((BROAD, XQUAD), (BROAD, PUBMEDQA), (SIMILARITY, TRIPLETS))
"""Our series and the public one that it must follow."""
EVERY_COMPARISON = (*COMPARISONS, (RANK, TRIPLETS))


@dataclass(frozen=True, slots=True)
class EvaluationSets:
    """All evaluation sets of the study."""

    broad: EvaluationSet
    compositional: EvaluationSet
    xquad: EvaluationSet
    pubmedqa: EvaluationSet
    triplets: Triplets

    @property
    def texts(self) -> set[str]:
        """All texts that must not be used for training."""
        suites = (self.broad, self.compositional, self.xquad, self.pubmedqa)
        triplets = self.triplets
        in_suites = {text for suite in suites for text in (*suite.documents, *suite.questions)}
        return in_suites | {*triplets.texts, *triplets.paraphrases, *triplets.near_misses}


@dataclass(frozen=True, slots=True)
class Scores:
    """Means by series, the samples behind the means of whole sets, and the measured runs of the built-in suites.

    A series is a ruler (“broad”) or a part of it (“broad/finance”).
    """

    means: Mapping[str, float]
    samples: Mapping[str, Sample]
    runs: tuple[Measured, Measured]


def read_evaluation_sets(probes: Path, data: Path, *, every_triplet: int = 1) -> EvaluationSets:
    """The built-in suites and the public data."""
    return EvaluationSets(
        broad=read_evaluation_set(probes / "broad"),
        compositional=read_evaluation_set(probes / "compositional"),
        xquad=read_evaluation_set(data / XQUAD),
        pubmedqa=read_evaluation_set(data / PUBMEDQA),
        triplets=read_triplets(data / TRIPLETS / "triplets.jsonl", every=every_triplet),
    )


def score(evaluation_sets: EvaluationSets, encode: Encode) -> Scores:
    """Measure one model on all evaluation sets."""
    broad, compositional = replay(evaluation_sets.broad, encode), replay(evaluation_sets.compositional, encode)
    public = {
        name: replay(evaluation_set, encode)
        for name, evaluation_set in ((XQUAD, evaluation_sets.xquad), (PUBMEDQA, evaluation_sets.pubmedqa))
    }
    domains = _means(broad, "ndcg@10")
    by_rank = _means(compositional, "pair_accuracy")
    pairs = list(pairs_by_similarity(evaluation_sets.compositional, encode))
    triplets = list(triplets_by_similarity(evaluation_sets.triplets, encode))
    by_similarity, categories = shares(pairs), shares(triplets)
    matched = COUNTERPARTS.values()
    means = {
        BROAD: domains.pop(OVERALL),
        **{name: _means(measured, "ndcg@10")[OVERALL] for name, measured in public.items()},
        SIMILARITY: mean_of_groups(by_similarity, matched),
        RANK: mean_of_groups(by_rank, matched),
        TRIPLETS: mean_of_groups(categories, COUNTERPARTS),
    }
    by_rank.pop(OVERALL)
    for series, parts in ((BROAD, domains), (SIMILARITY, by_similarity), (RANK, by_rank), (TRIPLETS, categories)):
        means |= {f"{series}/{part}": mean for part, mean in parts.items()}
    by_query = zip(
        (pair.query_id for pair in evaluation_sets.compositional.suite.pairs),
        (right for _, right in pairs),
        strict=True,
    )
    samples = {
        **{each.suite.name: _sample(each.suite, _by_query(each, "ndcg@10")) for each in (broad, *public.values())},
        SIMILARITY: _sample(compositional.suite, by_query, strata=matched),
        RANK: _sample(compositional.suite, _by_query(compositional, "pair_accuracy"), strata=matched),
        TRIPLETS: sample((category, str(place), right) for place, (category, right) in enumerate(triplets)),
    }
    return Scores(means, samples, (broad, compositional))


def _sample(suite: Suite, by_query: Iterable[tuple[str, float]], *, strata: Collection[str] = ()) -> Sample:
    """The values of queries; if strata are given, only of these, one group for each."""
    queries = {query.query_id: query for query in suite.queries}
    values = ((queries[query_id], value) for query_id, value in by_query)
    return sample(
        (query.stratum if strata else "", query.cluster, value)
        for query, value in values
        if not strata or query.stratum in strata
    )


def _by_query(measured: Measured, measure: str) -> Iterator[tuple[str, float]]:
    measurements = measured.measurements[measure]
    return zip(measurements.query_ids, measurements.values.tolist(), strict=True)


def _means(measured: Measured, measure: str) -> dict[str, float]:
    return {stratum: mean for stratum, name, mean in stratum_means(measured) if name == measure}
