"""Prometheus metrics over one immutable snapshot: a scrape computes nothing and touches no database.

What a cycle found is written out when the cycle is published; a scrape puts the pieces together. Series that are no
longer in the snapshot vanish by themselves. Labels are bounded: targets, suites, strata, cutoffs and closed reasons,
never a query, document or run.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from monitor import __version__
from monitor.adapters.exporters.families import Block, CycleResult, empty, headers, run_block, verdict_block
from monitor.errors import Reason
from monitor.model.alerts import AlertState
from monitor.model.deployments import Swap
from monitor.model.incidents import Tally
from monitor.model.runs import Outcome

__all__ = ["CONTENT_TYPE", "CycleResult", "Metrics", "Outbox", "Planned"]

CONTENT_TYPE = CONTENT_TYPE_LATEST
_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


@dataclass(frozen=True, slots=True)
class Planned:
    """What a schedule will run."""

    target: str
    suites: tuple[str, ...]
    interval_s: float
    """The longest time between two cycles, as scheduled."""


@dataclass(frozen=True, slots=True)
class Outbox:
    """The alerts that wait, when somebody last looked."""

    deliveries: Mapping[str, int]
    oldest_at: datetime | None


@dataclass(slots=True)
class Metrics:
    """Everything that is exported, and the registry that exports it."""

    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    """What changes between cycles: counters, times, the daemon's own health."""
    planned: Mapping[str, Planned] = field(default_factory=dict)
    seen: Mapping[str, CycleResult] = field(default_factory=dict)
    """The last cycle of each schedule, without its rankings and evidence."""
    last_swap: dict[str, Swap] = field(default_factory=dict)
    last_success: dict[tuple[str, str], datetime] = field(default_factory=dict)
    """When a run of a target and suite last finished with enough coverage; a bad run does not erase it."""
    failures: Counter[tuple[str, str]] = field(default_factory=Counter)
    alerts: Counter[tuple[str, str]] = field(default_factory=Counter)
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)
    cycle_failures: Counter[str] = field(default_factory=Counter)
    due: dict[str, datetime] = field(default_factory=dict)
    """When the next cycle of each schedule should start."""
    cycle_seconds: dict[str, float] = field(default_factory=dict)
    started_at: datetime | None = None
    outbox: Outbox | None = None
    dead_letters: Counter[tuple[str, str]] = field(default_factory=Counter)
    tallies: Sequence[Tally] = ()
    no_data: Mapping[tuple[str, str], bool] = field(default_factory=dict)
    """Target and schedule to whether it has been silent for too long."""
    database_errors: int = 0
    reload_succeeded: bool | None = None
    durations: Histogram = field(init=False)
    _blocks: Mapping[tuple[str, str], tuple[str, Block]] = field(default_factory=dict)
    """By target and suite, with the schedule that it is from; what is about a whole target has no suite."""

    def __post_init__(self) -> None:
        self.durations = Histogram(
            "recallwatch_probe_duration_seconds",
            "How long the target took to answer a probe.",
            ("target",),
            buckets=_BUCKETS_S,
            registry=self.registry,
        )
        self.registry.register(_Collector(self))

    def plan(self, planned: Mapping[str, Planned], notifiers: Collection[str] = ()) -> None:
        """Show these schedules and no others. Counters begin at zero, so that a first failure is an increase."""
        targets = {each.target for each in planned.values()}
        self._forget({each.target for each in self.planned.values()} - targets)
        self.planned = dict(planned)
        self.seen = {place: seen for place, seen in self.seen.items() if seen.schedule in planned}
        runs = {(each.target, suite) for each in planned.values() for suite in (*each.suites, "")}
        self._blocks = {
            place: (schedule, block)
            for place, (schedule, block) in self._blocks.items()
            if place in runs and schedule in planned
        }
        for kept in (self.due, self.cycle_seconds):
            for gone in kept.keys() - planned.keys():
                del kept[gone]
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
        for counted in (self.failures, self.last_success):
            for gone in [key for key in counted if key[0] in targets]:
                del counted[gone]

    def watch(self, target: str, outcome: Outcome) -> None:
        """Count one probe as it ends."""
        if outcome.failure is not None:
            self.failures[target, outcome.failure.reason] += 1
        elif outcome.ranking is not None:
            self.durations.labels(target).observe(outcome.duration_s)

    def publish(self, seen: CycleResult) -> None:
        """Replace what is shown of a schedule by its last cycle."""
        target = seen.verdict.target
        fresh = {(target, each.suite.name): (seen.schedule, run_block(seen, each)) for each in seen.measured}
        fresh[target, ""] = (seen.schedule, verdict_block(seen))
        # A suite that the cycle no longer has leaves with the cycle before; other schedules stay as they are.
        kept = {at: part for at, part in self._blocks.items() if at[0] != target or part[0] != seen.schedule}
        self._blocks = {**kept, **fresh}
        slim = replace(seen, measured=(), verdict=replace(seen.verdict, evidence=(), lost_queries=()))
        self.seen = {**self.seen, f"{target}/{seen.schedule}": slim}
        if seen.swap is not None:
            self.last_swap[target] = seen.swap
        for measured in seen.measured:
            if measured.counts.coverage >= seen.verdict.policy.coverage_floor:
                self.last_success[target, measured.suite.name] = seen.finished_at

    def chunks(self) -> Iterator[bytes]:
        """The exposition that Prometheus scrapes, a family at a time, all of one snapshot."""
        blocks = [block for _, block in self._blocks.values()]
        live = generate_latest(self.registry)
        for name, header in headers().items():
            yield b"".join((header, *(zlib.decompress(block[name]) for block in blocks if name in block)))
        yield live

    def render(self) -> bytes:
        """The whole exposition at once."""
        return b"".join(self.chunks())

    def families(self) -> list[Metric]:
        """Every family there is, for the documentation."""
        return [*empty(), *self.registry.collect()]

    def shows(self, target: str, suite: str) -> bool:
        """Whether a run of this target and suite is in the snapshot."""
        return (target, suite) in self._blocks


class _Collector(Collector):
    """What is not of a cycle: few series, read from memory as they are."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def describe(self) -> Iterable[Metric]:
        """Nothing: a registry that asks at registration would compute a scrape."""
        return ()

    def collect(self) -> Iterable[Metric]:
        yield from self._times()
        yield from self._schedules()
        yield from self._counters()
        yield from self._incidents()
        yield from self._own()

    def _times(self) -> Iterator[Metric]:
        metrics = self._metrics
        success = GaugeMetricFamily(
            "recallwatch_run_last_success_timestamp_seconds",
            "When a run last finished with its coverage above the floor.",
            labels=("target", "suite"),
        )
        for labels, at in tuple(metrics.last_success.items()):
            if metrics.shows(*labels):
                success.add_metric(labels, at.timestamp())
        swapped = GaugeMetricFamily(
            "recallwatch_swap_last_detected_timestamp_seconds", "When the target last changed.", labels=("target",)
        )
        for target, swap in tuple(metrics.last_swap.items()):
            swapped.add_metric((target,), swap.detected_at.timestamp())
        yield from (success, swapped)

    def _schedules(self) -> Iterator[Metric]:
        metrics, labels = self._metrics, ("target", "schedule")
        interval = GaugeMetricFamily(
            "recallwatch_run_interval_seconds",
            "The longest time between two runs, as scheduled.",
            labels=("target", "suite"),
        )
        due = GaugeMetricFamily(
            "recallwatch_cycle_due_timestamp_seconds", "When the next cycle should start.", labels=labels
        )
        took = GaugeMetricFamily("recallwatch_cycle_duration_seconds", "How long the last cycle took.", labels=labels)
        shortest: dict[tuple[str, str], float] = {}
        for name, each in metrics.planned.items():
            for suite in each.suites:
                shortest[each.target, suite] = min(each.interval_s, shortest.get((each.target, suite), each.interval_s))
            if name in metrics.due:
                due.add_metric((each.target, name), metrics.due[name].timestamp())
            if name in metrics.cycle_seconds:
                took.add_metric((each.target, name), metrics.cycle_seconds[name])
        for run, seconds in shortest.items():
            interval.add_metric(run, seconds)
        yield from (interval, due, took)

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

    def _incidents(self) -> Iterator[Metric]:
        metrics = self._metrics
        incidents = CounterMetricFamily(
            "recallwatch_incidents",
            "Regressions that fired, and how many of them were confirmed or dismissed as false alarms.",
            labels=("target", "policy", "outcome"),
        )
        for tally in metrics.tallies:
            for outcome in ("fired", "confirmed", "dismissed"):
                incidents.add_metric((tally.target, tally.policy, outcome), getattr(tally, outcome))
        silent = GaugeMetricFamily(
            "recallwatch_no_data", "Whether a schedule has brought no data for too long.", labels=("target", "schedule")
        )
        for place, is_silent in metrics.no_data.items():
            silent.add_metric(place, float(is_silent))
        yield incidents
        yield silent
        yield _counter("recallwatch_dead_letters", "Alerts given up.", ("notifier", "reason"), metrics.dead_letters)

    def _own(self) -> Iterator[Metric]:
        metrics = self._metrics
        waiting = GaugeMetricFamily("recallwatch_outbox_deliveries", "Deliveries that wait or died.", labels=("state",))
        oldest = GaugeMetricFamily(
            "recallwatch_outbox_oldest_timestamp_seconds", "When the alert was queued that waits longest."
        )
        if metrics.outbox is not None:
            for state in ("pending", "dead"):
                waiting.add_metric((state,), metrics.outbox.deliveries.get(state, 0))
            if metrics.outbox.oldest_at is not None:
                oldest.add_metric((), metrics.outbox.oldest_at.timestamp())
        errors = CounterMetricFamily("recallwatch_database_errors", "Transactions that the database did not take.")
        errors.add_metric((), metrics.database_errors)
        reload = GaugeMetricFamily(
            "recallwatch_config_last_reload_successful", "Whether the configuration in force is the last that was read."
        )
        if metrics.reload_succeeded is not None:
            reload.add_metric((), float(metrics.reload_succeeded))
        started = GaugeMetricFamily("recallwatch_start_timestamp_seconds", "When the daemon started.")
        if metrics.started_at is not None:
            started.add_metric((), metrics.started_at.timestamp())
        build = InfoMetricFamily("recallwatch_build", "The version that runs.", value={"version": __version__})
        yield from (waiting, oldest, errors, reload, started, build)


def _counter(name: str, text: str, labels: tuple[str, str], counted: Counter[tuple[str, str]]) -> Metric:
    family = CounterMetricFamily(name, text, labels=labels)
    for key, value in tuple(counted.items()):
        family.add_metric(key, value)
    return family
