"""What one cycle does: the noun between a schedule and a verdict."""

from __future__ import annotations

from dataclasses import dataclass

from monitor.evaluation.measures import REPORTED, parse
from monitor.model.measures import Needs
from monitor.model.policies import Policy
from monitor.model.suites import Suite


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What one cycle does: these suites against this target, judged by this policy."""

    target: str
    suites: tuple[Suite, ...]
    policy: Policy
    asked: bool = False
    """Whether a person asks for a verdict now; a schedule judges only what has changed."""
    policy_name: str = "default"
    probes_per_day: int | None = None
    """Probes that the target may be sent in any 24 hours."""

    @property
    def measures(self) -> tuple[str, ...]:
        """The rank measures to compute: those that every run reports, and those that the policy gates on."""
        gating = (name for names in self.policy.gating.values() for name in names)
        rank_measures = (name for name in gating if parse(name).measure.needs is Needs.RANKINGS)
        return tuple(dict.fromkeys((*REPORTED, *rank_measures)))
