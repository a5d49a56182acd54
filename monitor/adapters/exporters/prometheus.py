"""Prometheus metrics over one immutable snapshot: a scrape computes nothing and touches no database.

Series that are no longer in the snapshot vanish by themselves. Labels are bounded: targets, suites, strata,
cutoffs and closed reasons, never a query, document or run.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from monitor.evaluation.scoring import stratum_means
from monitor.model import Measured, Outcome
from monitor.verdict import Evidence, Swap, Verdict, VerdictName

CONTENT_TYPE = CONTENT_TYPE_LATEST
_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_LABELS = ("target", "suite", "axis", "stratum", "k", "role")
_DIFFERENCE_LABELS = ("target", "suite", "axis", "stratum", "measure")

FAMILIES: dict[str, tuple[str, str]] = {
    "recall": ("recallwatch_recall_ratio", "Share of relevant documents among the first k hits, mean over queries."),
    "mrr": ("recallwatch_mrr_ratio", "Reciprocal rank of the first relevant document within k, mean over queries."),
    "ndcg": ("recallwatch_ndcg_ratio", "Normalised discounted cumulative gain at k, mean over queries."),
    "success": ("recallwatch_success_ratio", "Share of queries with a relevant document among the first k hits."),
    "pair_accuracy": (
        "recallwatch_pair_accuracy_ratio",
        "Share of pairs whose satisfying document ranks above the violating one.",
    ),
    "mirrored_accuracy": (
        "recallwatch_mirrored_accuracy_ratio",
        "Share of mirrored pairs with both queries right; chance is one quarter.",
    ),
}


@dataclass(frozen=True, slots=True)
class Seen:
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


Shown = tuple[Seen, Measured]


@dataclass(slots=True)
class Metrics:
    """Everything that is exported, and the registry that exports it."""

    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    seen: Mapping[str, Seen] = field(default_factory=dict)
    """The last cycle of each schedule: schedules of one target show side by side."""
    last_swap: dict[str, Swap] = field(default_factory=dict)
    last_success: dict[tuple[str, str], datetime] = field(default_factory=dict)
    """When a run of a target and suite last finished with enough coverage; a bad run does not erase it."""
    failures: Counter[tuple[str, str]] = field(default_factory=Counter)
    alerts: Counter[tuple[str, str]] = field(default_factory=Counter)
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)
    cycle_failures: Counter[str] = field(default_factory=Counter)
    durations: Histogram = field(init=False)

    def __post_init__(self) -> None:
        self.durations = Histogram(
            "recallwatch_probe_duration_seconds",
            "How long the target took to answer a probe.",
            ("target",),
            buckets=_BUCKETS_S,
            registry=self.registry,
        )
        self.registry.register(_Collector(self))

    def watch(self, target: str, outcome: Outcome) -> None:
        """Count one probe as it ends."""
        if outcome.failure is not None:
            self.failures[target, outcome.failure.reason] += 1
        elif outcome.ranking is not None:
            self.durations.labels(target).observe(outcome.duration_s)

    def publish(self, seen: Seen) -> None:
        """Replace what is shown of a schedule by its last cycle."""
        target = seen.verdict.target
        self.seen = {**self.seen, f"{target}/{seen.schedule}": seen}
        if seen.swap is not None:
            self.last_swap[target] = seen.swap
        for measured in seen.measured:
            if measured.counts.coverage >= seen.verdict.policy.coverage_floor:
                self.last_success[target, measured.suite.name] = seen.finished_at

    def render(self) -> bytes:
        """The exposition that Prometheus scrapes."""
        return generate_latest(self.registry)


class _Collector(Collector):
    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        cycles = sorted(self._metrics.seen.values(), key=lambda seen: seen.finished_at)
        targets = {seen.verdict.target: seen for seen in cycles}
        runs = {(seen.verdict.target, each.suite.name): (seen, each) for seen in cycles for each in seen.measured}
        measured = tuple(runs.values())
        yield from _measures(measured)
        yield from _differences(measured)
        yield from _runs(measured)
        yield from _targets(targets.values())
        yield from self._times(runs.keys())
        yield from self._counters()

    def _times(self, shown: Collection[tuple[str, str]]) -> Iterator[Metric]:
        success = GaugeMetricFamily(
            "recallwatch_run_last_success_timestamp_seconds",
            "When a run last finished with its coverage above the floor.",
            labels=("target", "suite"),
        )
        for labels, at in tuple(self._metrics.last_success.items()):
            if labels in shown:
                success.add_metric(labels, at.timestamp())
        swapped = GaugeMetricFamily(
            "recallwatch_swap_last_detected_timestamp_seconds", "When the target last changed.", labels=("target",)
        )
        for target, swap in tuple(self._metrics.last_swap.items()):
            swapped.add_metric((target,), swap.detected_at.timestamp())
        yield from (success, swapped)

    def _counters(self) -> Iterator[Metric]:
        metrics = self._metrics
        yield _counter("recallwatch_probe_failures", "Failed probes.", ("target", "reason"), metrics.failures)
        yield _counter("recallwatch_alerts", "Alerts delivered.", ("notifier", "state"), metrics.alerts)
        yield _counter(
            "recallwatch_notifications_failed", "Deliveries refused.", ("notifier", "reason"), metrics.refused
        )
        cycles = CounterMetricFamily("recallwatch_cycle_failures", "Cycles that ended in an error.", labels=("target",))
        for target, count in tuple(metrics.cycle_failures.items()):
            cycles.add_metric((target,), count)
        yield cycles

    def describe(self) -> Iterable[Metric]:
        """Nothing: a registry that asks at registration would compute a scrape."""
        return ()


def _measures(shown: Iterable[Shown]) -> Iterator[Metric]:
    families = {name: GaugeMetricFamily(metric, text, labels=_LABELS) for name, (metric, text) in FAMILIES.items()}
    for seen, measured in shown:
        target, suite = seen.verdict.target, measured.suite
        for stratum, measure, value in stratum_means(measured):
            family, _, k = measure.partition("@")
            families[family].add_metric((target, suite.name, suite.axis, stratum, k, "candidate"), value)
        for evidence in seen.evidence_of(suite.name):
            family, _, k = evidence.measure.partition("@")
            labels = (target, suite.name, suite.axis, evidence.stratum, k, "baseline")
            families[family].add_metric(labels, evidence.baseline_mean)
    yield from families.values()


def _differences(shown: tuple[Shown, ...]) -> Iterator[Metric]:
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


def _labels_of(target: str, evidence: Evidence) -> tuple[str, ...]:
    return target, evidence.suite, evidence.axis, evidence.stratum, evidence.measure


def _targets(seen: Iterable[Seen]) -> Iterator[Metric]:
    verdict = GaugeMetricFamily(
        "recallwatch_verdict", "1 for the verdict that holds, 0 for the others.", labels=("target", "verdict")
    )
    incident = GaugeMetricFamily("recallwatch_incident_open", "Whether an incident lasts.", labels=("target",))
    for each in seen:
        for name in VerdictName:
            verdict.add_metric((each.verdict.target, name), float(each.verdict.name is name))
        incident.add_metric((each.verdict.target,), float(each.incident_open))
    yield from (verdict, incident)


def _runs(shown: Iterable[Shown]) -> Iterator[Metric]:
    coverage = GaugeMetricFamily(
        "recallwatch_coverage_ratio", "Share of probes that brought something back.", labels=("target", "suite")
    )
    judged = GaugeMetricFamily(
        "recallwatch_judged_ratio", "Share of retrieved documents with a judgement.", labels=("target", "suite")
    )
    deployment = InfoMetricFamily("recallwatch_deployment", "What the target serves.", labels=("target", "suite"))
    for seen, measured in shown:
        labels = (seen.verdict.target, measured.suite.name)
        coverage.add_metric(labels, measured.counts.coverage)
        if math.isfinite(measured.judged_share):
            judged.add_metric(labels, measured.judged_share)
        deployment.add_metric(labels, {"deployment": measured.run.deployment[:64]})
    yield from (coverage, judged, deployment)


def _counter(name: str, text: str, labels: tuple[str, str], counted: Counter[tuple[str, str]]) -> Metric:
    family = CounterMetricFamily(name, text, labels=labels)
    for key, value in tuple(counted.items()):
        family.add_metric(key, value)
    return family
