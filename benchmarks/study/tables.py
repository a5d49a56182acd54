"""Which tables there are, and how to compute one; a module of its own, so that worker processes can import it."""

from __future__ import annotations

from importlib import import_module

from benchmarks.study.table import Table

SEED = 2026
TABLES: dict[str, tuple[int, int]] = {
    "year.false_alarms": (50, 2),
    "families.families": (2_000, 40),
    "rejected.rejected": (2_000, 60),
    "rejected.clusters": (2_000, 100),
    "safety.safety": (4_000, 300),
    "safety.passing": (2_000, 100),
    "safety.passing_clusters": (2_000, 100),
    "trade_off.trade_off": (600, 20),
    "structure.structure": (1, 0),
    "real_verdicts.real_verdicts": (1, 0),
    "stopping.stopping": (2_000, 50),
    "power.detectable": (2_000, 200),
    "power.needed": (2_000, 200),
    "power.power": (2_000, 60),
    "power.concentrated": (2_000, 60),
    "power.coverage": (2_000, 60),
    "looks.looks": (63, 2),
    "budget.spending": (300, 10),
    "edges.levels": (4_000, 200),
    "edges.answers": (1, 1),
    "peers.peers": (200, 10),
    "real_swaps.real_swaps": (100, 0),
}
"""Tables in the order of the specification, with their repetitions: in full, and with --quick (0: left out)."""
FIRST = ("real_swaps.real_swaps", "looks.looks", "peers.peers")
"""The longest, started first so that two processors end together."""


def compute(name: str, repetitions: int) -> list[Table]:
    """The table, or tables, of that name."""
    module, function = name.split(".")
    tables = getattr(import_module(f"benchmarks.study.{module}"), function)(repetitions, SEED)
    return [tables] if isinstance(tables, Table) else list(tables)
