"""Whether a cycle repeats an earlier verdict: the same results, judged in the same way, give the same verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import uuid4

from monitor.decision.verdict import RUN_BEFORE
from monitor.model.measurements import Measured, Measurements
from monitor.model.results import SuiteResult
from monitor.model.verdicts import Look, Verdict
from monitor.plan import Plan


@dataclass(frozen=True, slots=True, eq=False)
class DecidedOn:
    """Everything that a verdict follows from."""

    measurements: tuple[Mapping[str, Measurements], ...]
    """Of each suite. A run whose outcomes are those of the run before has the same object."""
    facts: tuple[Any, ...]
    """Plan, look, causes and the stored facts about the runs."""

    def is_same(self, other: DecidedOn) -> bool:
        """Whether both lead to the same verdict."""
        if len(self.measurements) != len(other.measurements) or self.facts != other.facts:
            return False
        return all(mine is theirs for mine, theirs in zip(self.measurements, other.measurements, strict=True))


def decided_on(
    plan: Plan, results: Sequence[SuiteResult], look: Look | None, *,
    causes: Mapping[str, str], replicas: int, index_recalls: Mapping[str, float],
) -> DecidedOn:  # fmt: skip
    """Everything that the verdict about one cycle follows from."""
    level = (look.number, look.why, look.alpha) if look else None
    compared = tuple((_run_id(each.baseline), _run_id(each.previous), *_served(each.measured)) for each in results)
    return DecidedOn(
        measurements=tuple(each.measured.measurements for each in results),
        facts=(plan, level, dict(causes), replicas, dict(index_recalls), compared),
    )


def repeat(verdict: Verdict, results: Sequence[SuiteResult], *, cycle_id: str, at: datetime) -> Verdict:
    """The same verdict about the runs of another cycle."""
    run_ids = tuple(each.measured.run.run_id for each in results)
    insights = verdict.insights
    if step := insights.get(RUN_BEFORE):
        new_ids = dict(zip(verdict.run_ids, run_ids, strict=True))
        runs = {name: [before, new_ids.get(after, after)] for name, (before, after) in step["runs"].items()}
        insights = {**insights, RUN_BEFORE: {**step, "runs": runs}}
    return replace(
        verdict, verdict_id=uuid4().hex, cycle_id=cycle_id, run_ids=run_ids, decided_at=at, insights=insights
    )


def _run_id(measured: Measured | None) -> str:
    return measured.run.run_id if measured else ""


def _served(measured: Measured) -> tuple[Any, ...]:
    """What a verdict reads of a run besides its outcomes."""
    run = measured.run
    return run.suite_digest, run.depth, run.fingerprint, run.answers, run.corpus, run.answerer, run.judge, run.anchors
