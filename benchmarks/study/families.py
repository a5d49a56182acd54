"""Twenty strata and the whole: family-wise error, and the power to find the one stratum that fell (§3.1)."""

from __future__ import annotations

import numpy as np

from benchmarks.study.generator import Swap, paired, swap
from benchmarks.study.table import Table, percent
from monitor.model.measurements import Floats
from monitor.statistics.exact_p_values import sign_flip_p
from monitor.statistics.pairing import OVERALL, Paired
from monitor.statistics.significance import cluster_sums, holm, sign_flips, step_down

ALPHA = 0.05
N_STRATA, IN_EACH = 20, 50
RESAMPLES = 999
SCENARIOS = (
    ("nothing fell (error)", 0.0, 0.0, "58 · 2.4 · 4.2 · –"),
    ("one stratum −20 %", 0.20, 0.0, "– · 64 · 80 · 23"),
    ("one −40 %, the others +2.2 %", 0.40, -0.022, "– · – · 100 · 4.6"),
)
METHODS = ("uncorrected", "Holm", "max-T", "gatekeeping")


def families(repetitions: int, seed: int) -> Table:
    """How often each correction finds something, when there is nothing and when there is."""
    rows = []
    for name, drop, elsewhere, theirs in SCENARIOS:
        rng = np.random.default_rng(seed)
        rates = np.mean([_detected(drop, elsewhere, rng) for _ in range(repetitions)], axis=0)
        rows.append([name, *(percent(float(share)) for share in rates), theirs])
    return Table(
        "Twenty strata at once (§3.1)",
        f"{N_STRATA} strata of {IN_EACH} queries and the whole, recall@10, one-sided at 5 % over the family, "
        f"{RESAMPLES} flips. The first line counts any rejection (family-wise error), the others a rejection of the "
        "stratum that fell. Gatekeeping tests the strata only once the whole has fallen. The last column is the "
        "specification's, in per cent: uncorrected · Holm · max-T · gatekeeping.",
        ("", *METHODS, "specification"),
        rows,
        seed,
        repetitions,
    )


def _detected(drop: float, elsewhere: float, rng: np.random.Generator) -> list[bool]:
    """Whether uncorrected tests, Holm, max-T and gatekeeping reject; the stratum that fell, where one did."""
    fallen = swap((1, IN_EACH), rng, drop=drop)
    others = swap((N_STRATA - 1, IN_EACH), rng, drop=elsewhere)
    strata = [paired(fallen, stratum="fallen")]
    strata += [paired(others, row, stratum=f"stratum {row}") for row in range(N_STRATA - 1)]
    sums = -cluster_sums([*strata, _whole(strata)])
    raw = np.array([sign_flip_p(column) for column in sums.T])
    adjusted = step_down(*sign_flips(sums, resamples=RESAMPLES, rng=rng))[1]
    within = holm(raw[:-1])
    passed_gate = raw[-1] <= ALPHA
    which = slice(None) if not drop else slice(0, 1)
    gated = passed_gate if not drop else passed_gate and within[0] <= ALPHA
    return [_any(raw[which]), _any(holm(raw)[which]), _any(adjusted[which]), bool(gated)]


def _whole(strata: list[Paired]) -> Paired:
    """All strata as one, their clusters keeping their names."""
    together = Swap(
        np.concatenate([each.baseline for each in strata])[None],
        np.concatenate([each.candidate for each in strata])[None],
    )
    names = tuple(name for each in strata for name in each.cluster_names)
    one = paired(together)
    return Paired(
        suite=one.suite,
        axis=one.axis,
        stratum=OVERALL,
        measure=one.measure,
        gating=True,
        baseline=one.baseline,
        candidate=one.candidate,
        cluster=one.cluster,
        cluster_names=names,
    )


def _any(p_values: Floats) -> bool:
    return bool((p_values <= ALPHA).any())
