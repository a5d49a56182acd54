"""Several swaps a year: what spending the error budget look by look buys, and what it costs (§3.7)."""

from __future__ import annotations

import numpy as np

from benchmarks.study.generator import MRR, swap
from benchmarks.study.table import Table, percent
from monitor.statistics.error_budget import alpha_of_silent_look
from monitor.statistics.exact_p_values import sign_flip_p

N_QUERIES, MOST = 200, 52
SWAPS = (1, 4, 12, 52)
POLICIES = {
    "5 % each time": lambda _: 0.05,
    "1 % each time": lambda _: 0.01,
    "spent look by look": lambda look: alpha_of_silent_look(look, alpha_page=0.01, alpha_year=0.05),
}


def spending(repetitions: int, seed: int) -> Table:
    """P(any false page in a year) by number of benign swaps; and the power left at the last of them."""
    rng = np.random.default_rng(seed)
    p_values = np.array(
        [
            [sign_flip_p(-each) for each in swap((MOST, N_QUERIES), rng, measure=MRR).differences]
            for _ in range(repetitions)
        ]
    )
    dropped = swap((repetitions, N_QUERIES), rng, measure=MRR, drop=0.2).differences
    p_values = np.array([sign_flip_p(-each) for each in dropped])
    rows = []
    for count in SWAPS:
        row = [f"{count}", f"{100 * POLICIES['spent look by look'](count):.4g} %"]
        for alpha in POLICIES.values():
            levels = np.array([alpha(look) for look in range(1, count + 1)])
            row.append(percent(float((p_values[:, :count] <= levels).any(axis=1).mean())))
        row.append(percent(float((p_values <= POLICIES["spent look by look"](count)).mean())))
        rows.append(row)
    return Table(
        "Several swaps a year (§3.7)",
        f"Benign swaps only, one test of MRR on {N_QUERIES} queries at each, no effect floor: the probability of any "
        "false page in the year. The last column is the price: the power against a drop of 20 % at the last of them.",
        ("swaps", "α of the last look", *POLICIES, "power at −20 %, the last look"),
        rows,
        seed,
        repetitions,
    )
