"""Prometheus metrics over an immutable snapshot: a scrape computes nothing and queries no database.

The samples of a cycle are formatted when the cycle is published; a scrape joins them. Series that leave the snapshot
disappear. Labels are bounded: targets, suites, strata, cutoffs and closed reasons, never a query, document or run.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from prometheus_client import CollectorRegistry, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from monitor import __version__
from monitor.adapters.exporters.audit import AuditMetrics
from monitor.adapters.exporters.families import Block, CycleResult, empty, headers
from monitor.adapters.exporters.run_blocks import RunBlocks
from monitor.adapters.exporters.service import Outbox, ServiceHealth, unacknowledged
from monitor.adapters.exporters.storage import StorageMetrics
from monitor.errors import Reason
from monitor.model.alerts import AlertState
from monitor.model.deployments import Swap
from monitor.model.incidents import Incident, Tally
from monitor.model.runs import Outcome

__all__ = ["CONTENT_TYPE", "CycleResult", "Metrics", "Outbox", "Planned"]

CONTENT_TYPE = CONTENT_TYPE_LATEST
_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


@dataclass(frozen=True, slots=True)
class Planned:
    """The target, suites and interval of a schedule."""

    target: str
    suites: tuple[str, ...]
    interval_s: float
    """The longest time between two scheduled cycles."""


@dataclass(slots=True)
class Metrics:
    """All exported values and their registry."""

    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    """Values that change between cycles: counters, times, the health of the daemon."""
    planned: Mapping[str, Planned] = field(default_factory=dict)
    results: Mapping[str, CycleResult] = field(default_factory=dict)
    """The latest cycle of each schedule, without its rankings and evidence."""
    last_swap: dict[str, Swap] = field(default_factory=dict)
    last_success: dict[tuple[str, str], datetime] = field(default_factory=dict)
    """Time of the latest run of a target and suite with sufficient coverage."""
    failures: Counter[tuple[str, str]] = field(default_factory=Counter)
    alerts: Counter[tuple[str, str]] = field(default_factory=Counter)
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)
    cycle_failures: Counter[str] = field(default_factory=Counter)
    due: dict[str, datetime] = field(default_factory=dict)
    """Start time of the next cycle of each schedule."""
    cycle_seconds: dict[str, float] = field(default_factory=dict)
    started_at: datetime | None = None
    outbox: Outbox | None = None
    dead_letters: Counter[tuple[str, str]] = field(default_factory=Counter)
    tallies: Sequence[Tally] = ()
    incidents: Sequence[Incident] = ()
    """Active incidents."""
    no_data: Mapping[tuple[str, str], bool] = field(default_factory=dict)
    """Target and schedule to whether the schedule is overdue."""
    database_errors: int = 0
    reload_succeeded: bool | None = None
    service: ServiceHealth = field(default_factory=ServiceHealth)
    storage: StorageMetrics = field(default_factory=StorageMetrics)
    audit: AuditMetrics = field(default_factory=AuditMetrics)
    durations: Histogram = field(init=False)
    _blocks: Mapping[tuple[str, str], tuple[str, Block]] = field(default_factory=dict)
    """By target and suite, each with its schedule; samples about a whole target have no suite."""
    _run_blocks: RunBlocks = field(default_factory=RunBlocks)

    def __post_init__(self) -> None:
        self.durations = Histogram(
            "recallwatch_probe_duration_seconds",
            "Response time of the target per probe.",
            ("target",),
            buckets=_BUCKETS_S,
            registry=self.registry,
        )
        for collector in (_Collector(self), self.storage, self.audit):
            self.registry.register(collector)
        ProcessCollector(namespace="recallwatch", registry=self.registry)

    def plan(self, planned: Mapping[str, Planned], notifiers: Collection[str] = ()) -> None:
        """Show these schedules and no others. Counters start at zero, so that a first failure is an increase."""
        targets = {each.target for each in planned.values()}
        self._forget({each.target for each in self.planned.values()} - targets)
        self.planned = dict(planned)
        self.results = {place: result for place, result in self.results.items() if result.schedule in planned}
        runs = {(each.target, suite) for each in planned.values() for suite in (*each.suites, "")}
        self._run_blocks.keep_only(runs)
        self._blocks = {
            place: (schedule, block)
            for place, (schedule, block) in self._blocks.items()
            if place in runs and schedule in planned
        }
        self.due = {name: at for name, at in self.due.items() if name in planned}
        self.cycle_seconds = {name: seconds for name, seconds in self.cycle_seconds.items() if name in planned}
        for target in targets:
            self.durations.labels(target)
            self.cycle_failures[target] += 0
            self.failures.update({(target, reason): 0 for reason in Reason})
        for notifier in notifiers:
            self.alerts.update({(notifier, state): 0 for state in AlertState})
            self.refused.update({(notifier, reason): 0 for reason in Reason})
            self.dead_letters.update({(notifier, reason): 0 for reason in Reason})

    def _forget(self, targets: Collection[str]) -> None:
        for target in targets:
            self.durations.remove(target)
            self.cycle_failures.pop(target, None)
            self.last_swap.pop(target, None)
        for values in (self.failures, self.last_success):
            for removed in [key for key in values if key[0] in targets]:
                del values[removed]

    def watch(self, target: str, outcome: Outcome) -> None:
        """Count a finished probe."""
        if outcome.failure is not None:
            self.failures[target, outcome.failure.reason] += 1
        elif outcome.ranking is not None:
            self.durations.labels(target).observe(outcome.duration_s)

    def publish(self, result: CycleResult) -> None:
        """Replace the samples of a schedule by those of its latest cycle."""
        target = result.verdict.target
        # A suite that this cycle no longer has disappears; other schedules stay unchanged.
        others = {at: part for at, part in self._blocks.items() if at[0] != target or part[0] != result.schedule}
        self._blocks = others | self._run_blocks.of_cycle(result)
        slim = replace(result, measured=(), verdict=replace(result.verdict, evidence=(), lost_queries=()))
        self.results = {**self.results, f"{target}/{result.schedule}": slim}
        if result.swap is not None:
            self.last_swap[target] = result.swap
        for measured in result.measured:
            if measured.counts.coverage >= result.verdict.policy.coverage_floor:
                self.last_success[target, measured.suite.name] = result.finished_at

    def chunks(self) -> Iterator[bytes]:
        """The exposition that Prometheus scrapes, one family at a time, from a single snapshot."""
        blocks = [block for _, block in self._blocks.values()]
        live = generate_latest(self.registry)
        for name, header in headers().items():
            yield b"".join((header, *(zlib.decompress(block[name]) for block in blocks if name in block)))
        yield live

    def render(self) -> bytes:
        """The whole exposition."""
        return b"".join(self.chunks())

    def families(self) -> list[Metric]:
        """Every exported family; documents its help text."""
        return [*empty(), *self.registry.collect()]

    def shows(self, target: str, suite: str) -> bool:
        """Whether a run of this target and suite is in the snapshot."""
        return (target, suite) in self._blocks


class _Collector(Collector):
    """The few series that do not come from a cycle, read from memory."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def describe(self) -> Iterable[Metric]:
        """Return nothing, so that registration does not trigger a scrape."""
        return ()

    def collect(self) -> Iterable[Metric]:
        yield from self._times()
        yield from self._schedules()
        yield from self._counters()
        yield from self._incidents()
        yield from self._own()
        planned = self._metrics.planned
        yield from self._metrics.service.families({name: each.target for name, each in planned.items()})

    def _times(self) -> Iterator[Metric]:
        metrics = self._metrics
        success = GaugeMetricFamily(
            "recallwatch_run_last_success_timestamp_seconds",
            "Time of the latest run with sufficient coverage.",
            labels=("target", "suite"),
        )
        for labels, at in tuple(metrics.last_success.items()):
            if metrics.shows(*labels):
                success.add_metric(labels, at.timestamp())
        swapped = GaugeMetricFamily(
            "recallwatch_swap_last_detected_timestamp_seconds",
            "Time of the latest detected swap.",
            labels=("target",),
        )
        for target, swap in tuple(metrics.last_swap.items()):
            swapped.add_metric((target,), swap.detected_at.timestamp())
        yield from (success, swapped)

    def _schedules(self) -> Iterator[Metric]:
        metrics, labels = self._metrics, ("target", "schedule")
        interval = GaugeMetricFamily(
            "recallwatch_run_interval_seconds",
            "The longest time between two scheduled runs.",
            labels=("target", "suite"),
        )
        due = GaugeMetricFamily(
            "recallwatch_cycle_due_timestamp_seconds", "Start time of the next cycle.", labels=labels
        )
        duration = GaugeMetricFamily(
            "recallwatch_cycle_duration_seconds", "Duration of the latest cycle.", labels=labels
        )
        shortest: dict[tuple[str, str], float] = {}
        for name, plan in metrics.planned.items():
            for suite in plan.suites:
                shortest[plan.target, suite] = min(plan.interval_s, shortest.get((plan.target, suite), plan.interval_s))
            if name in metrics.due:
                due.add_metric((plan.target, name), metrics.due[name].timestamp())
            if name in metrics.cycle_seconds:
                duration.add_metric((plan.target, name), metrics.cycle_seconds[name])
        for run, seconds in shortest.items():
            interval.add_metric(run, seconds)
        yield from (interval, due, duration)

    def _counters(self) -> Iterator[Metric]:
        metrics = self._metrics
        yield _counter("recallwatch_probe_failures", "Failed probes.", ("target", "reason"), metrics.failures)
        yield _counter("recallwatch_alerts", "Delivered alerts.", ("notifier", "state"), metrics.alerts)
        yield _counter(
            "recallwatch_notifications_failed", "Failed delivery attempts.", ("notifier", "reason"), metrics.refused
        )
        cycles = CounterMetricFamily("recallwatch_cycle_failures", "Failed cycles.", labels=("target",))
        for target, count in tuple(metrics.cycle_failures.items()):
            cycles.add_metric((target,), count)
        yield cycles

    def _incidents(self) -> Iterator[Metric]:
        metrics = self._metrics
        incidents = CounterMetricFamily(
            "recallwatch_incidents",
            "Regressions that fired, were confirmed, or were dismissed as false alarms.",
            labels=("target", "policy", "outcome"),
        )
        for tally in metrics.tallies:
            for outcome in ("fired", "confirmed", "dismissed"):
                incidents.add_metric((tally.target, tally.policy, outcome), getattr(tally, outcome))
        silent = GaugeMetricFamily(
            "recallwatch_no_data",
            "Whether a schedule has produced no data for too long.",
            labels=("target", "schedule"),
        )
        for place, is_silent in metrics.no_data.items():
            silent.add_metric(place, float(is_silent))
        yield incidents
        yield unacknowledged(metrics.incidents)
        yield silent
        labels = ("notifier", "reason")
        yield _counter("recallwatch_dead_letters", "Undeliverable alerts.", labels, metrics.dead_letters)

    def _own(self) -> Iterator[Metric]:
        metrics = self._metrics
        waiting = GaugeMetricFamily("recallwatch_outbox_deliveries", "Pending and dead deliveries.", labels=("state",))
        oldest = GaugeMetricFamily(
            "recallwatch_outbox_oldest_timestamp_seconds", "Time when the oldest pending alert was queued."
        )
        if metrics.outbox is not None:
            for state in ("pending", "dead"):
                waiting.add_metric((state,), metrics.outbox.deliveries.get(state, 0))
            if metrics.outbox.oldest_at is not None:
                oldest.add_metric((), metrics.outbox.oldest_at.timestamp())
        errors = CounterMetricFamily("recallwatch_database_errors", "Failed database transactions.")
        errors.add_metric((), metrics.database_errors)
        reload = GaugeMetricFamily(
            "recallwatch_config_last_reload_successful",
            "Whether the latest configuration is active.",
        )
        if metrics.reload_succeeded is not None:
            reload.add_metric((), float(metrics.reload_succeeded))
        started = GaugeMetricFamily("recallwatch_start_timestamp_seconds", "Start time of the daemon.")
        if metrics.started_at is not None:
            started.add_metric((), metrics.started_at.timestamp())
        build = InfoMetricFamily("recallwatch_build", "The running version.", value={"version": __version__})
        yield from (waiting, oldest, errors, reload, started, build)


def _counter(name: str, text: str, labels: tuple[str, str], counts: Counter[tuple[str, str]]) -> Metric:
    family = CounterMetricFamily(name, text, labels=labels)
    for key, value in tuple(counts.items()):
        family.add_metric(key, value)
    return family
