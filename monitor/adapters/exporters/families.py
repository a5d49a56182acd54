"""A finished cycle as Prometheus metric families: written out once, when it is published, and never by a scrape."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache

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

Block = Mapping[str, bytes]
"""The sample lines of some families, in the text format, compressed: a large fleet is tens of megabytes of text."""


@dataclass(frozen=True, slots=True)
class CycleResult:
    """A cycle that has finished."""

    verdict: Verdict
    measured: tuple[Measured, ...]
    incident_open: bool
    finished_at: datetime
    swap: Swap | None = None
    schedule: str = ""

    def evidence_of(self, suite: str) -> tuple[Evidence, ...]:
        """The part of the verdict's evidence that is about one suite."""
        return tuple(each for each in self.verdict.evidence if each.suite == suite)


@cache
def headers() -> Mapping[str, bytes]:
    """Help text and type of every family that a cycle fills, in the order in which they are shown."""
    return {family.name: _text(family) for family in empty()}


def empty() -> list[Metric]:
    """Every family that a cycle fills, without a sample."""
    return [*_verdicts(()), *_runs(()), *_measures(()), *_differences(()), *_insights(())]


def verdict_block(seen: CycleResult) -> Block:
    """What a cycle says about its target as a whole."""
    return _lines(_verdicts((seen,)))


def run_block(seen: CycleResult, measured: Measured) -> Block:
    """What a cycle says about one of its suites."""
    shown = ((seen, measured),)
    return _lines((*_runs(shown), *_measures(shown), *_differences(shown), *_insights(shown)))


class _Alone(Collector):
    def __init__(self, family: Metric) -> None:
        self._family = family

    def collect(self) -> Iterable[Metric]:
        return (self._family,)


def _text(family: Metric) -> bytes:
    return generate_latest(_Alone(family))


def _lines(families: Iterable[Metric]) -> Block:
    header = headers()
    return {
        family.name: zlib.compress(_text(family).removeprefix(header[family.name]), level=1)
        for family in families
        if family.samples
    }


def _verdicts(cycles: Iterable[CycleResult]) -> Iterator[Metric]:
    verdict = GaugeMetricFamily(
        "recallwatch_verdict", "1 for the verdict that holds, 0 for the others.", labels=("target", "verdict")
    )
    incident = GaugeMetricFamily("recallwatch_incident_open", "Whether an incident lasts.", labels=("target",))
    for each in cycles:
        for name in VerdictName:
            verdict.add_metric((each.verdict.target, name), float(each.verdict.name is name))
        incident.add_metric((each.verdict.target,), float(each.incident_open))
    yield from (verdict, incident)


def _runs(shown: Iterable[tuple[CycleResult, Measured]]) -> Iterator[Metric]:
    coverage = GaugeMetricFamily(
        "recallwatch_coverage_ratio", "Share of probes that brought something back.", labels=_RUN
    )
    floor = GaugeMetricFamily(
        "recallwatch_coverage_floor_ratio", "Coverage below which nothing is judged, by the policy.", labels=_RUN
    )
    margin = GaugeMetricFamily(
        "recallwatch_margin_ratio", "Share of the baseline that may be lost, by the policy.", labels=_RUN
    )
    queries = GaugeMetricFamily(
        "recallwatch_run_queries", "Where the queries of the last run went.", labels=(*_RUN, "outcome")
    )
    judged = GaugeMetricFamily(
        "recallwatch_judged_ratio", "Share of retrieved documents with a judgement.", labels=_RUN
    )
    answers = GaugeMetricFamily(
        "recallwatch_run_answers",
        "Where the answers of the last run went; those abstained, empty and ungraded are among those scored.",
        labels=(*_RUN, "outcome"),
    )
    deployment = InfoMetricFamily("recallwatch_deployment", "What the target serves.", labels=_RUN)
    for seen, measured in shown:
        labels, counts = (seen.verdict.target, measured.suite.name), measured.counts
        coverage.add_metric(labels, counts.coverage)
        floor.add_metric(labels, seen.verdict.policy.coverage_floor)
        margin.add_metric(labels, seen.verdict.policy.margin)
        for outcome, count in (("scored", counts.scored), ("failed", counts.failed), ("skipped", counts.skipped)):
            queries.add_metric((*labels, outcome), count)
        if math.isfinite(measured.judged_share):
            judged.add_metric(labels, measured.judged_share)
        if measured.replies is not None:
            for outcome in ("scored", "failed", "abstained", "empty", "ungraded"):
                answers.add_metric((*labels, outcome), getattr(measured.replies, outcome))
        deployment.add_metric(labels, {"deployment": measured.run.deployment[:64]})
    yield from (coverage, floor, margin, queries, judged, answers, deployment)


def _measures(shown: Iterable[tuple[CycleResult, Measured]]) -> Iterator[Metric]:
    families = {
        family.metric: GaugeMetricFamily(
            family.metric, family.help, labels=(*_RUN, "axis", "stratum", family.label, "role")
        )
        for family in FAMILIES.values()
    }
    for seen, measured in shown:
        target, suite = seen.verdict.target, measured.suite
        for stratum, measure, value in stratum_means(measured):
            family, cutoff = _family(measure)
            families[family].add_metric((target, suite.name, suite.axis, stratum, cutoff, "candidate"), value)
        for evidence in seen.evidence_of(suite.name):
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


def _differences(shown: tuple[tuple[CycleResult, Measured], ...]) -> Iterator[Metric]:
    what = "Candidate minus baseline, mean over paired queries; negative is worse"
    fields = {
        "difference": (f"{what}.", "recallwatch_difference_ratio"),
        "lower": (f"{what}: lower end of the 95 % interval.", "recallwatch_difference_lower_ratio"),
        "upper": (f"{what}: upper end of the 95 % interval.", "recallwatch_difference_upper_ratio"),
        "mde": ("Smallest true drop found with 80 % power.", "recallwatch_mde_ratio"),
    }
    for name, (text, metric) in fields.items():
        gauge = GaugeMetricFamily(metric, text, labels=_DIFFERENCE_LABELS)
        for seen, measured in shown:
            for evidence in seen.evidence_of(measured.suite.name):
                value = getattr(evidence, name)
                if math.isfinite(value):
                    gauge.add_metric(_labels_of(seen.verdict.target, evidence), value)
        yield gauge


def _insights(shown: Iterable[tuple[CycleResult, Measured]]) -> Iterator[Metric]:
    share = GaugeMetricFamily(
        "recallwatch_answer_attribution_ratio",
        "Part of the change of the answers that a component explains; the parts add up to the change.",
        labels=(*_RUN, "scorer", "component"),
    )
    room = GaugeMetricFamily(
        "recallwatch_headroom_ratio",
        "Share of queries by where the last evidence they need lies, against the contexts that the answerer reads.",
        labels=(*_RUN, "zone"),
    )
    chain = GaugeMetricFamily(
        "recallwatch_chain_loss_ratio",
        "Relative loss against the baseline of whole chains, and of their single hops.",
        labels=(*_RUN, "of"),
    )
    index = GaugeMetricFamily(
        "recallwatch_index_recall_ratio",
        "Share of what an exact search ranks first that the index returned, on the canaries, where it can be told.",
        labels=_RUN,
    )
    for seen, measured in shown:
        labels = (seen.verdict.target, measured.suite.name)
        recall = seen.verdict.insights.get("index_recall", {}).get(measured.suite.name)
        if recall is not None:
            index.add_metric(labels, recall)
        found = seen.verdict.insights.get(measured.suite.name, {})
        for told in found.get("attribution", ()):
            for each in told["shares"]:
                scorer = told["measure"].removeprefix("answer_")
                share.add_metric((*labels, scorer, each["name"]), each["difference"])
        for zone, value in ((found.get("headroom") or {}).get("shares") or {}).items():
            room.add_metric((*labels, zone), value)
        for of in ("hop", "chain"):
            if (lost := (found.get("chains") or {}).get(f"{of}_loss")) is not None:
                chain.add_metric((*labels, of), lost)
    yield from (share, room, chain, index)


def _labels_of(target: str, evidence: Evidence) -> tuple[str, ...]:
    return target, evidence.suite, evidence.axis, evidence.stratum, evidence.measure
