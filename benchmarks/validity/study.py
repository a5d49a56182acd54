"""Measure every swap on every evaluation set, and judge it by the default policy."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.timing import say
from benchmarks.validity.evaluation_sets import Encode
from benchmarks.validity.models import Model
from benchmarks.validity.resampling import resampled_changes
from benchmarks.validity.scores import EvaluationSets, Scores, score
from monitor.decision.judgement import Judgement
from monitor.decision.verdict import weigh
from monitor.model.policies import Policy
from monitor.model.results import SuiteResult

SEED = 20_261_121
"""Seed of the sign flips behind each verdict, and of the cluster bootstrap."""


@dataclass(frozen=True, slots=True)
class Swap:
    """The changes caused by one swap, and the verdict."""

    name: str
    kind: str
    changes: Mapping[str, float]
    """Series to candidate minus baseline; negative is worse."""
    judgement: Judgement


@dataclass(frozen=True, slots=True)
class Study:
    """All results of the study, with the baseline."""

    baseline: Mapping[str, float]
    swaps: Sequence[Swap]
    sizes: Mapping[str, int]
    """Evaluation set to its number of queries, pairs or triplets."""
    resampled: Mapping[str, NDArray[np.float64]]
    """Series to its changes in other samples; shape (swaps, draws)."""

    @property
    def changes(self) -> dict[str, Mapping[str, float]]:
        """Changes of each swap by its name."""
        return {swap.name: swap.changes for swap in self.swaps}


def refuse_leaks(evaluation_sets: EvaluationSets, trained_on: Iterable[str]) -> None:
    """Raise if a training text is also in an evaluation set."""
    if leaked := evaluation_sets.texts.intersection(trained_on):
        raise SystemExit(f"{len(leaked)} texts are both trained on and measured by, such as: {min(leaked)}")


def study(evaluation_sets: EvaluationSets, base: Encode, models: Iterable[Model]) -> Study:
    """Measure the untouched model and all swaps."""
    before = _timed("untouched model", evaluation_sets, base)
    scored = [(model, _timed(model.name, evaluation_sets, model.encode)) for model in models]
    swaps = tuple(_swap(model, before, after) for model, after in scored)
    resampled = {
        series: resampled_changes(
            before.samples[series], [after.samples[series] for _, after in scored], np.random.default_rng([SEED, place])
        )
        for place, series in enumerate(before.samples)
    }
    suites = (evaluation_sets.broad, evaluation_sets.compositional, evaluation_sets.xquad, evaluation_sets.pubmedqa)
    sizes = {evaluation_set.suite.name: len(evaluation_set.suite.queries) for evaluation_set in suites}
    return Study(before.means, swaps, sizes | {"triplets": len(evaluation_sets.triplets.texts)}, resampled)


def _swap(model: Model, before: Scores, after: Scores) -> Swap:
    changes = {series: after.means[series] - mean for series, mean in before.means.items()}
    return Swap(model.name, model.kind, changes, _judge(before, after))


def _judge(before: Scores, after: Scores) -> Judgement:
    results = [SuiteResult(measured=now, baseline=then) for then, now in zip(before.runs, after.runs, strict=True)]
    return weigh(results, Policy(), SEED, may_page=True, causes={}).judgement


def _timed(name: str, evaluation_sets: EvaluationSets, encode: Encode) -> Scores:
    started = time.perf_counter()
    scores = score(evaluation_sets, encode)
    say(f"{name}: {time.perf_counter() - started:.0f} s")
    return scores
