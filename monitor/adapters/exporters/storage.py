"""Prometheus metrics of the store: bytes by table, and what retention dropped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from monitor.model.retention import MonthOfResults


@dataclass(slots=True, eq=False)
class StorageMetrics(Collector):
    """Values of the latest retention run."""

    sizes: Mapping[str, int] = field(default_factory=dict)
    """Bytes of each table with its indexes."""
    dropped: Counter[str] = field(default_factory=lambda: Counter(ranking=0, answer_content=0))
    """Rankings and answers that were dropped since the daemon started."""

    def count_dropped(self, month: MonthOfResults) -> None:
        """Count the contents of a dropped month."""
        self.dropped.update(ranking=month.rankings, answer_content=month.answers)

    def collect(self) -> Iterator[Metric]:
        """The families."""
        sizes = GaugeMetricFamily("recallwatch_table_bytes", "Bytes of a table with its indexes.", labels=("table",))
        for table, n_bytes in self.sizes.items():
            sizes.add_metric((table,), n_bytes)
        dropped = CounterMetricFamily(
            "recallwatch_dropped_rows", "Rankings and answers that retention dropped.", labels=("table",)
        )
        for table, count in self.dropped.items():
            dropped.add_metric((table,), count)
        yield sizes
        yield dropped
