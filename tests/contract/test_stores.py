"""The contract of every store."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from monitor.adapters.stores.memory.store import MemoryStore
from monitor.adapters.stores.postgres.store import PostgresStore
from monitor.alerting.paging import conclude
from monitor.decision.verdict import decide
from monitor.errors import Reason, StoreError
from monitor.evaluation.scoring import fingerprint, measure
from monitor.incidents.lifecycle import advance
from monitor.incidents.routing import OnCall
from monitor.model.alerts import Alert, AlertState
from monitor.model.decisions import Decision
from monitor.model.deployments import Swap
from monitor.model.incidents import Change, Incident, IncidentKind, IncidentStatus, Resolution, Severity, Tally
from monitor.model.measurements import Measured
from monitor.model.noise import DetectorState
from monitor.model.passages import Manner, Passage, Quoted, Sources
from monitor.model.policies import Policy
from monitor.model.results import SuiteResult
from monitor.model.runs import RunStatus
from monitor.model.verdicts import Look, Verdict, VerdictName
from monitor.plan import Plan
from monitor.ports.store import Store
from monitor.reports.terminal import verdict_to_dict
from monitor.testing import stores
from monitor.testing.runs import NOW, a_run, a_suite, outcomes_of
from monitor.testing.stores import save_finished_run

pytestmark = pytest.mark.slow
BOTH = ("pager", "chat")
LOOK = Look(1, "a swap", Policy().alpha_page)
Check = Callable[[Store], Awaitable[None]]


@pytest.fixture(params=["memory", "postgres"])
def check(request: pytest.FixtureRequest) -> Callable[[Check], None]:
    """Run a check against an open store of each kind."""
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else ""

    @asynccontextmanager
    async def opened() -> AsyncIterator[Store]:
        store: Store = PostgresStore(url) if url else MemoryStore()
        await store.open()
        try:
            yield store
        finally:
            await store.close()

    def run(body: Check) -> None:
        async def with_store() -> None:
            async with opened() as store:
                await body(store)

        asyncio.run(with_store())

    return run


@pytest.mark.parametrize("shipped", stores.CHECKS, ids=lambda shipped: shipped.__name__)
def test_every_check_of_the_shipped_contract_holds(check: Callable[[Check], None], shipped: Check) -> None:
    """Suites, runs and baselines keep the promises that `monitor.testing` checks for any store."""
    check(shipped)


def test_judged_passages_and_sources_of_hits_are_stored(check: Callable[[Check], None]) -> None:
    """Passages, sources and quotes are stored completely, so that the run can be measured again."""

    async def body(store: Store) -> None:
        passages = (Passage(2, "guide", 10, 40), Passage(1, None, None, None, "no refunds — “ever”"))
        queries = (replace(a_suite().queries[0], passages=passages), *a_suite().queries[1:])
        suite = replace(a_suite(), queries=queries, digest="with passages")
        quoted = (Quoted(1, 1, 0, 15, 15, Manner.FUZZY), Quoted(0, 1, 3, 9, 15, Manner.CUT))
        sources = Sources(("guide", "guide", "x"), (0, 30, 0), (30, 2**40, 9), quoted)
        first, second, *others = outcomes_of(suite)
        assert first.ranking is not None
        assert second.ranking is not None
        outcomes = (
            replace(first, ranking=replace(first.ranking, sources=sources)),
            replace(second, ranking=replace(second.ranking, sources=Sources(("a", "b", "c")))),
            *others,
        )
        await store.save_suite(suite)
        await store.start_run(a_run(suite))
        await store.save_outcomes("run-1", outcomes)
        run_fingerprint = fingerprint(outcomes)
        done = replace(
            a_run(suite), outcomes=outcomes, status=RunStatus.FINISHED, finished_at=NOW, fingerprint=run_fingerprint
        )
        measured = measure(replace(done, corpus="index-7"), suite)
        await store.finish_run(measured)
        stored = await store.load_run("run-1")
        assert set(stored.outcomes) == set(outcomes)
        assert (stored.corpus, fingerprint(stored.outcomes)) == ("index-7", run_fingerprint)
        again = measure(stored, await store.load_suite(suite.digest))
        assert again.labels == measured.labels != {}
        assert again.measurements["ndcg@10"].values.tolist() == measured.measurements["ndcg@10"].values.tolist()

    check(body)


async def lasting(store: Store) -> Incident | None:
    """The active regression."""
    return await store.find_incident(IncidentKind.REGRESSION, "target")


def a_state(revision: int) -> DetectorState:
    """A revision of a detector state."""
    return DetectorState(baseline_run_id="before", revision=revision)


async def a_decision(store: Store) -> tuple[Measured, Measured]:
    """A regression with alerts for two notifiers."""
    suite = a_suite()
    before = await save_finished_run(store, suite, "before")
    after = await save_finished_run(store, suite, "after", minutes=1, are_found=False)
    swap = Swap(
        target="target",
        suite_name="sample",
        run_id="after",
        previous_run_id="before",
        declared=True,
        share_changed=1.0,
        detected_at=NOW,
    )
    plan = Plan(target="target", suites=(suite,), policy=Policy(resamples=999))
    verdict = decide(plan, [SuiteResult(measured=after, baseline=before)], LOOK, cycle_id="cycle-1", at=NOW)
    incident, alerts = advance(None, verdict, OnCall(notifiers=BOTH))
    decision = Decision(verdict=verdict, incident=incident, alerts=alerts, swaps=(swap,), states={"sample": a_state(1)})
    assert await store.save_decision(decision)
    assert verdict.name is VerdictName.REGRESSED
    return before, after


def test_a_stored_verdict_can_be_recomputed(check: Callable[[Check], None]) -> None:
    """The stored runs, suite, policy and seed give exactly the same verdict."""

    async def body(store: Store) -> None:
        await a_decision(store)
        verdict = await store.latest_verdict("target")
        assert verdict is not None
        runs = [await store.load_run(run_id) for run_id in (*verdict.baseline_run_ids, *verdict.run_ids)]
        before, after = [measure(run, await store.load_suite(run.suite_digest)) for run in runs]
        plan = Plan(target="target", suites=(after.suite,), policy=verdict.policy)
        again = decide(
            plan,
            [SuiteResult(measured=after, baseline=before)],
            LOOK,
            cycle_id=verdict.cycle_id,
            at=verdict.decided_at,
        )
        assert _told(replace(again, verdict_id=verdict.verdict_id)) == _told(verdict)

    check(body)


def _told(verdict: Verdict) -> str:
    return json.dumps(verdict_to_dict(verdict), sort_keys=True, default=str)


def test_runs_and_verdicts_are_found_by_target_and_by_the_beginning_of_their_ids(
    check: Callable[[Check], None],
) -> None:
    """Newest first; a prefix matches literally, so that a wildcard of SQL matches no id."""

    async def body(store: Store) -> None:
        before, after = await a_decision(store)
        verdict = await store.latest_verdict("target")
        assert verdict is not None
        later = replace(verdict, verdict_id="other", target="another", decided_at=NOW + timedelta(minutes=1))
        assert await store.save_decision(Decision(verdict=later))
        assert [each.verdict_id for each in await store.list_verdicts()] == ["other", verdict.verdict_id]
        assert [each.verdict_id for each in await store.list_verdicts(target="target")] == [verdict.verdict_id]
        assert len(await store.list_verdicts(limit=1)) == 1
        assert await store.find_verdict_ids() == ["other", verdict.verdict_id]
        assert await store.find_verdict_ids(verdict.verdict_id[:8]) == [verdict.verdict_id]
        assert await store.find_verdict_ids("%") == []
        assert (await store.load_verdict("other")).target == "another"
        with pytest.raises(StoreError, match="no verdict lost"):
            await store.load_verdict("lost")
        run_ids = {before.run.run_id, after.run.run_id}
        assert set(await store.find_run_ids("")) == run_ids
        assert len(await store.find_run_ids("", 1)) == 1
        assert await store.find_run_ids(after.run.run_id) == [after.run.run_id]
        assert await store.find_run_ids("_") == []
        assert {run.run_id for run in await store.list_runs(target="target")} == run_ids
        assert await store.list_runs(target="another") == []

    check(body)


def test_incident_and_alerts_are_queued_with_the_verdict(check: Callable[[Check], None]) -> None:
    """A paging verdict stores one open incident and one delivery per notifier."""

    async def body(store: Store) -> None:
        await a_decision(store)
        incident = await lasting(store)
        assert incident is not None
        assert incident.is_open
        assert await store.count_deliveries() == {"pending": 2, "delivered": 0, "dead": 0, "silenced": 0}
        leased = await store.lease_deliveries(BOTH, 10, NOW, 60)
        assert {delivery.notifier for delivery in leased} == {"pager", "chat"}
        assert len({delivery.alert.alert_id for delivery in leased}) == 1
        assert leased[0].alert.payload["data"]["verdict"] == "regressed"

    check(body)


def test_a_lease_is_exclusive_until_it_ends(check: Callable[[Check], None]) -> None:
    """A leased delivery is not leased again before the lease ends; its attempts are counted."""

    async def body(store: Store) -> None:
        await a_decision(store)
        assert len(await store.lease_deliveries(BOTH, 1, NOW, 60)) == 1
        assert len(await store.lease_deliveries(BOTH, 10, NOW, 60)) == 1
        assert await store.lease_deliveries(BOTH, 10, NOW + timedelta(seconds=59), 60) == []
        again = await store.lease_deliveries(BOTH, 10, NOW + timedelta(seconds=61), 60)
        assert [delivery.attempts for delivery in again] == [2, 2]

    check(body)


def test_a_delivery_ends_delivered_or_dead_and_waits_in_between(check: Callable[[Check], None]) -> None:
    """Delivered and dead deliveries are never leased again; a requeued one is leased when it is due."""

    async def body(store: Store) -> None:
        await a_decision(store)
        one, two = await store.lease_deliveries(BOTH, 10, NOW, 60)
        await store.mark_delivered({one.delivery_id: None}, NOW)
        later = NOW + timedelta(seconds=30)
        await store.mark_undelivered(two.delivery_id, Reason.BROKEN, "HTTP 500", next_attempt_at=later)
        assert await store.lease_deliveries(BOTH, 10, NOW, 60) == []
        assert [d.delivery_id for d in await store.lease_deliveries(BOTH, 10, later, 60)] == [two.delivery_id]
        await store.mark_undelivered(two.delivery_id, Reason.REJECTED, "HTTP 404", next_attempt_at=None)
        assert await store.count_deliveries() == {"pending": 0, "delivered": 1, "dead": 1, "silenced": 0}

    check(body)


def test_the_resolved_alert_waits_for_the_firing_one(check: Callable[[Check], None]) -> None:
    """Alerts of one incident reach a notifier in order, even if the first is retried."""

    async def body(store: Store) -> None:
        before, _ = await a_decision(store)
        recovered = await save_finished_run(store, before.suite, "recovered", minutes=2)
        plan = Plan(target="target", suites=(before.suite,), policy=Policy(resamples=999))
        verdict = decide(
            plan,
            [SuiteResult(measured=recovered, baseline=before)],
            LOOK,
            cycle_id="cycle-2",
            at=NOW + timedelta(minutes=2),
        )
        incident, alerts = advance(await lasting(store), verdict, OnCall(notifiers=BOTH))
        assert await store.save_decision(Decision(verdict=verdict, incident=incident, alerts=alerts))
        assert verdict.name is VerdictName.PASSED
        assert await lasting(store) is None
        late = NOW + timedelta(minutes=5)
        first = [d for d in await store.lease_deliveries(BOTH, 10, late, 60) if d.notifier == "pager"]
        assert [d.alert.state for d in first] == ["firing"]
        await store.mark_delivered({first[0].delivery_id: None}, late)
        second = await store.lease_deliveries(["pager"], 10, late, 60)
        assert [d.alert.state for d in second] == ["resolved"]

    check(body)


def an_incident(**changes: Any) -> Incident:
    """An incident that has fired."""
    default = Incident(
        incident_id="i1",
        dedup_key="key",
        target="target",
        opened_at=NOW,
        subject="target",
        status=IncidentStatus.OPEN,
        fired_at=NOW,
    )
    filled = replace(default, policy="strict", summary="fell", recovering={"b": 1, "a": 0}, axes=("broad",))
    return replace(filled, **{"baseline_run_ids": ("r1",), **changes})


def an_alert(incident: Incident, state: AlertState = AlertState.FIRING, **changes: Any) -> Alert:
    """An alert about this revision of an incident."""
    default = Alert(
        alert_id=f"{incident.incident_id}/{state}/{incident.revision}",
        incident_id=incident.incident_id,
        dedup_key=incident.dedup_key,
        state=state,
        payload={"data": {"state": str(state)}},
        created_at=NOW,
        notifiers=BOTH if state is AlertState.FIRING else (),
    )
    return replace(default, **changes)


def revised(incident: Incident, **changes: Any) -> Incident:
    """The next revision."""
    return replace(incident, revision=incident.revision + 1, **changes)


def test_an_incident_is_stored_completely(check: Callable[[Check], None]) -> None:
    """Every field is stored and found by id, by subject and in the list; an unknown id is an error."""

    async def body(store: Store) -> None:
        first = an_incident()
        assert await store.save_incident(first, ())
        ended = revised(
            first,
            status=IncidentStatus.DISMISSED,
            severity=Severity.CRITICAL,
            verdict_name="trade_off",
            acknowledged_at=NOW,
            acknowledged_by="ada",
            resolved_at=NOW + timedelta(hours=1),
            resolution=Resolution.DISMISSED,
            reason="noise (ada)",
            reopened=2,
            n_paging=1,
        )
        assert await store.save_incident(ended, ())
        assert await store.load_incident("i1") == ended
        assert await store.list_incidents() == [ended]
        with pytest.raises(StoreError, match="no incident nope"):
            await store.load_incident("nope")

    check(body)


def test_a_concurrent_revision_is_rejected(check: Callable[[Check], None]) -> None:
    """A revision that already exists, or a second active incident of the subject, is rejected completely."""

    async def body(store: Store) -> None:
        first = an_incident()
        assert await store.save_incident(first, [an_alert(first)])
        other = an_incident(incident_id="i2", dedup_key="another")
        assert not await store.save_incident(other, [an_alert(other)])
        assert await store.save_incident(revised(first, acknowledged_by="ada"), ())
        late = revised(first, acknowledged_by="bob")
        assert not await store.save_incident(late, [an_alert(late)])
        assert (await store.load_incident("i1")).acknowledged_by == "ada"
        assert (await store.count_deliveries())["pending"] == len(BOTH)

    check(body)


def test_an_overtaken_decision_stores_no_verdict(check: Callable[[Check], None]) -> None:
    """Verdict and incident are stored together or not at all, so that a repeated decision stores one verdict."""

    async def body(store: Store) -> None:
        await a_decision(store)
        verdict = await store.latest_verdict("target")
        assert verdict is not None
        again = replace(verdict, verdict_id="again", decided_at=NOW + timedelta(minutes=1))
        assert not await store.save_decision(Decision(verdict=again, incident=an_incident()))
        kept = await store.latest_verdict("target")
        assert kept is not None
        assert kept.verdict_id == verdict.verdict_id
        assert await store.save_decision(Decision(verdict=again))

    check(body)


def test_concurrent_verdicts_of_two_schedules_are_one_incident(check: Callable[[Check], None]) -> None:
    """An overtaken process repeats its step: the result is one incident about both, with one alert."""

    async def body(store: Store) -> None:
        await a_decision(store)
        stored = await store.latest_verdict("target")
        assert stored is not None
        verdicts = [
            replace(
                stored,
                verdict_id=f"v{n}",
                target="twin",
                evidence=tuple(replace(each, suite=f"suite-{n}") for each in stored.evidence),
            )
            for n in range(8)
        ]
        on_call = OnCall(notifiers=BOTH)

        async def page(verdict: Verdict) -> None:
            while True:
                _, decision = await conclude(verdict, Change(), store, on_call, policy="default")
                if await store.save_decision(decision):
                    return

        await asyncio.gather(*(page(each) for each in verdicts))
        incident = await store.find_incident(IncidentKind.REGRESSION, "twin")
        assert incident is not None
        assert incident.suites == tuple(f"suite-{n}" for n in range(8))
        assert incident.revision == 8
        assert (await store.count_deliveries())["pending"] == 2 * len(BOTH)

    check(body)


def test_a_decision_is_stored_whole_or_not_at_all(check: Callable[[Check], None]) -> None:
    """A detector state that another process revised first refuses the verdict, the swap and the incident with it."""

    async def body(store: Store) -> None:
        await a_decision(store)
        assert await store.detector_state("target", "sample") == a_state(1)
        verdict = await store.latest_verdict("target")
        assert verdict is not None
        again = replace(verdict, verdict_id="again", decided_at=NOW + timedelta(minutes=1))
        late = Decision(verdict=again, incident=an_incident(), states={"sample": a_state(1)})
        assert not await store.save_decision(late)
        latest = await store.latest_verdict("target")
        assert latest is not None
        assert latest.verdict_id == verdict.verdict_id
        assert await store.save_decision(Decision(verdict=again, states={"sample": a_state(2)}))
        assert await store.detector_state("target", "sample") == a_state(2)

    check(body)


def test_a_subject_has_one_active_incident(
    check: Callable[[Check], None],
) -> None:
    """A subject has one active incident, even if two processes open and reopen at the same time."""

    async def body(store: Store) -> None:
        first = an_incident()
        over = revised(first, status=IncidentStatus.RESOLVED, resolved_at=NOW)
        second = an_incident(incident_id="i2", dedup_key="another", opened_at=NOW + timedelta(hours=1))
        for incident in (first, over, second):
            assert await store.save_incident(incident, ())
        assert not await store.save_incident(revised(over, status=IncidentStatus.OPEN), ())
        assert await store.find_incident(IncidentKind.REGRESSION, "target", "key") == second
        assert await store.find_incident(IncidentKind.NO_DATA, "target", "key") is None
        assert await store.save_incident(revised(second, status=IncidentStatus.WITHDRAWN), ())
        assert await store.find_incident(IncidentKind.REGRESSION, "target", "key") == over
        assert await store.find_incident(IncidentKind.REGRESSION, "target") is None

    check(body)


def test_later_alerts_go_to_the_notifiers_of_the_firing_one(check: Callable[[Check], None]) -> None:
    """A resolved alert is queued for exactly the notifiers of the firing one, whatever the current routes are."""

    async def body(store: Store) -> None:
        incident = an_incident()
        assert await store.save_incident(incident, [an_alert(incident, notifiers=("chat",))])
        over = revised(incident, status=IncidentStatus.RESOLVED, resolved_at=NOW)
        assert await store.save_incident(over, [an_alert(over, AlertState.RESOLVED)])
        (firing,) = await store.lease_deliveries(BOTH, 10, NOW, 60)
        await store.mark_delivered({firing.delivery_id: None}, NOW)
        (resolved,) = await store.lease_deliveries(BOTH, 10, NOW, 60)
        assert [(each.notifier, each.alert.state) for each in (firing, resolved)] == [
            ("chat", AlertState.FIRING),
            ("chat", AlertState.RESOLVED),
        ]
        assert firing.alert == an_alert(incident, notifiers=("chat",))

    check(body)


def test_a_silence_holds_alerts_back_until_it_ends(check: Callable[[Check], None]) -> None:
    """If the incident is still active, the alert is sent after the silence; it has the reason of the delay."""

    async def body(store: Store) -> None:
        incident, until = an_incident(), NOW + timedelta(hours=1)
        held = an_alert(incident, silenced_until=until, silence="rebuild")
        assert await store.save_incident(incident, [held])
        assert await store.lease_deliveries(BOTH, 10, until - timedelta(seconds=1), 60) == []
        leased = await store.lease_deliveries(BOTH, 10, until, 60)
        assert [each.alert for each in leased] == [held, held]

    check(body)


def test_an_incident_that_ends_within_a_silence_sends_nothing(check: Callable[[Check], None]) -> None:
    """Neither the firing nor the resolved alert is sent; the deliveries are stored as silenced."""

    async def body(store: Store) -> None:
        incident, until = an_incident(), NOW + timedelta(hours=1)
        assert await store.save_incident(incident, [an_alert(incident, silenced_until=until, silence="rebuild")])
        over = revised(incident, status=IncidentStatus.RESOLVED, resolved_at=NOW)
        assert await store.save_incident(over, [an_alert(over, AlertState.RESOLVED)])
        assert await store.lease_deliveries(BOTH, 10, until + timedelta(days=1), 60) == []
        assert await store.count_deliveries() == {"pending": 0, "delivered": 0, "dead": 0, "silenced": 2}

    check(body)


def test_a_finished_delivery_is_not_requeued(check: Callable[[Check], None]) -> None:
    """A late failure of one worker does not undo the delivery of another."""

    async def body(store: Store) -> None:
        await a_decision(store)
        slow, _ = await store.lease_deliveries(BOTH, 10, NOW, 60)
        await store.mark_delivered({slow.delivery_id: None}, NOW)
        await store.mark_undelivered(slow.delivery_id, Reason.TIMEOUT, "late", next_attempt_at=None)
        assert (await store.count_deliveries())["delivered"] == 1
        assert (await store.count_deliveries())["dead"] == 0

    check(body)


def test_a_clock_that_was_set_back_does_not_delay_alerts(check: Callable[[Check], None]) -> None:
    """New alerts are due at once, and a lease from the future is ignored."""

    async def body(store: Store) -> None:
        await a_decision(store)
        yesterday = NOW - timedelta(days=1)
        assert len(await store.lease_deliveries(BOTH, 10, NOW, 60)) == len(BOTH)
        assert len(await store.lease_deliveries(BOTH, 10, yesterday, 60)) == len(BOTH)
        assert await store.lease_deliveries(BOTH, 10, yesterday, 60) == []

    check(body)


def test_the_false_alarm_ledger_counts_outcomes_of_incidents(check: Callable[[Check], None]) -> None:
    """The ledger counts fired, confirmed and dismissed incidents by target and policy."""

    async def body(store: Store) -> None:
        over = {"status": IncidentStatus.RESOLVED, "resolved_at": NOW}
        false = {"status": IncidentStatus.DISMISSED, "resolved_at": NOW}
        rolled_back = {**over, "resolution": Resolution.ROLLED_BACK}
        unheard = {"status": IncidentStatus.WITHDRAWN, "fired_at": None}
        acknowledged = {"acknowledged_at": NOW}
        story: list[dict[str, Any]] = [
            over,
            rolled_back,
            {**over, **acknowledged},
            false,
            {**false, **acknowledged},
            unheard,
            {"policy": "lax", **over},
        ]
        for number, changes in enumerate([*story, {"kind": IncidentKind.NO_DATA, **over}]):
            assert await store.save_incident(an_incident(incident_id=f"i{number}", **changes), ())
        assert await store.tally_incidents() == [
            Tally(target="target", policy="lax", fired=1),
            Tally(target="target", policy="strict", fired=5, confirmed=2, dismissed=2),
        ]

    check(body)


def test_the_latest_swap_of_a_target_is_found(check: Callable[[Check], None]) -> None:
    """The latest swap in any of the given suites is found."""

    async def body(store: Store) -> None:
        await a_decision(store)
        assert await store.latest_swap("target", ["sample"]) == Swap(
            target="target",
            suite_name="sample",
            run_id="after",
            previous_run_id="before",
            declared=True,
            share_changed=1.0,
            detected_at=NOW,
        )
        assert await store.latest_swap("target", ["other"]) is None
        assert await store.latest_swap("elsewhere", ["sample"]) is None

    check(body)


def test_the_oldest_pending_alert_is_found(check: Callable[[Check], None]) -> None:
    """The age of the outbox is that of its oldest pending alert; delivered ones do not count."""

    async def body(store: Store) -> None:
        assert await store.oldest_pending() is None
        await a_decision(store)
        for delivery in await store.lease_deliveries(BOTH, 10, NOW, 60):
            assert await store.oldest_pending() == delivery.alert.created_at
            await store.mark_delivered({delivery.delivery_id: None}, NOW)
        assert await store.oldest_pending() is None
        assert store.errors == 0

    check(body)
