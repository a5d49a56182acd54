"""Unchanged cycles repeat their verdict; whatever changes is decided."""

import asyncio
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from monitor.adapters.stores.memory.store import MemoryStore
from monitor.decision.verdict import RUN_BEFORE
from monitor.errors import Reason, RetrieverError, StoreError
from monitor.model.decisions import Decision
from monitor.model.deployments import Baseline
from monitor.model.noise import DetectorState
from monitor.model.runs import Ranking
from monitor.model.verdicts import VerdictName
from monitor.world import LatestCycles
from tests.unit.change_detection.test_monitor import Service, Target


@dataclass(slots=True)
class RecordingStore(MemoryStore):
    """A store that records its decisions and how often detector states are read."""

    decisions: list[Decision] = field(default_factory=list)
    n_states_read: int = 0
    fails: bool = False

    async def detector_state(self, target: str, suite_name: str) -> DetectorState | None:
        """The stored state."""
        self.n_states_read += 1
        return await MemoryStore.detector_state(self, target, suite_name)

    async def save_decision(self, decision: Decision) -> bool:
        """Store the decision, or fail."""
        if self.fails:
            raise StoreError("the database is unreachable")
        is_first = await MemoryStore.save_decision(self, decision)
        self.decisions += [decision] * is_first
        return is_first


class Fragile(Target):
    """A deterministic target whose first queries can fail."""

    n_failing = 0

    async def retrieve(self, query: str, k: int) -> Ranking:
        """The k best documents, or a failure."""
        if int(query) < self.n_failing:
            raise RetrieverError(Reason.REJECTED, "refused")
        return await super().retrieve(query, k)


def a_service() -> Any:
    """A deterministic target after its first two cycles: the baseline, and the first comparison with it."""
    service = Service(Fragile(1, noise=0.0))
    service.store = RecordingStore()
    service.world = replace(service.world, store=service.store)
    for _ in range(2):
        service.cycle()
    return service


def test_unchanged_cycles_repeat_one_verdict_and_read_no_state() -> None:
    """Each cycle stores a verdict about its own run that refers to the one that was decided."""
    service = a_service()
    decided = service.store.decisions[-1]
    service.store.n_states_read = 0
    reports = [service.cycle() for _ in range(3)]
    assert service.store.n_states_read == 0
    assert [each.repeats for each in service.store.decisions[-3:]] == [decided.verdict.verdict_id] * 3
    assert decided.repeats == ""
    assert len({report.verdict.verdict_id for report in reports}) == 3
    for report in reports:
        assert report.verdict.evidence is decided.verdict.evidence
        assert report.verdict.run_ids == (report.measured[0].run.run_id,)
        assert (report.verdict.name, report.verdict.seed) == (VerdictName.PASSED, decided.verdict.seed)
    assert service.state.revision == 5


def test_a_changed_result_is_decided_and_its_repetitions_keep_their_level() -> None:
    """A drop is compared at its swap and once without one; then its verdict is repeated, at the same level."""
    service = a_service()
    service.target.lost = 0.6
    worse = service.cycle()
    second = service.cycle()
    again = service.cycle()
    assert [each.verdict.name for each in (worse, second, again)] == [VerdictName.REGRESSED] * 3
    assert [each.repeats for each in service.store.decisions[-3:]] == ["", "", second.verdict.verdict_id]
    assert again.verdict.policy.alpha_page == worse.verdict.policy.alpha_page
    assert len(service.state.looks) == 1
    service.target.lost = 0.0
    assert service.cycle().verdict.name is VerdictName.PASSED


def test_a_repetition_names_its_own_run_in_the_latest_step() -> None:
    """After a second silent swap the verdict compares with the run before too; a repetition refers to its own run."""
    service = a_service()
    for lost in (0.1, 0.6):
        service.target.lost = lost
        service.cycle()
    service.cycle()
    report = service.cycle()
    assert service.store.decisions[-1].repeats
    ((before, after),) = report.verdict.insights[RUN_BEFORE]["runs"].values()
    assert after == report.measured[0].run.run_id
    assert before in service.store.runs


def test_two_processes_decide_one_after_the_other_on_the_latest_state() -> None:
    """What one process keeps never hides what the other stored: no revision is lost, none is written twice."""
    service = a_service()
    here, there = service.world, replace(service.world, latest=LatestCycles(), owner="another")
    for world in (there, here, here, there, here):
        service.world = world
        service.cycle()
    assert service.state.revision == 7
    assert service.state.churn.cycles == 6
    assert len(service.store.verdicts) == 7


def test_a_promotion_elsewhere_is_seen_by_the_next_cycle() -> None:
    """The baseline that is kept is compared with until its revision changes."""
    service = a_service()
    run_id = service.cycle().measured[0].run.run_id
    promoted = Baseline(
        target="target", suite_name="suite", run_id=run_id, promoted_by="ada", reason="new", promoted_at=service.clock
    )
    asyncio.run(service.store.promote(promoted))
    assert service.cycle().verdict.baseline_run_ids == (run_id,)
    assert service.store.decisions[-1].repeats == ""


def test_after_a_failure_of_the_store_a_verdict_is_decided() -> None:
    """A database that was restored may lack the verdict to refer to, so nothing kept survives a failure."""
    service = a_service()
    service.store.fails = True
    with pytest.raises(StoreError):
        service.cycle()
    service.store.fails = False
    service.cycle()
    assert service.store.decisions[-1].repeats == ""


def test_failures_of_probes_are_no_repetition() -> None:
    """A run with other failures is measured and judged by itself."""
    service = a_service()
    service.cycle()
    service.target.n_failing = 100
    report = service.cycle()
    assert service.store.decisions[-1].repeats == ""
    assert report.verdict.name is VerdictName.INVALID
