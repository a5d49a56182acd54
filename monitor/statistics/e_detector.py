"""E-detectors: has the level of a series dropped? Cheap, in every cycle, and valid however often it is evaluated.

Whether the drop is worse for users is decided by one comparison at a change (`significance.py`), never by one an hour.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache

import numpy as np
from scipy.special import gammaincinv

from monitor.model.noise import Churn, DetectorState, Level, Noise, Series
from monitor.statistics.churn import deviation, is_learned

BETS = (1 / 8, 1 / 4, 1 / 2, 1.0, 2.0, 4.0)
"""The sizes of drop, in standard deviations, that the e-detector bets on."""
MEAN_RUN_LENGTH = 1e5
"""Smallest mean number of looks between two false alarms of one detector."""
REMEMBERED = 96
"""Number of stored runs of each series, to find the start of a drop."""
LEVEL_CYCLES = 48
"""Number of unchanged cycles after the baseline that form its level."""
NO_LEVEL = Level()
_CEILING, _ROUNDING = 1e200, 1e-20


def fold(level: Level, value: float) -> Level:
    """The level after one more unchanged cycle; after `LEVEL_CYCLES` cycles it does not change.

    Later cycles do not move it, so that a slow decline cannot move its own reference.

    Examples
    --------
    >>> level = fold(fold(Level(), 0.8), 0.9)
    >>> level.cycles, round(level.mean, 3), round(level.squares, 4)
    (2, 0.85, 0.005)
    """
    if level.cycles >= LEVEL_CYCLES:
        return level
    count = level.cycles + 1
    step = value - level.mean
    mean = level.mean + step / count
    return Level(
        cycles=count,
        mean=mean,
        squares=level.squares + step * (value - mean),
        products=level.products + (step * (level.last - mean) if level.cycles else 0.0),
        last=value,
    )


def level_of(baseline: float, noise: Noise, series: str, level: Level = NO_LEVEL) -> tuple[float, float]:
    """The baseline's level, and the number of independent runs behind it.

    The baseline is one run. Replays of its deployment and the unchanged cycles after it estimate the same level with
    less error, so that a smaller drop is detected sooner. If they differ from the baseline by more than three standard
    deviations, they measured another level, and only the baseline counts. Correlated cycles count as fewer:
    n·(1 − ρ)/(1 + ρ).

    Examples
    --------
    >>> noise = Noise(replays=24, queries=100, share_changed=0.1, deviations={"a": 0.01}, means={"a": 0.805})
    >>> level_of(0.8, noise, "a"), level_of(0.9, noise, "a")
    ((0.805, 24.0), (0.9, 1.0))
    """
    sigma = noise.deviations.get(series, 0.0)
    rho = correlation(level)
    counts = {level.mean: level.cycles * (1 - rho) / (1 + rho)} if level.cycles else {}
    if series in noise.means:
        counts[noise.means[series]] = counts.get(noise.means[series], 0.0) + noise.replays
    total = sum(counts.values())
    if total < 1:
        return baseline, 1.0
    mean = sum(value * count for value, count in counts.items()) / total
    return (mean, total) if abs(mean - baseline) <= 3 * max(sigma, spread_of(level)) else (baseline, 1.0)


def correlation(level: Level) -> float:
    """Lag-1 correlation of the cycles behind a level, in [0, 0.99]; 0 below 0.1, which counts as no correlation."""
    rho = level.products / level.squares if level.squares > _ROUNDING else 0.0
    return min(rho, 0.99) if rho > 0.1 and level.cycles >= 8 else 0.0


def spread_of(level: Level) -> float:
    """Standard deviation of the cycles behind a complete level, at its upper 95 % bound; 0 before it is complete."""
    if level.cycles < LEVEL_CYCLES or level.squares <= _ROUNDING:
        return 0.0
    return math.sqrt(level.squares / _chi2_bound(level.cycles - 1))


@lru_cache
def _chi2_bound(freedom: int) -> float:
    return float(2 * gammaincinv(freedom / 2, 0.05))


def deviation_of(noise: Noise, churn: Churn, level: Level, series: str) -> float:
    """Standard deviation of one run's mean: noise of replays and churn together, and at least that of the cycles.

    If neighbouring cycles correlate without churn, the long-run deviation counts: 1.3·s·√((1 + ρ)/(1 − ρ)). Changes
    that revert, such as rare noise, leave cycles uncorrelated: then their spread suffices.
    """
    rho = correlation(level)
    if is_learned(churn) and series in churn.steps and (rho or level.cycles < LEVEL_CYCLES):
        return max(math.hypot(noise.deviations.get(series, 0.0), deviation(churn, series)), spread_of(level))
    drifting = 1.3 * math.sqrt((1 + rho) / (1 - rho)) if rho else 1.0
    return max(noise.deviations.get(series, 0.0), spread_of(level) * drifting)


def observe(
    series: Series,
    *,
    baseline: float,
    now: float,
    deviation: float,
    queries: int,
    baseline_runs: float = 1.0,
    tolerance: float = 0.01,
) -> Series:
    """The series after one more run.

    With z = (baseline − now − ε)/σ each bet λ grows by R ← (R + 1)·exp(λz − λ²/2): an e-detector, whose mean over
    the bets exceeds c no more often than once in c cycles while nothing is wrong. The tolerance ε, the larger of
    ``tolerance`` (relative) and 3σ/√K, is needed because the baseline's mean is an estimate from K = ``baseline_runs``
    runs: without it, every detector eventually raises an alarm. Shin, Ramdas & Rinaldo (arXiv 2203.03532).

    σ is at least the effect of one of the ``queries``, because a change that no replay contained is still possible.

    Examples
    --------
    >>> quiet = observe(Series(), baseline=0.8, now=0.8, deviation=0.01, queries=100)
    >>> quiet.evidence < 1
    True
    """
    spread = max(deviation, 1.0 / queries)
    allowed = max(tolerance * baseline, 3 * spread / math.sqrt(baseline_runs))
    reference = baseline if series.reference is None else series.reference
    drop = (reference - now - allowed) / spread
    bets = tuple(
        min((value + 1.0) * math.exp(min(bet * drop - bet * bet / 2, 400.0)), _CEILING)
        for value, bet in zip(series.bets or (0.0,) * len(BETS), BETS, strict=True)
    )
    return Series(bets, (*series.drops, drop)[-REMEMBERED:], series.reference)


def alarms(series: Mapping[str, Series]) -> tuple[str, ...]:
    """The series with an established drop, the strongest evidence first; the threshold grows with their number."""
    threshold = MEAN_RUN_LENGTH * len(series)
    raised = [name for name, each in series.items() if each.evidence >= threshold]
    return tuple(sorted(raised, key=lambda name: -series[name].evidence))


def runs_since_change(series: Series) -> int:
    """Number of runs since the drop began: the start with the largest likelihood ratio, (Σz)²/n over positive sums.

    Examples
    --------
    >>> runs_since_change(Series(drops=(-1.0, -0.5, 3.0, 2.5)))
    2
    """
    if not series.drops:
        return 0
    sums = np.cumsum(series.drops[::-1])
    return int(np.argmax(np.sign(sums) * sums**2 / np.arange(1, len(sums) + 1))) + 1


def quiet(state: DetectorState, levels: Mapping[str, float]) -> DetectorState:
    """The state with its detectors restarted from the levels that a look judged.

    Only a further drop raises them again: the same one would spend the error budget look by look.
    """
    return replace(
        state, series={name: Series(drops=each.drops, reference=levels[name]) for name, each in state.series.items()}
    )
