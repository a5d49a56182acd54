"""Every swap measured by every ruler, and judged by the default policy."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.timing import say
from benchmarks.validity.models import Model
from benchmarks.validity.resampling import resampled_changes
from benchmarks.validity.rulers import Encode
from benchmarks.validity.scores import Rulers, Scores, score
from monitor.decision.comparison import compare, pair_all
from monitor.decision.judgement import Judgement, judge
from monitor.model.policies import Policy

SEED = 20_261_121
"""Of the sign flips behind each verdict, and of the clusters that are drawn again."""


@dataclass(frozen=True, slots=True)
class Swap:
    """What one swap changed, and what recallwatch says to it."""

    name: str
    kind: str
    changes: Mapping[str, float]
    """Series to candidate minus baseline; negative is worse."""
    judgement: Judgement


@dataclass(frozen=True, slots=True)
class Study:
    """All that was found, and what it was measured from."""

    baseline: Mapping[str, float]
    swaps: Sequence[Swap]
    sizes: Mapping[str, int]
    """Ruler to its number of queries, pairs or triplets."""
    resampled: Mapping[str, NDArray[np.float64]]
    """Series to its changes in other samples; shape (swaps, draws)."""

    @property
    def changes(self) -> dict[str, Mapping[str, float]]:
        """Changes of each swap by its name."""
        return {swap.name: swap.changes for swap in self.swaps}


def refuse_leaks(rulers: Rulers, trained_on: Iterable[str]) -> None:
    """Stop if a text that a model is trained on is also measured by."""
    if leaked := rulers.texts.intersection(trained_on):
        raise SystemExit(f"{len(leaked)} texts are both trained on and measured by, such as: {min(leaked)}")


def study(rulers: Rulers, base: Encode, models: Iterable[Model]) -> Study:
    """The untouched model and everything that takes its place."""
    before = _timed("untouched model", rulers, base)
    scored = [(model, _timed(model.name, rulers, model.encode)) for model in models]
    swaps = tuple(_swap(model, before, after) for model, after in scored)
    resampled = {
        series: resampled_changes(
            before.samples[series], [after.samples[series] for _, after in scored], np.random.default_rng([SEED, place])
        )
        for place, series in enumerate(before.samples)
    }
    suites = (rulers.broad, rulers.compositional, rulers.xquad, rulers.pubmedqa)
    sizes = {ruler.suite.name: len(ruler.suite.queries) for ruler in suites}
    return Study(before.means, swaps, sizes | {"triplets": len(rulers.triplets.texts)}, resampled)


def _swap(model: Model, before: Scores, after: Scores) -> Swap:
    changes = {series: after.means[series] - mean for series, mean in before.means.items()}
    return Swap(model.name, model.kind, changes, _judge(before, after))


def _judge(before: Scores, after: Scores) -> Judgement:
    policy = Policy()
    runs = list(zip(before.runs, after.runs, strict=True))
    evidence = compare(pair_all(runs, policy), policy, rng=np.random.default_rng(SEED))
    return judge(evidence, policy)


def _timed(name: str, rulers: Rulers, encode: Encode) -> Scores:
    started = time.perf_counter()
    found = score(rulers, encode)
    say(f"{name}: {time.perf_counter() - started:.0f} s")
    return found
