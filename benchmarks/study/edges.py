"""Where tests break: very small samples, ties, nothing changed, one query, two clusters, heavy tails, NaN."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.study.generator import Swap, paired, swap
from benchmarks.study.table import Table, percent
from monitor.model.measurements import Floats
from monitor.statistics.exact_p_values import sign_flip_p
from monitor.statistics.non_inferiority import relative_non_inferiority
from monitor.statistics.significance import interval, sign_flips, step_down

ALPHA = 0.05
LEVELS: dict[str, Callable[[np.random.Generator], Floats]] = {
    "10 queries, recall@10": lambda rng: swap((1, 10), rng).differences[0],
    "all changed queries tie, n = 30": lambda rng: rng.choice([-1.0, 1.0], 30) / 3,
    "ties and zeros, n = 200": lambda rng: rng.choice([-1.0, 0.0, 0.0, 0.0, 1.0], 200),
    "heavy tails (cubed normal), n = 30": lambda rng: rng.normal(size=30) ** 3,
    "heavy tails (cubed normal), n = 200": lambda rng: rng.normal(size=200) ** 3,
    "one giant among 200": lambda rng: rng.normal(size=200) * np.where(np.arange(200) == 0, 1e6, 1.0),
}


def levels(repetitions: int, seed: int) -> Table:
    """Levels at 5 % and 1 % where samples are small, tied or heavy-tailed; all are symmetric about zero."""
    rows = []
    for name, draw in LEVELS.items():
        rng = np.random.default_rng(seed)
        p_values = np.array([(sign_flip_p(d), _sampled(d, rng)) for d in (draw(rng) for _ in range(repetitions))])
        rows.append([name, *(percent(float((column <= a).mean())) for column in p_values.T for a in (ALPHA, 0.01))])
    return Table(
        "Edge cases: levels",
        "False alarms of the computed p-value and of the sampled one (999 flips), one-sided, at 5 % and at 1 %.",
        ("", "computed, 5 %", "computed, 1 %", "sampled, 5 %", "sampled, 1 %"),
        rows,
        seed,
        repetitions,
    )


def answers(repetitions: int, seed: int) -> Table:
    """What the functions answer where there is next to nothing to go by; nothing here is random."""
    del repetitions
    one = np.zeros(100)
    one[3] = -1.0
    cases = {
        "nothing changed, 100 queries": np.zeros(100),
        "one changed query of 100": one,
        "two clusters, both lost": np.array([-1.0, -1.0]),
        "one cluster": np.array([-1.0]),
        "ten queries, all lost": -np.ones(10),
    }
    rows = []
    for name, differences in cases.items():
        sample = paired(Swap(np.ones((1, len(differences))), 1.0 + differences[None]))
        lower, upper = interval(sample)
        safety = relative_non_inferiority(sample, margin=0.05, min_clusters=1)
        p_not_safe = f"{safety.p_value:.3g}" if safety else "–"
        rows.append([name, f"{sign_flip_p(-differences):.4g}", f"{lower:.3f} to {upper:.3f}", p_not_safe])
    rows.append(["a NaN among them", _refusal(np.array([0.1, float("nan")])), "–", "–"])
    return Table(
        "Edge cases: answers",
        "p that it fell, the 95 % interval and p that it is not safe, where there is next to nothing to go by. Below "
        "12 clusters recallwatch tests nothing at all; this is what the functions by themselves say.",
        ("", "p (fell)", "95 % interval", "p (not safe)"),
        rows,
        seed,
        1,
        error="nothing is drawn",
    )


def _sampled(differences: Floats, rng: np.random.Generator) -> float:
    return float(step_down(*sign_flips(-differences[:, None], resamples=999, rng=rng))[0][0])


def _refusal(differences: Floats) -> str:
    try:
        return f"{sign_flip_p(differences):.4g}"
    except ValueError as error:
        return f"refused: {error}"
