"""The findings that an alert leads with: the drop, its strata, the gain of structure, the cause and the blame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from monitor.decision.trade_off import GAINS
from monitor.evaluation.measures import parse
from monitor.model.causes import CauseName
from monitor.model.incidents import Change
from monitor.model.suites import Axis
from monitor.model.verdicts import Evidence
from monitor.statistics.pairing import OVERALL, PHENOMENA, POOLED, is_part

_PARTS = {
    CauseName.MODEL_CHANGED: "model",
    CauseName.INDEX_CHANGED: "index",
    CauseName.CORPUS_CHANGED: "corpus",
    CauseName.CONFIGURATION_CHANGED: "configuration",
}
"""The causes of a drop that an alert rules out by name."""


def headline_of(fallen: Sequence[Evidence]) -> Evidence | None:
    """The drop that an alert leads with; None if nothing fell.

    The broad axis comes before the others, a whole axis before a stratum, recall before other measures, because its
    points are answers that users no longer find; then the largest drop.
    """
    return min(fallen, key=_precedence, default=None)


def in_order(fallen: Sequence[Evidence]) -> list[Evidence]:
    """The drops in the order of the headline: the whole of each axis first."""
    return sorted(fallen, key=_precedence)


def strata_of(headline: Evidence, evidence: Sequence[Evidence]) -> list[Evidence]:
    """The headline's measure in each stratum of its suite, the largest drop first."""
    place = (headline.suite, headline.measure)
    strata = [each for each in evidence if (each.suite, each.measure) == place and is_part(each.stratum)]
    return sorted(strata, key=lambda each: each.difference)


def structure_of(evidence: Sequence[Evidence]) -> Evidence | None:
    """The most sensitive measure of structure over all phenomena; None without a compositional suite."""
    pooled = [each for each in evidence if each.axis is Axis.COMPOSITIONAL and each.stratum in (OVERALL, PHENOMENA)]
    by_measure = {each.measure: each for each in sorted(pooled, key=lambda each: each.stratum == PHENOMENA)}
    return next((by_measure[each.name] for each in GAINS if each.name in by_measure), None)


def cause_of(change: Change) -> dict[str, Any]:
    """The likely cause, its evidence, and the parts that it rules out; without a cause only the extent."""
    is_known = bool(change.cause)
    excluded = [part for name, part in _PARTS.items() if is_known and name.label not in change.cause]
    return {
        "likely": change.cause or None,
        "evidence": change.evidence or None,
        "excluded": excluded,
        "share_changed": change.share_changed,
    }


def blame_of(headline: Evidence | None, insights: Mapping[str, Any]) -> dict[str, Any] | None:
    """The shares of retrieval, generation and judge in the largest significant drop of answers, which add up to 1.

    A negative share worked against the drop. Where no answers were probed, retrieval is all that was measured and
    ``measure`` is null. None if only answers fell, and their drop was not attributed.
    """
    attributions = [
        each
        for explanations in insights.values()
        if isinstance(explanations, Mapping)
        for each in explanations.get("attribution") or ()
        if (each.get("upper") or 0) < 0
    ]
    if not attributions:
        is_of_retrieval = headline is not None and not parse(headline.measure).measure.needs.is_answer
        return {"shares": {"retrieval": 1.0}, "measure": None, "sentence": None} if is_of_retrieval else None
    worst = min(attributions, key=lambda each: float(each["difference"]))
    shares = {each["name"]: each["difference"] / worst["difference"] for each in worst["shares"]}
    return {"shares": shares, "measure": worst["measure"], "sentence": worst.get("sentence")}


def _precedence(evidence: Evidence) -> tuple[bool, bool, bool, float]:
    is_recall = parse(evidence.measure).measure.name == "recall"
    return evidence.axis is not Axis.BROAD, evidence.stratum not in POOLED, not is_recall, evidence.difference
