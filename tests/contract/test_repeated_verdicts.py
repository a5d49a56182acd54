"""Every store keeps repeated verdicts, and returns revisions by which cycles see each other's changes."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from monitor.decision.repetition import repeat
from monitor.decision.verdict import RUN_BEFORE
from monitor.model.decisions import Decision
from monitor.model.deployments import Baseline, Deployment
from monitor.model.noise import DetectorState
from monitor.model.results import SuiteResult
from monitor.model.silences import Silence
from monitor.ports.store import Store
from monitor.reports.terminal import verdict_to_dict
from monitor.testing.runs import NOW, a_suite
from monitor.testing.stores import save_finished_run
from tests.contract.test_stores import Check, a_decision, an_incident
from tests.contract.test_stores import check as check

pytestmark = pytest.mark.slow


def a_state(run_id: str, revision: int) -> dict[str, DetectorState]:
    """The detector state after a run, by suite."""
    return {"sample": DetectorState(baseline_run_id="before", run_id=run_id, revision=revision)}


def test_a_repeated_verdict_is_read_whole(check: Callable[[Check], None]) -> None:
    """A repetition has its own run and time, and the evidence of the verdict that it repeats; both are listed."""

    async def body(store: Store) -> None:
        before, after = await a_decision(store)
        decided = await store.latest_verdict("target")
        assert decided is not None
        step = {"verdict": "passed", "summary": "", "fallen": [], "runs": {"sample": ["before", "after"]}}
        first = replace(decided, verdict_id="first", insights={RUN_BEFORE: step}, decided_at=NOW + timedelta(hours=1))
        assert await store.save_decision(Decision(verdict=first, states=a_state("after", 2)))
        again = replace(after, run=replace(after.run, run_id="again"))
        second = repeat(
            first, [SuiteResult(measured=again, baseline=before)], cycle_id="cycle-2", at=NOW + timedelta(hours=2)
        )
        decision = Decision(verdict=second, states=a_state("again", 3), repeats="first")
        assert await store.save_decision(decision)

        stored = await store.load_verdict(second.verdict_id)
        assert verdict_to_dict(stored) == verdict_to_dict(second)
        assert (stored.run_ids, stored.insights[RUN_BEFORE]["runs"]) == (("again",), {"sample": ["before", "again"]})
        ids = [second.verdict_id, "first", decided.verdict_id]
        assert [each.verdict_id for each in await store.list_verdicts()] == ids
        assert await store.find_verdict_ids() == ids
        latest = await store.latest_verdict("target")
        assert latest is not None
        assert latest.verdict_id == second.verdict_id
        assert await store.detector_state("target", "sample") == a_state("again", 3)["sample"]
        late = replace(decision, verdict=replace(second, verdict_id="late"))
        assert not await store.save_decision(late)
        assert await store.find_verdict_ids() == ids

    check(body)


def test_revisions_change_with_whatever_a_decision_reads(check: Callable[[Check], None]) -> None:
    """A promotion, a deployment, an incident and a silence each change the revisions of their target."""

    async def body(store: Store) -> None:
        await save_finished_run(store, a_suite(), "run-1")
        baseline = Baseline(
            target="target", suite_name="sample", run_id="run-1", promoted_by="ada", reason="good", promoted_at=NOW
        )
        silence = Silence(reason="upgrade", silence_id="s1", author="ada", starts_at=NOW, ends_at=NOW, created_at=NOW)
        changes: list[Callable[[], Awaitable[Any]]] = [
            lambda: store.promote(baseline),
            lambda: store.save_deployment(Deployment(target="target", name="v2", declared_by="ci", declared_at=NOW)),
            lambda: store.save_incident(an_incident(), ()),
            lambda: store.save_silence(silence),
            lambda: store.save_silence(replace(silence, ended_by="ada", ended_at=NOW)),
        ]
        before = await store.revisions("target", ["sample"])
        for change in changes:
            await change()
            after = await store.revisions("target", ["sample"])
            assert after != before
            before = after
        assert before.baselines == {"sample": "run-1"}
        assert before == await store.revisions("target", ["sample"])
        assert (await store.revisions("other", ["sample"])).deployments == 0

    check(body)
