"""One peer's decisions on pairs from standard input, in a process and, if need be, an environment of its own.

Needs NumPy and the peer, nothing of recallwatch: ``python peer.py NAME < pairs.npz`` prints a JSON list of 0 and 1.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

ALPHA = 0.05
RESAMPLES = 1_000
RUNS_BEFORE = RUNS_AFTER = 12
RUN_NOISE = 0.003
"""Standard deviation of a run's mean, for the peer that looks at a series of runs."""

Decide = Callable[[Any, Any], bool]
"""From values before and after to whether the peer calls it a regression."""


def retrieval_eval_gate() -> Decide:
    """Its gate policy `regression`: a two-sided paired permutation test and a negative difference."""
    from rag_eval_gate.stats import paired_permutation_test

    def decide(before: Any, after: Any) -> bool:
        test = paired_permutation_test(after, before, iters=RESAMPLES)
        return bool(test.observed_diff < 0 and test.p_value < ALPHA)

    return decide


def retrieval_observatory() -> Decide:
    """Its release policy: FAIL where a 95 % paired percentile interval lies below the tolerated regression, here 0."""
    from retrieval_observatory.metrics.significance import paired_bootstrap_effect_ci

    def decide(before: Any, after: Any) -> bool:
        _, high = paired_bootstrap_effect_ci(
            before.tolist(), after.tolist(), estimator="mean", n_resamples=RESAMPLES, confidence_level=0.95, seed=17
        )
        return bool(high is not None and high < 0)

    return decide


def evalsig() -> Decide:
    """Its `compare` one-sided, the roles changed, for it asks whether the second is better."""
    from evalsig import ItemResult, RunFrame, compare

    def frame(name: str, values: Any) -> Any:
        items = [ItemResult(str(number), float(value)) for number, value in enumerate(values)]
        return RunFrame(name, name, "retrieval", "recall", items)

    def decide(before: Any, after: Any) -> bool:
        result = compare(frame("after", after), frame("before", before), one_sided=True, n_resamples=RESAMPLES)
        return bool(result.significant)

    return decide


def trulens() -> Decide:
    """What its `compare_runs` computes: a two-sided permutation p-value, and a negative mean difference."""
    from trulens.core.utils.stats import SIGNIFICANCE_ALPHA, paired_permutation_pvalue

    def decide(before: Any, after: Any) -> bool:
        differences = after - before
        p_value = paired_permutation_pvalue(differences, permutations=RESAMPLES)
        return bool(differences.mean() < 0 and p_value < SIGNIFICANCE_ALPHA)

    return decide


def apache_otava() -> Decide:
    """Its change points over the means of 12 runs before and 12 after, by its defaults; a run has a little noise."""
    from otava.series import Metric, Series

    rng = np.random.default_rng(1)

    def decide(before: Any, after: Any) -> bool:
        means = np.repeat([before.mean(), after.mean()], [RUNS_BEFORE, RUNS_AFTER])
        series = (means + rng.normal(0.0, RUN_NOISE, len(means))).tolist()
        result = Series(
            "recall", None, list(range(len(series))), {"recall": Metric()}, {"recall": series}, {}
        ).analyze()
        return any(point.mean_after() < point.mean_before() for point in result.change_points["recall"])

    return decide


PEERS: dict[str, Callable[[], Decide]] = {
    "retrieval-eval-gate": retrieval_eval_gate,
    "retrieval-observatory": retrieval_observatory,
    "evalsig": evalsig,
    "trulens": trulens,
    "apache-otava": apache_otava,
}


def main() -> None:
    """Decide every pair."""
    decide = PEERS[sys.argv[1]]()
    pairs = np.load(io.BytesIO(sys.stdin.buffer.read()))
    print(json.dumps([int(decide(b, a)) for b, a in zip(pairs["before"], pairs["after"], strict=True)]))


if __name__ == "__main__":
    main()
