"""The cost of a gate, before it starts: probes, answers, grades, and the time that earlier runs took."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from monitor.gate.gate import GatePlan
from monitor.model.runs import Run
from monitor.model.suites import Suite
from monitor.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """The most that a gate sends. Early stopping sends less to a candidate that is clearly worse."""

    probes: int
    answers: int
    grades: int
    """Answers that a judge grades; each costs as many requests as the judge repeats."""
    seconds: float | None
    """Time, as long as the latest runs of the same suites took for each query; None without such runs."""

    def to_dict(self) -> dict[str, Any]:
        """The cost as plain values."""
        return asdict(self)

    @property
    def sentence(self) -> str:
        """The cost in words."""
        parts = [f"{self.probes:,} probes"]
        if self.answers:
            parts.append(f"{self.answers:,} answers")
        if self.grades:
            parts.append(f"{self.grades:,} grades by the judge")
        time = "duration unknown" if self.seconds is None else f"about {_duration(self.seconds)} by the latest runs"
        return f"At most {', '.join(parts)}; {time}."


async def cost_of(gate: GatePlan, candidate: World, live: World | None) -> Cost:
    """The cost of a gate, from its suites and the latest runs of them."""
    worlds = [world for world in (candidate, live) if world is not None]
    judged = [query for suite in gate.plan.suites for query in suite.queries if query.is_judged]
    n_references = sum(bool(query.answers) for query in judged)
    durations = [await _duration_of(suite, gate, candidate) for suite in gate.plan.suites]
    measured = [each for each in durations if each is not None]
    return Cost(
        probes=len(judged) * len(worlds),
        answers=n_references * sum(world.answerer is not None for world in worlds),
        grades=n_references * sum(world.answerer is not None and world.judge is not None for world in worlds),
        seconds=sum(measured) if len(measured) == len(durations) else None,
    )


async def _duration_of(suite: Suite, gate: GatePlan, world: World) -> float | None:
    """Seconds that the latest run of a suite took, of the candidate or of the trusted target."""
    for target in (gate.plan.target, gate.trusted):
        run: Run | None = await world.store.latest_run(target, suite.name)
        if run is not None and run.finished_at is not None:
            return (run.finished_at - run.started_at).total_seconds()
    return None


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(seconds, 1):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5_400 else f"{seconds / 3_600:.1f} h"
