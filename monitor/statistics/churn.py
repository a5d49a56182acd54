"""Churn: results that change slightly from cycle to cycle because documents are added and removed.

A churning target returns the same results within a cycle but not between cycles. The monitor learns its usual change;
only a larger change counts as a swap (decision procedure, section 2b).
"""

from __future__ import annotations

import math

from monitor.model.noise import Churn, CycleChange

LEARNED_CYCLES = 12
"""Number of pairs of cycles after which the usual change is known well enough."""
LEARNED_CHANGES = 4
"""Number of changed pairs that make a target churning; one or two changes are swaps."""
MEMORY = 480
"""Number of pairs of cycles that the estimates average over; later pairs change them slowly."""
ALLOWANCE, DEVIATIONS = 0.05, 6.0


def learn(churn: Churn, change: CycleChange) -> Churn:
    """The churn after one more pair of cycles: cumulative means at first, later a slow exponential average.

    A change beyond the usual ones counts as the largest usual one, so that a swap teaches little, and churn that grows
    permanently is learned in time.

    Parameters
    ----------
    churn
        The churn learned so far.
    change
        The change from the run before to this one.

    Examples
    --------
    >>> churn = learn(learn(Churn(), CycleChange(share=0.0, queries=100)), CycleChange(share=0.02, queries=100))
    >>> churn.cycles, churn.changed, churn.share
    (2, 1, 0.01)
    """
    weight = 1.0 / min(churn.cycles + 1, MEMORY)
    step = min(change.share, _largest_share(churn)) - churn.share
    names = churn.steps.keys() | change.steps.keys()
    squares = {name: min(abs(change.steps.get(name, 0.0)), _largest_step(churn, change, name)) ** 2 for name in names}
    return Churn(
        cycles=churn.cycles + 1,
        changed=churn.changed + (change.share > 0),
        share=churn.share + weight * step,
        variance=(1 - weight) * (churn.variance + weight * step**2),
        steps={
            name: churn.steps.get(name, 0.0) + weight * (squares[name] - churn.steps.get(name, 0.0))
            for name in sorted(names)
        },
    )


def is_learned(churn: Churn) -> bool:
    """Whether enough cycles were observed, with changes in enough of them, to call the target churning."""
    return churn.cycles >= LEARNED_CYCLES and churn.changed >= LEARNED_CHANGES


def is_usual(churn: Churn, change: CycleChange) -> bool:
    """Whether a change lies within the learned churn, in the share of rankings and in every run mean.

    The share may exceed its mean by the larger of 5 points and 6 standard deviations; a mean may move by 6 root
    mean squares of its usual step. Until the churn is learned, no change is usual.

    Examples
    --------
    >>> churn = Churn(cycles=48, changed=40, share=0.02, variance=1e-4, steps={"ndcg@10": 1e-6})
    >>> is_usual(churn, CycleChange(share=0.04, queries=500, steps={"ndcg@10": 0.002}))
    True
    >>> is_usual(churn, CycleChange(share=0.6, queries=500)), is_usual(Churn(), CycleChange(share=0.01, queries=500))
    (False, False)
    """
    if not is_learned(churn):
        return False
    return change.share <= _largest_share(churn) and all(
        abs(step) <= _largest_step(churn, change, name) for name, step in change.steps.items()
    )


def deviation(churn: Churn, series: str) -> float:
    """Standard deviation of a run's mean under churn, from the sizes of its steps.

    If each cycle replaces the share p of the results, the mean is a process with correlation (1 − p)^k at distance k,
    its steps have the variance 2σ²p, and so σ = rms(step) / √(2p).

    Examples
    --------
    >>> round(deviation(Churn(cycles=48, changed=48, share=0.02, steps={"ndcg@10": 4e-6}), "ndcg@10"), 4)
    0.01
    """
    return math.sqrt(churn.steps.get(series, 0.0) / (2 * churn.share)) if churn.share > 0 else 0.0


def correlation_cycles(churn: Churn) -> int:
    """Cycles after which most results have been replaced, 1/share: consecutive ones are not independent evidence.

    Examples
    --------
    >>> correlation_cycles(Churn(cycles=48, share=0.02)), correlation_cycles(Churn())
    (50, 1)
    """
    return max(1, round(1 / churn.share)) if churn.share > 0 else 1


def _largest_share(churn: Churn) -> float:
    return churn.share + max(ALLOWANCE, DEVIATIONS * math.sqrt(churn.variance) * _uncertainty(churn))


def _largest_step(churn: Churn, change: CycleChange, series: str) -> float:
    """The largest usual change of a run mean; at least six times the effect of one query."""
    usual = max(math.sqrt(churn.steps.get(series, 0.0)), 1.0 / max(change.queries, 1))
    return DEVIATIONS * usual * _uncertainty(churn)


def _uncertainty(churn: Churn) -> float:
    """Factor for the uncertainty of estimates from few cycles."""
    return 1 + 2 / math.sqrt(max(churn.cycles, 1))
