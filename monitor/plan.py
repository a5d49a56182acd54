"""What one cycle does: the noun between a schedule and a verdict."""

from __future__ import annotations

from dataclasses import dataclass

from monitor.evaluation.scoring import REPORTED, UNRANKED
from monitor.model.policies import Policy
from monitor.model.suites import Suite


@dataclass(frozen=True, slots=True)
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
        """The rank measures to compute: those always reported, and those the policy gates on."""
        gated = (name for names in self.policy.gating.values() for name in names)
        return tuple(dict.fromkeys((*REPORTED, *(name for name in gated if name not in UNRANKED))))
