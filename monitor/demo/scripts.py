"""The two forms of the demo: the whole story with a real model, and a fast one with word statistics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from monitor.model.verdicts import VerdictName

BITS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """The service of a demo, how it breaks and is repaired, and the verdict that the demo promises."""

    is_fast: bool
    service: str
    """The service in a few words."""
    every: int
    """The demo asks the queries of every n-th cluster."""
    has_answers: bool
    steps: int
    """Training steps of the adapter."""
    expected: VerdictName
    fix: str
    """The repair in a few words."""
    fix_request: tuple[str, str]
    """Method and path of the request that repairs the service."""
    fix_options: Mapping[str, int]
    recovery_cycles: int
    """Cycles until the incident is resolved; an exact rollback needs one."""
    remark: str = ""


WHOLE = Script(
    is_fast=False,
    service="all-MiniLM-L6-v2, FAISS, an extractive reader, HTTP",
    every=1,
    has_answers=True,
    steps=100,
    expected=VerdictName.TRADE_OFF,
    fix=f"The team fixes forward: the original model, in a new index of {BITS}-bit vectors",
    fix_request=("POST", "/index"),
    fix_options=MappingProxyType({"bits": BITS}),
    recovery_cycles=2,
)
FAST = Script(
    is_fast=True,
    service="word statistics instead of a neural model, NumPy, HTTP",
    every=4,
    has_answers=False,
    steps=30,
    expected=VerdictName.REGRESSED,
    fix="The team rolls back: the original vectors",
    fix_request=("DELETE", "/adapter"),
    fix_options=MappingProxyType({}),
    recovery_cycles=1,
    remark="[yellow]Fast demo:[/] word statistics stand in for a model, and a quarter of the suites is asked. Words "
    "alone gain no structure, so that the swap only loses; [bold]recallwatch demo[/] shows the trade-off of a real "
    "model.",
)
