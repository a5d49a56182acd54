"""Has it moved? Level 1: cheap, every cycle, and safe to look at as often as one likes.

Whether what moved is worse for users is level 2 (`significance.py`): one look at a change, never one an hour.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
from scipy import stats

from monitor.model.measurements import Floats
from monitor.model.noise import DetectorState, Noise, Series

BETS = (1 / 8, 1 / 4, 1 / 2, 1.0, 2.0, 4.0)
"""The sizes of drop, in standard deviations, that the e-detector bets on."""
MEAN_RUN_LENGTH = 1e5
"""Looks between two false alarms of one detector, at least."""
REMEMBERED = 96
"""Runs kept of each series, to say when a drop began."""
_CEILING = 1e200


def noise_floor(replays: Sequence[Mapping[str, float]], shares_changed: Sequence[float], *, queries: int) -> Noise:
    """The noise floor that replays of one deployment show.

    The standard deviation of a run's mean is taken at its upper 95 % bound, σ̂·√((K−1)/χ²₀.₀₅)·√(1 + 1/K), because
    too small a floor would cry wolf; where neighbouring replays correlate (lag-1 above 0.1), from their long-run
    variance (Newey & West 1987, up to 24 lags) and 1.3 times that.

    Parameters
    ----------
    replays
        For each replay, the mean of every series. K = len(replays) ≥ 2.
    shares_changed
        For each replay after the first, the share of rankings that differ from the first.
    queries
        Queries in each replay.

    Examples
    --------
    >>> floor = noise_floor([{"a": 0.5}, {"a": 0.5}], [0.0], queries=10)
    >>> floor.is_deterministic, floor.deviations
    (True, {'a': 0.0})
    """
    names = replays[0]
    deviations = {name: _deviation(np.array([each[name] for each in replays])) for name in names}
    means = {name: float(np.mean([each[name] for each in replays])) for name in names}
    return Noise(
        replays=len(replays),
        queries=queries,
        share_changed=max(shares_changed, default=0.0),
        deviations=deviations,
        means=means,
    )


def answer_noise(replays: Floats, *, answers: int) -> float:
    """Standard deviation of the mean score of ``answers`` answers, from a few replays of some of them.

    Models that sample answer anew each time; between two replays only that differs, so that the variance within each
    query says it all: σ̂² = mean over queries of its sample variance, at the upper 95 % bound of χ² with n(K−1)
    degrees of freedom.

    Parameters
    ----------
    replays
        Scores, shape (K replays ≥ 2, n queries).
    answers
        Answers in a whole run.

    Examples
    --------
    >>> round(answer_noise(np.array([[0.0, 1.0], [1.0, 1.0]]), answers=100), 3)
    0.221
    """
    count, queries = replays.shape
    freedom = queries * (count - 1)
    variance = float(replays.var(axis=0, ddof=1).mean())
    bound = freedom / float(stats.chi2.ppf(0.05, freedom))
    return math.sqrt(variance * bound / answers)


def level_of(baseline: float, noise: Noise, series: str) -> tuple[float, int]:
    """The baseline's level and from how many runs it is known.

    The baseline is one run. Where the replays agree with it, their mean says the same more surely, which lets a
    smaller drop be seen sooner; where they do not, something else was replayed.

    Examples
    --------
    >>> noise = Noise(replays=24, queries=100, share_changed=0.1, deviations={"a": 0.01}, means={"a": 0.805})
    >>> level_of(0.8, noise, "a"), level_of(0.9, noise, "a")
    ((0.805, 24), (0.9, 1))
    """
    level = noise.means.get(series)
    if level is None or abs(level - baseline) > 3 * noise.deviations[series]:
        return baseline, 1
    return level, noise.replays


def observe(
    series: Series,
    *,
    baseline: float,
    now: float,
    deviation: float,
    queries: int,
    baseline_runs: int = 1,
    tolerance: float = 0.01,
) -> Series:
    """The series after one more run.

    With z = (baseline − now − ε)/σ each bet λ grows by R ← (R + 1)·exp(λz − λ²/2): an e-detector, whose mean over
    the bets exceeds c no more often than once in c looks while nothing is wrong, however often one looks. The
    tolerance ε, the larger of ``tolerance`` (relative) and 3σ/√K, is needed because the baseline's mean is an
    estimate from K = ``baseline_runs`` runs: without it every detector alarms in the end. Shin, Ramdas & Rinaldo
    (arXiv 2203.03532).

    σ is at least what one of the ``queries`` makes when it comes or goes: that no replay showed it does not
    mean that it cannot happen.

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
    return Series(bets, (*series.seen, drop)[-REMEMBERED:], series.reference)


def alarms(series: Mapping[str, Series]) -> tuple[str, ...]:
    """The series whose drop is established, the surest first; the threshold grows with the number of series."""
    threshold = MEAN_RUN_LENGTH * len(series)
    raised = [name for name, each in series.items() if each.evidence >= threshold]
    return tuple(sorted(raised, key=lambda name: -series[name].evidence))


def runs_since_change(series: Series) -> int:
    """How many runs ago the drop began: the start with the largest likelihood ratio, (Σz)²/n over positive sums.

    Examples
    --------
    >>> runs_since_change(Series(seen=(-1.0, -0.5, 3.0, 2.5)))
    2
    """
    if not series.seen:
        return 0
    sums = np.cumsum(series.seen[::-1])
    return int(np.argmax(np.sign(sums) * sums**2 / np.arange(1, len(sums) + 1))) + 1


def quiet(state: DetectorState, levels: Mapping[str, float]) -> DetectorState:
    """The vigil with its detectors started anew from the levels that were looked into.

    Only a further drop raises them again: the same one would spend the error budget look by look.
    """
    return replace(
        state, series={name: Series(seen=each.seen, reference=levels[name]) for name, each in state.series.items()}
    )


def alpha_of_look(looks: int, *, alpha_page: float, alpha_year: float) -> float:
    """Error level of the n-th look of a year: α_year·6/(π²n²), and never more than ``alpha_page``.

    Summed over any number of looks this is at most α_year, so that many swaps a year do not add up to a false page.

    Examples
    --------
    >>> round(alpha_of_look(5, alpha_page=0.01, alpha_year=0.05), 5)
    0.00122
    """
    return min(alpha_page, alpha_year * 6 / (math.pi**2 * max(looks, 1) ** 2))


def within_a_year(looks: Sequence[datetime], now: datetime) -> tuple[datetime, ...]:
    """Those looks that still count."""
    return tuple(each for each in looks if now - each < timedelta(days=365))


def _deviation(means: Floats) -> float:
    count = len(means)
    centred = means - means.mean()
    variance = float(centred @ centred) / (count - 1)
    # Equal means leave a rounding error, and a spread of rounding errors correlates with nothing.
    if variance < 1e-24:
        return 0.0
    sigma = math.sqrt(variance)
    if float(centred[1:] @ centred[:-1]) / float(centred @ centred) > 0.1:
        sigma = 1.3 * math.sqrt(max(_long_run_variance(centred), variance))
    bound = math.sqrt((count - 1) / float(stats.chi2.ppf(0.05, count - 1)))
    return sigma * bound * math.sqrt(1 + 1 / count)


def _long_run_variance(centred: Floats) -> float:
    count = len(centred)
    lags = min(24, count - 1)
    total = float(centred @ centred)
    for lag in range(1, lags + 1):
        total += 2 * (1 - lag / (lags + 1)) * float(centred[lag:] @ centred[:-lag])
    return total / (count - 1)
