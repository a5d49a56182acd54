"""Measure the difficulty of suites and the variance caused by a real swap, and write both into suite.yaml.

    python -m benchmarks.difficulty probes/broad probes/compositional

The first suite determines the strength of the swap: the weakest linear adapter, in steps of five, that costs it the
margin of the default policy. A stronger swap would overstate the variance of the drops to detect.
"""

from __future__ import annotations

import itertools
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.difficulty_file import write_difficulties
from benchmarks.timing import say
from benchmarks.validity.evaluation_sets import Encode, EvaluationSet, read_evaluation_set, replay
from benchmarks.validity.models import adapters, untouched
from monitor.adapters.retrievers.local import BUNDLED_MODEL
from monitor.model.measurements import Measured
from monitor.model.policies import Policy
from monitor.statistics.pairing import Paired, pair
from monitor.statistics.power import intra_cluster_correlation
from monitor.suites.difficulty import Difficulties, Difficulty

SEEDS = (0, 1, 2)
STEPS = 5


def write(folders: Sequence[Path]) -> None:
    """Measure the suites in these folders and write their difficulties."""
    with tempfile.TemporaryDirectory() as cache:
        base = untouched(Path(cache))
        evaluation_sets = [read_evaluation_set(folder) for folder in folders]
        before = [replay(evaluation_set, base) for evaluation_set in evaluation_sets]
        steps, encoders = weakest_swap(base, evaluation_sets[0], before[0])
        swap = f"linear adapter of {steps} steps tuned on structural near-misses, seeds {', '.join(map(str, SEEDS))}"
        for folder, evaluation_set, measured in zip(folders, evaluation_sets, before, strict=True):
            say(f"difficulty: {folder} after the swap")
            after = [replay(evaluation_set, encode) for encode in encoders]
            strata = difficulties(measured, after)
            write_difficulties(folder, Difficulties(BUNDLED_MODEL, swap, evaluation_set.suite.digest, strata))


def weakest_swap(base: Encode, evaluation_set: EvaluationSet, before: Measured) -> tuple[int, list[Encode]]:
    """Steps and models of the weakest swap that costs the margin of the leading measure."""
    policy = Policy()
    leading = policy.gating[evaluation_set.suite.axis][0]
    tolerated = (1 - policy.margin) * before.measurements[leading].mean
    for steps in itertools.count(STEPS, STEPS):
        encoders = [model.encode for model in adapters(base, [steps], SEEDS)]
        mean = float(np.mean([replay(evaluation_set, encode).measurements[leading].mean for encode in encoders]))
        say(f"difficulty: {steps} steps, {leading} {before.measurements[leading].mean:.4f} → {mean:.4f}")
        if mean <= tolerated:
            return steps, encoders
    raise AssertionError


def difficulties(before: Measured, after: Sequence[Measured]) -> dict[str, dict[str, Difficulty]]:
    """Stratum to measure to difficulty, averaged over the swaps; deviations are averaged as variances."""
    gating = Policy().gating[before.suite.axis]
    swaps = [[paired for paired in pair(before, each, Policy()) if paired.measure in gating] for each in after]
    result: dict[str, dict[str, Difficulty]] = {}
    for same in zip(*swaps, strict=True):
        result.setdefault(same[0].stratum, {})[same[0].measure] = _difficulty(same)
    return result


def _difficulty(swaps: Sequence[Paired]) -> Difficulty:
    baseline = swaps[0].baseline
    variances = [paired.differences.var(ddof=1) for paired in swaps]
    correlations = [intra_cluster_correlation(paired.differences, paired.cluster) for paired in swaps]
    return Difficulty(
        float(baseline.mean()),
        float(baseline.std(ddof=1)),
        float(np.sqrt(np.mean(variances))),
        float(np.mean(correlations)),
    )


if __name__ == "__main__":
    write([Path(each) for each in sys.argv[1:]])
