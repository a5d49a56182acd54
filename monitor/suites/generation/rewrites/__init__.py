"""Structural rewrites of a sentence: one module and one line each."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from monitor.suites.generation.rewrites import (
    binding,
    comparison,
    coordination,
    negation,
    numbers,
    order,
    quantity,
    roles,
)
from monitor.suites.generation.rewrites.rewrite import Outcome

if TYPE_CHECKING:
    from spacy.tokens import Span

REWRITES: dict[str, Callable[[Span], Outcome]] = {
    "role-swap": roles.rewrite,
    "binding": binding.rewrite,
    "temporal": order.rewrite,
    "comparative": comparison.rewrite,
    "quantifier": quantity.rewrite,
    "conjunction": coordination.rewrite,
    "numeric": numbers.rewrite,
    "negation": negation.rewrite,
}
"""Phenomenon to rewrite; rewrites that apply to few sentences come first."""
