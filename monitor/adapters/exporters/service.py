"""Prometheus metric families about the service itself: its slots, its clock, its memory, its database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from monitor.model.incidents import Incident, IncidentKind, IncidentStatus


@dataclass(frozen=True, slots=True)
class Outbox:
    """Counts of queued alerts at the latest check."""

    deliveries: Mapping[str, int]
    oldest_at: datetime | None


@dataclass(slots=True, kw_only=True)
class ServiceHealth:
    """Values about one process of the service."""

    slot_lag_s: dict[str, float] = field(default_factory=dict)
    """Time from the due time of the latest slot of a schedule to the start of its cycle."""
    takeovers: int = 0
    n_peers: int = 0
    clock_behind_s: float = 0.0
    loop_lag_s: float = 0.0
    loop_failures: Counter[str] = field(default_factory=Counter)
    """How often each background loop failed and was started again."""
    connections: tuple[int, int] = (0, 0)
    """Connections to the database: in use, and the largest number."""
    database_answers: bool = True

    def count_loop_failure(self, loop: str) -> None:
        """Count a background loop that failed."""
        self.loop_failures[loop] += 1

    def expect_loops(self, loops: Iterable[str]) -> None:
        """Export 0 for loops that have not failed, so that a first failure is an increase."""
        for loop in loops:
            self.loop_failures.setdefault(loop, 0)

    def families(self, targets: Mapping[str, str]) -> Iterator[Metric]:
        """Every family; ``targets`` are those of the schedules."""
        lag = GaugeMetricFamily(
            "recallwatch_slot_lag_seconds",
            "Time from the due time of the latest slot to the start of its cycle in this process.",
            labels=("target", "schedule"),
        )
        for schedule, lag_s in tuple(self.slot_lag_s.items()):
            if schedule in targets:
                lag.add_metric((targets[schedule], schedule), lag_s)
        yield lag
        takeovers = CounterMetricFamily("recallwatch_slot_takeovers", "Slots taken over from processes that died.")
        takeovers.add_metric((), self.takeovers)
        yield takeovers
        failures = CounterMetricFamily(
            "recallwatch_loop_failures", "Background loops that failed and were started again.", labels=("loop",)
        )
        for loop, count in self.loop_failures.items():
            failures.add_metric((loop,), count)
        yield failures
        connections = GaugeMetricFamily(
            "recallwatch_database_connections", "Connections of this process to the database.", labels=("state",)
        )
        for state, count in zip(("used", "limit"), self.connections, strict=True):
            connections.add_metric((state,), count)
        yield connections
        for name, text, value in (
            ("peers", "Other processes that serve schedules of the same database.", self.n_peers),
            (
                "clock_behind_seconds",
                "How far the clock of the machine is behind the time of the daemon.",
                self.clock_behind_s,
            ),
            ("event_loop_lag_seconds", "Longest delay of the event loop since the latest check.", self.loop_lag_s),
            ("database_up", "Whether the latest periodic query of the daemon succeeded.", self.database_answers),
        ):
            gauge = GaugeMetricFamily(f"recallwatch_{name}", text)
            gauge.add_metric((), float(value))
            yield gauge


def unacknowledged(incidents: Iterable[Incident]) -> Metric:
    """Open regressions that no person has acknowledged, with the severity of each."""
    family = GaugeMetricFamily(
        "recallwatch_incident_unacknowledged",
        "1 for an open regression that no person has acknowledged.",
        labels=("target", "severity"),
    )
    for incident in incidents:
        if incident.kind is IncidentKind.REGRESSION and incident.status is IncidentStatus.OPEN:
            family.add_metric((incident.target, str(incident.severity)), 1.0)
    return family
