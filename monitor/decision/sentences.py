"""The sentences of a verdict's summary, for engineers on call."""

from __future__ import annotations

import math
from collections.abc import Sequence

from monitor.decision.trade_off import TradeOff
from monitor.evaluation.measures import parse
from monitor.model.policies import Policy
from monitor.model.suites import Axis
from monitor.model.verdicts import AxisSafety, Evidence
from monitor.statistics.pairing import OVERALL, POOLED, is_part

NAMED = 3
"""Number of strata named in a sentence; the others are counted."""


def drop(fallen: Sequence[Evidence]) -> str:
    """The largest drop with its interval and p-value; a whole axis takes precedence over a stratum."""
    whole = [each for each in fallen if each.stratum == OVERALL]
    headline = min(whole or fallen, key=lambda each: each.difference)
    controls = list(dict.fromkeys(each.stratum for each in fallen if each.is_control))
    others = len(fallen) - 1
    return (
        f"{place(headline)} fell {size(headline.difference, headline)}, "
        f"{headline.baseline_mean:.3f} → {headline.candidate_mean:.3f} "
        f"(95 % interval {size(headline.upper, headline, unit=False)} to {size(headline.lower, headline, unit=False)}, "
        f"adjusted p = {headline.p_worse_adjusted:.2g}, "
        f"{headline.n_queries} queries in {headline.n_clusters} clusters)"
        + (f", and {others} other measure{'s' if others > 1 else ''} fell too" if others else "")
        + (f"; the controls {_listed(controls)} are among them." if controls else ".")
    )


def gains(improved: Sequence[Evidence]) -> str:
    """What rose meanwhile, one whole axis after the other, with a space before it; empty without any."""
    rises = [
        f"{place(each)} rose {size(each.difference, each)}, {each.baseline_mean:.3f} → {each.candidate_mean:.3f} "
        f"(adjusted p = {each.p_better_adjusted:.2g})"
        for each in improved
    ]
    return f" Better: {'; '.join(rises)}." if rises else ""


def within_noise(fallen: Sequence[Evidence]) -> str:
    """A drop without a detected change of the target."""
    return f"{drop(fallen)} No change of the target was detected: this is within its usual noise and churn so far."


def trade_off(change: TradeOff, evidence: Sequence[Evidence], *, model_changed: bool) -> str:
    """The drop, the gain, the phenomena that did not move, and the controls that fell."""
    rise = change.risen
    others = [
        each
        for each in evidence
        if each.axis is Axis.COMPOSITIONAL
        and each.measure == rise.measure
        and is_part(each.stratum)
        and not each.is_control
    ]
    unmoved = [each.stratum for each in others if each.lower <= 0 <= each.upper]
    words = f"{drop(change.fallen)} Meanwhile {place(rise)} rose {size(rise.difference, rise)}"
    if unmoved:
        words += f"; {_listed(unmoved)} did not move"
    if change.lost_controls:
        drops = ", ".join(f"{each.stratum} −{size(each.difference, each)}" for each in change.lost_controls)
        words += f"; the gain is not real: a control stratum fell too ({drops})"
    return words + (": this is the trade-off of training for structure." if model_changed else ".")


def all_safe(gating: Sequence[Evidence], safety: Sequence[AxisSafety], policy: Policy) -> str:
    """Every axis is safe; the sentence names the largest drop."""
    lowest = min(gating, key=lambda each: each.difference) if gating else None
    margin = max(each.margin for each in safety)
    words = f"Every gating measure kept at least {1 - margin:.0%} of its baseline"
    if lowest is None or lowest.difference >= 0:
        return words + "."
    significant = ", significant" if lowest.p_worse_adjusted <= policy.alpha_page else ""
    return f"{words}; the largest drop is {place(lowest)}, {size(lowest.difference, lowest)}{significant}."


def watch(watched: Sequence[Evidence], policy: Policy) -> str:
    """A drop that is significant at the warning level, but not at the level of a page."""
    first = watched[0]
    return (
        f"Watch {place(first)}: it fell {size(first.difference, first)} (adjusted p = {first.p_worse_adjusted:.2g}), "
        f"which is significant at {policy.alpha_warn:g} but not at {policy.alpha_page:g}"
        + (f", and {len(watched) - 1} more." if len(watched) > 1 else ".")
    )


def inconclusive(
    gating: Sequence[Evidence], unsafe: Sequence[AxisSafety], safety: Sequence[AxisSafety], policy: Policy
) -> str:
    """Neither a drop nor safety is significant: the least certain measure, and the queries that would decide it."""
    widest = max(unsafe, key=lambda each: (each.queries_needed, -each.lower))
    overall = next((each for each in gating if (each.suite, each.measure) == (widest.suite, widest.measure)), None)
    is_sure = any(each.p_worse_adjusted <= policy.alpha_page for each in gating)
    lead = "No drop beyond the floors" if is_sure else "No significant drop"
    words = (
        f"{lead}, but {len(unsafe)} of {len(safety)} gating measures are not shown to be within "
        f"their margin; the least certain is {widest.axis} {widest.measure}"
    )
    if widest.worst_stratum:
        words += f" on {widest.worst_stratum}"
    if overall and math.isfinite(overall.mde_page):
        words += f" (a page detects drops from {size(overall.mde_page, overall)})"
    if widest.queries_needed:
        words += f"; {widest.queries_needed} queries in that stratum would decide it"
    return words + "."


def untested(gating: Sequence[Evidence], policy: Policy) -> str:
    """Names the strata with too few clusters to test; empty without any."""
    tested = {place_of_stratum(each) for each in gating if not math.isnan(each.p_worse)}
    names = sorted({place_of_stratum(each) for each in gating} - tested)
    return f" Not tested (fewer than {policy.min_clusters} clusters): {', '.join(names)}." if names else ""


def place(evidence: Evidence) -> str:
    """Axis, stratum and measure, as in “broad law ndcg@10”."""
    return f"{place_of_stratum(evidence)} {evidence.measure}"


def place_of_stratum(evidence: Evidence) -> str:
    """Axis and stratum; for the whole axis, its name alone."""
    return str(evidence.axis) if evidence.stratum in POOLED else f"{evidence.axis} {evidence.stratum}"


def size(value: float, evidence: Evidence, *, unit: bool = True) -> str:
    """The absolute size of a change in points, or in standard deviations for separation."""
    if not math.isfinite(value):
        return "∞"
    measure = parse(evidence.measure).measure
    if measure.absolute_floor is not None:
        return f"{abs(value):.2f}" + (f" {measure.unit}" if unit else "")
    return f"{abs(100 * value):.1f}" + (" points" if unit else "")


def _listed(names: Sequence[str]) -> str:
    listed = ", ".join(names[:NAMED])
    return f"{listed} and {len(names) - NAMED} more" if len(names) > NAMED else listed
