"""The plan of a cycle: suites, target and policy."""

from __future__ import annotations

from dataclasses import dataclass

from monitor.evaluation.measures import REPORTED, parse
from monitor.evaluation.scoring import depth_of, run_depth
from monitor.model.measures import Needs
from monitor.model.policies import Policy
from monitor.model.suites import Suite


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The plan of one cycle: replay these suites against this target, and judge by this policy."""

    target: str
    suites: tuple[Suite, ...]
    policy: Policy
    is_on_request: bool = False
    """Whether a person requested the verdict; a scheduled cycle judges changes only."""
    policy_name: str = "default"
    probes_per_day: int | None = None
    """Largest number of probes to the target in any 24 hours."""
    max_k: int | None = None
    """Largest number of hits that the target returns for one query."""

    @property
    def measures(self) -> tuple[str, ...]:
        """The rank measures to compute: those of every run, and those that the policy gates on."""
        gating = (name for names in self.policy.gating.values() for name in names)
        rank_measures = (name for name in gating if parse(name).measure.needs is Needs.RANKINGS)
        names = dict.fromkeys((*REPORTED, *rank_measures))
        return tuple(name for name in names if self.max_k is None or depth_of([name]) <= self.max_k)

    def depth(self, suite: Suite) -> int:
        """Number of hits that every probe of a suite requests."""
        needed = run_depth(suite, self.measures)
        return needed if self.max_k is None else min(needed, self.max_k)
