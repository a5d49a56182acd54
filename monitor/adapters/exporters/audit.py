"""Prometheus metrics of the audit log: its head, so that a cut end or a rewritten log is seen from outside."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from monitor.model.audit import Head


@dataclass(slots=True, eq=False)
class AuditMetrics(Collector):
    """The latest entry of the log."""

    head: Head = field(default_factory=Head)

    def collect(self) -> Iterator[Metric]:
        """The families."""
        entries = GaugeMetricFamily("recallwatch_audit_entries", "Entries of the audit log; a fall means a cut.")
        entries.add_metric((), self.head.number)
        digest = GaugeMetricFamily(
            "recallwatch_audit_head", "First 13 hexadecimal digits of the latest entry's hash, as a number."
        )
        digest.add_metric((), self.head.as_number)
        yield entries
        yield digest
