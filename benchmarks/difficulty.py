"""Measure how hard suites are and how much a real swap makes their results vary, and keep it in their suite.yaml.

    python -m benchmarks.difficulty probes/broad probes/compositional

The first suite decides how strong the swap is: the weakest linear adapter, in steps of five, that costs it the margin
of the default policy. A stronger one would make the differences vary more than what is to be detected does.
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
from benchmarks.validity.models import adapters, untouched
from benchmarks.validity.rulers import Encode, Ruler, read_ruler, replay
from monitor.adapters.retrievers.local import BUNDLED_MODEL
from monitor.model.measurements import Measured
from monitor.model.policies import Policy
from monitor.statistics.pairing import Paired, pair
from monitor.statistics.power import intra_cluster_correlation
from monitor.suites.difficulty import Difficulties, Difficulty

SEEDS = (0, 1, 2)
STEPS = 5


def keep(folders: Sequence[Path]) -> None:
    """Measure the suites in these folders and write down what they had."""
    with tempfile.TemporaryDirectory() as cache:
        base = untouched(Path(cache))
        rulers = [read_ruler(folder) for folder in folders]
        before = [replay(ruler, base) for ruler in rulers]
        steps, encoders = weakest_swap(base, rulers[0], before[0])
        swap = f"linear adapter of {steps} steps tuned on structural near-misses, seeds {', '.join(map(str, SEEDS))}"
        for folder, ruler, measured in zip(folders, rulers, before, strict=True):
            say(f"difficulty: {folder} after the swap")
            after = [replay(ruler, encode) for encode in encoders]
            strata = difficulties(measured, after)
            write_difficulties(folder, Difficulties(BUNDLED_MODEL, swap, ruler.suite.digest, strata))


def weakest_swap(base: Encode, ruler: Ruler, before: Measured) -> tuple[int, list[Encode]]:
    """Steps and models of the weakest swap that costs the margin of the leading measure."""
    policy = Policy()
    leading = policy.gating[ruler.suite.axis][0]
    kept = (1 - policy.margin) * before.measurements[leading].mean
    for steps in itertools.count(STEPS, STEPS):
        encoders = [model.encode for model in adapters(base, [steps], SEEDS)]
        mean = float(np.mean([replay(ruler, encode).measurements[leading].mean for encode in encoders]))
        say(f"difficulty: {steps} steps, {leading} {before.measurements[leading].mean:.4f} → {mean:.4f}")
        if mean <= kept:
            return steps, encoders
    raise AssertionError


def difficulties(before: Measured, after: Sequence[Measured]) -> dict[str, dict[str, Difficulty]]:
    """Stratum to measure to what it had: means over the swaps, of the variance where it is about a deviation."""
    gating = Policy().gating[before.suite.axis]
    swaps = [[paired for paired in pair(before, each, Policy()) if paired.measure in gating] for each in after]
    found: dict[str, dict[str, Difficulty]] = {}
    for same in zip(*swaps, strict=True):
        found.setdefault(same[0].stratum, {})[same[0].measure] = _difficulty(same)
    return found


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
    keep([Path(each) for each in sys.argv[1:]])
