"""Prometheus metric families of a finished cycle, formatted once when it is published, not on each scrape."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from monitor.evaluation.measures import FAMILIES, parse
from monitor.evaluation.scoring import stratum_means
from monitor.model.deployments import Swap
from monitor.model.measurements import Measured
from monitor.model.verdicts import Evidence, Verdict, VerdictName

_RUN = ("target", "suite")
_DIFFERENCE_LABELS = (*_RUN, "axis", "stratum", "measure")

INDEX_RECALL = "index_recall"
Block = Mapping[str, bytes]
"""Compressed sample lines of some families in the text format; those of a large fleet are tens of megabytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CycleResult:
    """A finished cycle."""

    verdict: Verdict
    measured: tuple[Measured, ...]
    incident_open: bool
    finished_at: datetime
    swap: Swap | None = None
    schedule: str = ""

    def evidence_of(self, suite: str) -> tuple[Evidence, ...]:
        """The verdict's evidence about one suite."""
        return tuple(each for each in self.verdict.evidence if each.suite == suite)


@cache
def headers() -> Mapping[str, bytes]:
    """Help text and type of every family that a cycle fills, in output order."""
    return {family.name: _text(family) for family in empty()}


def empty() -> list[Metric]:
    """Every family that a cycle fills, without a sample."""
    return [*_verdicts(()), *_runs(()), *_measures(()), *_differences(()), *_insights(()), *_chains(())]


def verdict_block(result: CycleResult) -> Block:
    """The samples of a cycle about its target as a whole."""
    return _lines(_verdicts((result,)))


def run_block(result: CycleResult, measured: Measured) -> Block:
    """The samples of a cycle about one of its suites."""
    runs = ((result, measured),)
    return _lines((*_runs(runs), *_measures(runs), *_differences(runs), *_insights(runs), *_chains(runs)))


class _SingleFamily(Collector):
    def __init__(self, family: Metric) -> None:
        self._family = family

    def collect(self) -> Iterable[Metric]:
        return (self._family,)


def _text(family: Metric) -> bytes:
    return generate_latest(_SingleFamily(family))


def _lines(families: Iterable[Metric]) -> Block:
    header = headers()
    return {
        family.name: zlib.compress(_text(family).removeprefix(header[family.name]), level=1)
        for family in families
        if family.samples
    }


def _verdicts(cycles: Iterable[CycleResult]) -> Iterator[Metric]:
    verdict = GaugeMetricFamily(
        "recallwatch_verdict", "1 for the current verdict, 0 for the others.", labels=("target", "verdict")
    )
    incident = GaugeMetricFamily("recallwatch_incident_open", "Whether an incident is open.", labels=("target",))
    watched = GaugeMetricFamily(
        "recallwatch_watched_measures",
        "Measures that fell beyond their floors, significantly at the warning level but not at that of a page.",
        labels=("target",),
    )
    for result in cycles:
        watched.add_metric((result.verdict.target,), len(result.verdict.watched))
        for name in VerdictName:
            verdict.add_metric((result.verdict.target, name), float(result.verdict.name is name))
        incident.add_metric((result.verdict.target,), float(result.incident_open))
    yield from (verdict, incident, watched)


def _runs(runs: Iterable[tuple[CycleResult, Measured]]) -> Iterator[Metric]:
    coverage = GaugeMetricFamily("recallwatch_coverage_ratio", "Share of probes that did not fail.", labels=_RUN)
    floor = GaugeMetricFamily(
        "recallwatch_coverage_floor_ratio", "Coverage below which the policy does not evaluate quality.", labels=_RUN
    )
    margin = GaugeMetricFamily(
        "recallwatch_margin_ratio", "Tolerated drop relative to the baseline, by the policy.", labels=_RUN
    )
    queries = GaugeMetricFamily(
        "recallwatch_run_queries", "Queries of the latest run by outcome.", labels=(*_RUN, "outcome")
    )
    judged = GaugeMetricFamily(
        "recallwatch_judged_ratio", "Share of retrieved documents with a judgement.", labels=_RUN
    )
    answers = GaugeMetricFamily(
        "recallwatch_run_answers",
        "Answers of the latest run by outcome; abstained, empty and ungraded answers are included in scored.",
        labels=(*_RUN, "outcome"),
    )
    deployment = InfoMetricFamily("recallwatch_deployment", "The deployment that the target serves.", labels=_RUN)
    for result, measured in runs:
        labels, counts = (result.verdict.target, measured.suite.name), measured.counts
        coverage.add_metric(labels, counts.coverage)
        floor.add_metric(labels, result.verdict.policy.coverage_floor)
        margin.add_metric(labels, result.verdict.policy.margin)
        for outcome, count in (("scored", counts.scored), ("failed", counts.failed), ("skipped", counts.skipped)):
            queries.add_metric((*labels, outcome), count)
        if math.isfinite(measured.judged_share):
            judged.add_metric(labels, measured.judged_share)
        if measured.replies is not None:
            for outcome in ("scored", "failed", "abstained", "empty", "ungraded"):
                answers.add_metric((*labels, outcome), getattr(measured.replies, outcome))
        deployment.add_metric(labels, {"deployment": measured.run.deployment[:64]})
    yield from (coverage, floor, margin, queries, judged, answers, deployment)


def _measures(runs: Iterable[tuple[CycleResult, Measured]]) -> Iterator[Metric]:
    families = {
        family.metric: GaugeMetricFamily(
            family.metric, family.help, labels=(*_RUN, "axis", "stratum", family.label, "role")
        )
        for family in FAMILIES.values()
    }
    for result, measured in runs:
        target, suite = result.verdict.target, measured.suite
        for stratum, measure, value in stratum_means(measured):
            family, cutoff = _family(measure)
            families[family].add_metric((target, suite.name, suite.axis, stratum, cutoff, "candidate"), value)
        for evidence in result.evidence_of(suite.name):
            family, cutoff = _family(evidence.measure)
            labels = (target, suite.name, suite.axis, evidence.stratum, cutoff, "baseline")
            families[family].add_metric(labels, evidence.baseline_mean)
    yield from families.values()


def _family(name: str) -> tuple[str, str]:
    """The metric family of a measure, and the value of the label that distinguishes it there: cutoff or scorer."""
    measure, k = parse(name)
    if measure.family.label == "scorer":
        return measure.family.metric, name.removeprefix("answer_")
    return measure.family.metric, "" if k is None else str(k)


def _differences(runs: tuple[tuple[CycleResult, Measured], ...]) -> Iterator[Metric]:
    text = "Candidate minus baseline, mean over paired queries; negative is worse"
    fields = {
        "difference": (f"{text}.", "recallwatch_difference_ratio"),
        "lower": (f"{text}: lower bound of the 95 % interval.", "recallwatch_difference_lower_ratio"),
        "upper": (f"{text}: upper bound of the 95 % interval.", "recallwatch_difference_upper_ratio"),
        "mde_page": ("Smallest true drop that pages with 80 % power.", "recallwatch_mde_ratio"),
    }
    for name, (description, metric) in fields.items():
        gauge = GaugeMetricFamily(metric, description, labels=_DIFFERENCE_LABELS)
        for result, measured in runs:
            for evidence in result.evidence_of(measured.suite.name):
                value = getattr(evidence, name)
                if math.isfinite(value):
                    gauge.add_metric(_labels_of(result.verdict.target, evidence), value)
        yield gauge


def _insights(runs: Iterable[tuple[CycleResult, Measured]]) -> Iterator[Metric]:
    share = GaugeMetricFamily(
        "recallwatch_answer_attribution_ratio",
        "Share of the change in answer scores that a component explains; the shares add up to the change.",
        labels=(*_RUN, "scorer", "component"),
    )
    room = GaugeMetricFamily(
        "recallwatch_headroom_ratio",
        "Share of queries by the position of their last needed evidence, relative to the answerer's contexts.",
        labels=(*_RUN, "zone"),
    )
    moved = GaugeMetricFamily(
        "recallwatch_headroom_difference_ratio",
        "Change of the share of queries by the position of their last needed evidence, compared with the baseline.",
        labels=(*_RUN, "zone"),
    )
    hits = GaugeMetricFamily(
        "recallwatch_hits_returned",
        "Mean number of hits for a query, where the retriever returns fewer than requested.",
        labels=(*_RUN, "role"),
    )
    index = GaugeMetricFamily(
        "recallwatch_index_recall_ratio",
        "Share of the top hits of an exact search that the index returned, on the canaries; needs vectors.",
        labels=_RUN,
    )
    for result, measured in runs:
        labels = (result.verdict.target, measured.suite.name)
        recall = result.verdict.insights.get(INDEX_RECALL, {}).get(measured.suite.name)
        if recall is not None:
            index.add_metric(labels, recall)
        insights = result.verdict.insights.get(measured.suite.name, {})
        for attribution in insights.get("attribution", ()):
            scorer = attribution["measure"].removeprefix("answer_")
            for component in attribution["shares"]:
                share.add_metric((*labels, scorer, component["name"]), component["difference"])
        headroom = insights.get("headroom") or {}
        for family, values in ((room, headroom.get("shares")), (moved, headroom.get("differences"))):
            for zone, value in (values or {}).items():
                if value is not None:
                    family.add_metric((*labels, zone), value)
        if cut := headroom.get("cut"):
            hits.add_metric((*labels, "baseline"), cut["hits_before"])
            hits.add_metric((*labels, "candidate"), cut["hits"])
    yield from (share, room, moved, hits, index)


def _chains(runs: Iterable[tuple[CycleResult, Measured]]) -> Iterator[Metric]:
    chain = GaugeMetricFamily(
        "recallwatch_chain_loss_ratio",
        "Relative loss of whole chains and of single hops, compared with the baseline.",
        labels=(*_RUN, "of"),
    )
    factor = GaugeMetricFamily(
        "recallwatch_chain_compounding_factor",
        "Relative loss of chains over that of single hops, with its 95 % interval.",
        labels=(*_RUN, "bound"),
    )
    hops = GaugeMetricFamily(
        "recallwatch_chain_hop_success_ratio",
        "Share of hops that find their evidence: by themselves (own), and with the answers of their chain (chain).",
        labels=(*_RUN, "hop", "question", "role"),
    )
    for result, measured in runs:
        labels = (result.verdict.target, measured.suite.name)
        chains = result.verdict.insights.get(measured.suite.name, {}).get("chains") or {}
        for of in ("hop", "chain"):
            if (loss := chains.get(f"{of}_loss")) is not None:
                chain.add_metric((*labels, of), loss)
        bounds = (chains.get("factor"), *chains.get("factor_interval", ()))
        for bound, value in zip(("estimate", "lower", "upper"), bounds, strict=False):
            if value is not None:
                factor.add_metric((*labels, bound), value)
        for hop_labels, value in _hops(chains):
            hops.add_metric((*labels, *hop_labels), value)
    yield from (chain, factor, hops)


def _hops(chains: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str, str], float]]:
    """Success by hop, question and role; verdicts of older versions have no questions."""
    for role, run in (("baseline", "before"), ("candidate", "after")):
        by_question = chains.get("success_by_hop", {}).get(run)
        for question, values in by_question.items() if isinstance(by_question, dict) else ():
            for number, value in enumerate(values, start=1):
                yield (str(number), question, role), value


def _labels_of(target: str, evidence: Evidence) -> tuple[str, ...]:
    return target, evidence.suite, evidence.axis, evidence.stratum, evidence.measure
