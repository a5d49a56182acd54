"""Intervals of shares, from one value for each query, with clusters as the units."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from monitor.diagnosis.shares import Attribution, Component, Share
from monitor.errors import ComparisonError
from monitor.model.measurements import Floats
from monitor.model.suites import Axis
from monitor.statistics.pairing import OVERALL, Paired
from monitor.statistics.power import intra_cluster_correlation
from monitor.statistics.significance import interval, standard_error


@dataclass(frozen=True, slots=True)
class Anchors:
    """Scores that a judge gave to the same frozen answers in both runs, in [0, 1], shape (n_anchors,) each."""

    before: ArrayLike
    after: ArrayLike


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A share as one value for each query. Its mean is the share; the values of all parts add up to the difference."""

    values: Floats
    extra: float = 0.0
    """Additional variance of the share."""
    reach: tuple[float, float] = (0.0, 0.0)
    """Distance to the lowest and highest possible share, if no query identifies it."""
    ruler: float = 0.0
    """Part of the shift of the judge that the share contains; it is subtracted."""
    estimated: int = 0
    """Degrees of freedom that the estimate of other means costs."""


class _Sampled(NamedTuple):
    """A mean over clusters, its variance and the degrees of freedom of the variance."""

    mean: float
    variance: float
    freedom: float


def attribution(
    method: str,
    answers: Paired,
    parts: Mapping[Component, Part],
    note: str,
    anchors: Anchors | None,
    confidence: float,
) -> Attribution:
    """The parts as shares with intervals; with anchors, the shift of the judge is a further share."""
    shift = _shift(anchors) if anchors else None
    shares = [Share(name, *estimate(answers, part, shift, confidence=confidence)) for name, part in parts.items()]
    if shift:
        shares.append(Share(Component.JUDGE, *_bounded([shift], confidence)))
        note = "; ".join(filter(None, (note, "the shift of the judge is assumed to be equal on all answers")))
    lower, upper = interval(answers, confidence=confidence)
    return Attribution(
        method=method,
        difference=float(answers.differences.mean()),
        lower=lower,
        upper=upper,
        shares=tuple(shares),
        n_queries=answers.n_queries,
        n_clusters=answers.n_clusters,
        note=note,
    )


def estimate(
    answers: Paired, part: Part, shift: _Sampled | None = None, *, confidence: float
) -> tuple[float, float, float]:
    """A share without the shift of the judge, and the bounds of its t interval.

    The interval is a point if nothing changed, and infinite with a single cluster or anchor.
    """
    samples = [_sampled(answers, part.values, part.extra, part.estimated)]
    if shift and part.ruler:
        samples.append(_Sampled(-part.ruler * shift.mean, part.ruler**2 * shift.variance, shift.freedom))
    mean, lower, upper = _bounded(samples, confidence)
    return mean, lower + part.reach[0], upper + part.reach[1]


def _shift(anchors: Anchors) -> _Sampled:
    """The shift of the judge; its variance includes one more anchor with the largest possible shift."""
    paired = paired_scores(anchors.before, anchors.after, range(np.size(anchors.before)), of="anchor")
    moved = paired.differences
    return _sampled(paired, moved, ((1 + abs(moved.mean())) / len(moved)) ** 2 if moved.any() else 0.0)


def _sampled(paired: Paired, values: Floats, extra: float, estimated: int = 0) -> _Sampled:
    mean = float(values.mean())
    if not values.any() and not extra:
        return _Sampled(mean, 0.0, 1.0)
    if paired.n_clusters < 2:
        return _Sampled(mean, math.inf, 1.0)
    error = standard_error(replace(paired, baseline=np.zeros_like(values), candidate=values))
    return _Sampled(mean, error**2 + extra, max(_freedom(paired, values) - estimated, 1.0))


def _freedom(paired: Paired, values: Floats) -> float:
    """Degrees of freedom of a variance over clusters; n_clusters - 1 for clusters of equal size.

    The sum of a large cluster varies more, depending on the correlation of its queries, so a few clusters may dominate.

    References
    ----------
    Satterthwaite 1946, An approximate distribution of estimates of variance components.
    """
    sizes = paired.sum_by_cluster(np.ones(paired.n_queries))
    variances = sizes * (1 + (sizes - 1) * max(intra_cluster_correlation(values, paired.cluster), 0.0))
    return max(float(variances.sum() ** 2 / (variances**2).sum()) - 1, 1.0)


def _bounded(samples: Sequence[_Sampled], confidence: float) -> tuple[float, float, float]:
    """Sum of independent means and the bounds of its t interval (Welch 1947)."""
    mean, variance = sum(each.mean for each in samples), sum(each.variance for each in samples)
    if not 0 < variance < math.inf:
        return mean, mean - variance, mean + variance
    freedom = variance**2 / sum(each.variance**2 / each.freedom for each in samples)
    half = float(special.stdtrit(freedom, (1 + confidence) / 2)) * math.sqrt(variance)
    return mean, mean - half, mean + half


def paired_scores(before: ArrayLike, after: ArrayLike, cluster: ArrayLike, *, of: str = "query") -> Paired:
    """Scores of the same queries in two runs, as a pairing without suite, stratum and measure."""
    names, number = np.unique(np.asarray(cluster), return_inverse=True)
    if not len(number):
        raise ComparisonError(f"no {of} was scored in both runs: nothing can be attributed")
    old, new = checked(before, len(number)), checked(after, len(number))
    return Paired(
        suite="",
        axis=Axis.BROAD,
        stratum=OVERALL,
        measure="",
        gating=False,
        baseline=old,
        candidate=new,
        cluster=number,
        cluster_names=tuple(map(str, names.tolist())),
    )


def checked(values: ArrayLike, count: int) -> Floats:
    """The values as an array of shape (count,) in [0, 1]. Raises ValueError for another shape or range."""
    checked = np.asarray(values, dtype=np.float64)
    if checked.shape != (count,):
        raise ValueError(f"the shape is {checked.shape}; one value is required for each of {count} queries")
    if not ((checked >= 0) & (checked <= 1)).all():
        raise ValueError("a score is missing or outside [0, 1]: leave its query out of both runs, or scale the scores")
    return checked
