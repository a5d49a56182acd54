"""The trade-off by intersection and union: joint error and power of the verdict itself (§3.4)."""

from __future__ import annotations

from collections import Counter

import numpy as np

from benchmarks.study.generator import RECALL, swap
from benchmarks.study.runs import measured, suite
from benchmarks.study.table import Table, percent
from monitor.decision.verdict import weigh
from monitor.model.measurements import Floats
from monitor.model.policies import Policy
from monitor.model.results import SuiteResult
from monitor.model.suites import Axis
from monitor.model.verdicts import VerdictName

PAIRS = "pair_accuracy"
GATING = {Axis.BROAD: (RECALL,), Axis.COMPOSITIONAL: (PAIRS,)}
BARE = Policy(alpha_page=0.05, gating=GATING, floor_absolute=0.0, floor_relative=0.0, resamples=999)
"""5 % and no floors, as the specification's figures have it."""
DEFAULT = Policy(gating=GATING, resamples=999)
SCENARIOS = (
    ("nothing changed", 0.0, 0.0, 300, 1_000, "–"),
    ("broad −20 %, no rise", 0.20, 0.0, 300, 1_000, "error ≤ 5.4 %"),
    ("no drop, +20 points", 0.0, 0.20, 300, 1_000, "error ≤ 5.4 %"),
    ("broad −8 %, +10 points", 0.08, 0.10, 100, 200, "55 %"),
    ("broad −8 %, +10 points", 0.08, 0.10, 300, 1_000, "96 %"),
)


def trade_off(repetitions: int, seed: int) -> Table:
    """Share of verdicts `trade_off`, at 5 % without floors and by the default policy."""
    rows = []
    for name, drop, rise, n_pairs, n_queries, their in SCENARIOS:
        shares = []
        for policy in (BARE, DEFAULT):
            rng = np.random.default_rng(seed)
            names = Counter(_verdict(drop, rise, n_pairs, n_queries, policy, rng) for _ in range(repetitions))
            shares += [percent(names[each] / repetitions) for each in (VerdictName.TRADE_OFF, VerdictName.REGRESSED)]
        rows.append([f"{name} ({n_pairs} pairs, {n_queries:,} queries)", *shares, their])
    return Table(
        "The trade-off (§3.4)",
        "The verdict of `compare` and `judge` on a compositional suite of pairs and a broad one (999 flips): how often "
        "it is `trade_off`, and how often `regressed`, at 5 % without floors and by the default policy (1 %, floors).",
        ("", "trade_off, 5 %", "regressed, 5 %", "trade_off, default", "regressed, default", "specification"),
        rows,
        seed,
        repetitions,
        after="Both must be so, hence no correction: the error of the conjunction is at most that of either part. "
        "Where both parts are true but small, the default policy names fewer trade-offs; most of the rest are "
        "`regressed`, which pages as well.",
    )


def _verdict(
    drop: float, rise: float, n_pairs: int, n_queries: int, policy: Policy, rng: np.random.Generator
) -> VerdictName:
    sample = swap((1, n_queries), rng, drop=drop)
    broad, pairs = suite(Axis.BROAD, n_queries), suite(Axis.COMPOSITIONAL, n_pairs)
    before, after = _pairs(n_pairs, rise, rng)
    runs = [
        (
            measured(broad, {RECALL: sample.baseline[0]}, run_id="a"),
            measured(broad, {RECALL: sample.candidate[0]}, run_id="b"),
        ),
        (measured(pairs, {PAIRS: before}, run_id="c"), measured(pairs, {PAIRS: after}, run_id="d")),
    ]
    results = [SuiteResult(measured=candidate, baseline=baseline) for baseline, candidate in runs]
    return weigh(results, policy, int(rng.integers(2**31)), may_page=True, causes={}).judgement.name


def _pairs(count: int, rise: float, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Pairs told apart before and after: 27 % change, more for the better the larger the rise."""
    sample = rng.random(count)
    gained, lost = sample < 0.135 + rise / 2, sample >= 1 - (0.135 - rise / 2)
    before = np.where(gained, 0.0, np.where(lost, 1.0, (rng.random(count) < 0.6).astype(np.float64)))
    return before, np.where(gained, 1.0, np.where(lost, 0.0, before))
