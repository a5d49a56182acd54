"""Incidents open, recover, reopen and close as the policy requires, with one alert per change."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from itertools import count

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from monitor.decision.judgement import mark
from monitor.incidents import operational
from monitor.incidents.identity import dedup_key, related
from monitor.incidents.lifecycle import acknowledge, advance, dismiss, severity_of
from monitor.incidents.routing import Labels, Links, OnCall, Route, Silence, matches
from monitor.model.alerts import Alert, AlertState
from monitor.model.incidents import Change, Incident, IncidentKind, IncidentStatus, Resolution, Severity
from monitor.model.policies import Policy
from monitor.model.suites import Axis
from monitor.model.verdicts import Evidence, Verdict, VerdictName
from tests.properties import examples

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SWAP = Change(
    baseline="minilm-v1", candidate="minilm-v2", since=NOON, declared=True, runs={"legal": ("run-before", "run-after")}
)
ON_CALL = OnCall(notifiers=("pager", "chat"))
_verdicts = count(1)


def evidence(difference: float = -0.03, suite: str = "legal", **changes: object) -> Evidence:
    """One gating measure with this difference, significant by default."""
    default = Evidence(
        suite=suite,
        axis=Axis.BROAD,
        stratum="overall",
        measure="recall@10",
        gating=True,
        n_queries=400,
        n_clusters=90,
        baseline_mean=0.9,
        candidate_mean=0.9 + difference,
        difference=difference,
        lower=difference - 0.01 if difference else 0.0,
        upper=difference + 0.01 if difference else 0.0,
        p_worse=0.0001 if difference < 0 else 1.0,
        p_worse_adjusted=0.0004 if difference < 0 else 1.0,
        p_better=1.0 if difference <= 0 else 0.0001,
        p_better_adjusted=1.0 if difference <= 0 else 0.0004,
        p_not_safe=0.5,
        mde=0.02,
    )
    return replace(default, **changes)  # type: ignore[arg-type]  # fields by name


def verdict(
    name: VerdictName = VerdictName.REGRESSED,
    *parts: Evidence,
    minutes: float = 0,
    policy: Policy = Policy(),  # noqa: B008 - frozen
    baselines: Sequence[str] = ("run-before",),
    lost: Sequence[dict[str, object]] = (),
) -> Verdict:
    """A verdict with this evidence, or with default evidence for its name."""
    usual = {
        VerdictName.REGRESSED: (evidence(),),
        VerdictName.TRADE_OFF: (evidence(), evidence(0.1, "negation", axis=Axis.COMPOSITIONAL)),
        VerdictName.PASSED: (evidence(-0.001, p_worse_adjusted=0.6),),
        VerdictName.INCONCLUSIVE: (evidence(-0.02, p_worse_adjusted=0.2, lower=-0.06),),
        VerdictName.INVALID: (),
    }
    return Verdict(
        verdict_id=f"verdict-{next(_verdicts)}",
        cycle_id="cycle",
        target="docs",
        name=name,
        summary=f"It is {name}.",
        advice="roll back",
        evidence=mark(parts or usual[name], (), policy),
        run_ids=("run-after",),
        baseline_run_ids=tuple(baselines),
        policy=policy,
        policy_digest="",
        seed=1,
        method="cluster-sign-flip",
        decided_at=NOON + timedelta(minutes=minutes),
        lost_queries=tuple(lost),
    )


def restored(minutes: float = 0, suites: Sequence[str] = ("legal",), **others: object) -> Verdict:
    """A passed verdict whose every result equals the baseline's."""
    return verdict(VerdictName.PASSED, *(evidence(0.0, suite) for suite in suites), minutes=minutes, **others)  # type: ignore[arg-type]  # by name


def after(*verdicts: Verdict, on_call: OnCall = ON_CALL, change: Change = SWAP) -> tuple[Incident | None, list[Alert]]:
    """The incident after these verdicts, and all alerts."""
    incident, sent = None, []
    for one in verdicts:
        incident, alerts = advance(incident, one, on_call, change)
        sent += alerts
    return incident, sent


def states(alerts: Sequence[Alert]) -> list[AlertState]:
    """The states of the alerts."""
    return [alert.state for alert in alerts]


def opened(*verdicts: Verdict, on_call: OnCall = ON_CALL) -> Incident:
    """The incident after these verdicts, or after one that pages."""
    incident, _ = after(*(verdicts or (verdict(),)), on_call=on_call)
    assert incident is not None
    return incident


def test_only_the_first_paging_verdict_sends_an_alert():
    """Repeated verdicts about the same drop send a single alert."""
    incident, alerts = after(verdict(), verdict(minutes=5), verdict(minutes=10))
    assert incident is not None
    assert incident.status is IncidentStatus.OPEN
    assert states(alerts) == [AlertState.FIRING]
    assert alerts[0].notifiers == ("pager", "chat")
    unchanged, _ = advance(incident, verdict(minutes=15), ON_CALL, SWAP)
    assert unchanged is incident


@pytest.mark.parametrize("name", [VerdictName.PASSED, VerdictName.INCONCLUSIVE, VerdictName.INVALID])
def test_a_verdict_that_does_not_page_opens_nothing(name):
    """Without a regression there is no incident and no alert."""
    assert after(verdict(name)) == (None, [])


def test_recovery_needs_the_policys_number_of_passed_verdicts():
    """Two passed verdicts in a row resolve an incident, and the alert has its duration."""
    incident, alerts = after(verdict(), verdict(VerdictName.PASSED, minutes=60))
    assert incident is not None
    assert incident.is_open
    assert states(alerts) == [AlertState.FIRING]
    ended, alerts = advance(incident, verdict(VerdictName.PASSED, minutes=90), ON_CALL, SWAP)
    assert ended is not None
    assert (ended.status, ended.resolution) == (IncidentStatus.RESOLVED, Resolution.RECOVERED)
    assert alerts[0].payload["data"]["duration_s"] == 5_400.0


@pytest.mark.parametrize("between", [VerdictName.INCONCLUSIVE, VerdictName.REGRESSED])
def test_another_verdict_resets_the_recovery_count(between):
    """Passed verdicts must be consecutive."""
    incident = opened(
        verdict(), verdict(VerdictName.PASSED), verdict(between), verdict(VerdictName.PASSED), verdict(between)
    )
    assert incident.is_open
    assert dict(incident.recovering) == {"legal": 0}


def test_an_invalid_verdict_does_not_affect_recovery():
    """A cycle without a valid comparison does not change the recovery count."""
    incident = opened(verdict(), verdict(VerdictName.PASSED), verdict(VerdictName.INVALID), verdict(VerdictName.PASSED))
    assert incident.status is IncidentStatus.RESOLVED


def test_results_that_equal_the_baseline_resolve_at_once():
    """After a rollback, one run resolves the incident, which counts as confirmed."""
    incident, alerts = after(verdict(), restored(30))
    assert incident is not None
    assert (incident.status, incident.resolution) == (IncidentStatus.RESOLVED, Resolution.ROLLED_BACK)
    assert incident.is_confirmed
    assert states(alerts) == [AlertState.FIRING, AlertState.RESOLVED]


def test_a_new_baseline_resolves_the_incident_as_accepted():
    """Promoting the current deployment resolves the incident without confirming it."""
    incident = opened(verdict(), restored(30, baselines=("run-after",)))
    assert (incident.resolution, incident.is_confirmed) == (Resolution.ACCEPTED, False)


def test_a_schedule_cannot_resolve_suites_that_it_does_not_measure():
    """Only verdicts about the affected suites count as recovery."""
    incident = opened(verdict(), restored(5, ["medical"]), restored(6, ["medical"]))
    assert incident.is_open
    assert opened(verdict(), restored(5, ["legal", "medical"])).status is IncidentStatus.RESOLVED


def test_drops_after_the_same_swap_are_one_incident():
    """A second affected suite joins the incident and must recover as well."""
    one, two = verdict(), verdict(VerdictName.REGRESSED, evidence(-0.04, "medical", stratum="dosage"), minutes=1)
    incident, alerts = after(one, two)
    assert incident is not None
    assert incident.suites == ("legal", "medical")
    assert states(alerts) == [AlertState.FIRING]
    half, _ = advance(incident, restored(5, ["legal"]), ON_CALL, SWAP)
    assert half is not None
    assert half.is_open
    whole, _ = advance(half, restored(6, ["medical"]), ON_CALL, SWAP)
    assert whole is not None
    assert whole.status is IncidentStatus.RESOLVED


def test_confirmation_needs_the_policys_number_of_verdicts():
    """With confirm 3, the first two verdicts send no alert."""
    policy = Policy(confirm=3)
    incident, alerts = after(verdict(policy=policy), verdict(policy=policy))
    assert incident is not None
    assert incident.status is IncidentStatus.SUSPECTED
    assert alerts == []
    incident, alerts = advance(incident, verdict(policy=policy), ON_CALL, SWAP)
    assert incident is not None
    assert incident.is_open
    assert states(alerts) == [AlertState.FIRING]


@pytest.mark.parametrize("name", [VerdictName.PASSED, VerdictName.INCONCLUSIVE])
def test_a_suspicion_that_is_not_confirmed_is_withdrawn(name):
    """A withdrawn incident sends no alert, and the next suspicion is a new incident."""
    policy = Policy(confirm=2)
    incident, alerts = after(verdict(policy=policy), verdict(name, policy=policy))
    assert incident is not None
    assert (incident.status, incident.has_fired, alerts) == (IncidentStatus.WITHDRAWN, False, [])
    again, _ = advance(incident, verdict(policy=policy), ON_CALL, SWAP)
    assert again is not None
    assert again.incident_id != incident.incident_id


def test_a_drop_that_returns_soon_reopens_the_incident():
    """Within the policy's time, a drop of the same deployment reopens the incident and sends an alert."""
    policy = Policy(reopen_within=3_600.0)
    resolved = opened(verdict(policy=policy), restored(30))
    again, alerts = advance(resolved, verdict(minutes=80, policy=policy), ON_CALL, SWAP)
    assert again is not None
    assert (again.incident_id, again.reopened, again.resolved_at) == (resolved.incident_id, 1, None)
    assert states(alerts) == [AlertState.FIRING]
    later, _ = advance(resolved, verdict(minutes=100, policy=policy), ON_CALL, SWAP)
    assert later is not None
    assert later.incident_id != resolved.incident_id


def test_a_reopening_that_is_not_confirmed_leaves_the_incident_resolved():
    """An unconfirmed suspicion does not change the record of a resolved incident."""
    policy = Policy(confirm=2)
    resolved = opened(verdict(policy=policy), verdict(policy=policy), restored(30, policy=policy))
    suspected, _ = advance(resolved, verdict(minutes=40, policy=policy), ON_CALL, SWAP)
    back, alerts = advance(suspected, restored(50, policy=policy), ON_CALL, SWAP)
    assert back is not None
    assert alerts == ()
    names = ("status", "resolution", "resolved_at", "reopened", "fired_at")
    assert [getattr(back, name) for name in names] == [getattr(resolved, name) for name in names]


def test_the_duration_after_a_reopening_counts_from_the_reopening():
    """The duration starts at the reopening."""
    incident, alerts = after(verdict(), restored(30), verdict(minutes=60), restored(70))
    assert incident is not None
    assert [alert.payload["data"]["duration_s"] for alert in alerts] == [None, 1_800.0, None, 600.0]


def test_the_key_follows_from_the_target_and_the_baseline_alone():
    """All messages about one drop share a key, whatever is served; another baseline or target has another key."""
    keys = [dedup_key("docs", ["run-before"]), dedup_key("docs", ["run-other"]), dedup_key("wiki", ["run-before"])]
    assert len(set(keys)) == 3
    incident, alerts = after(verdict())
    current, _ = advance(incident, verdict(minutes=5), ON_CALL, replace(SWAP, candidate="minilm-v3"))
    assert current is not None
    assert (current.dedup_key, alerts[0].dedup_key) == (keys[0], keys[0])


@pytest.mark.parametrize("candidate", ["minilm-v2", "minilm-v3", "unnamed (1f2e)"])
def test_churn_of_the_served_deployment_does_not_page_a_dismissed_drop_again(candidate):
    """A new document that changes the fingerprint, and moves the means within their intervals, keeps the identity."""
    ended, _ = dismiss(opened(), ON_CALL, by="ada", reason="known", at=NOON)
    assert (ended.dismissed_by, ended.reason) == ("ada", "known (ada)")
    churned = verdict(VerdictName.REGRESSED, evidence(-0.035), minutes=60)
    change = replace(SWAP, candidate=candidate)
    assert related([ended], churned, change) is ended
    assert advance(ended, churned, ON_CALL, change) == (ended, ())


@pytest.mark.parametrize(
    ("drop", "words"),
    [
        (evidence(-0.045), "broad recall@10 fell further, by 4.5 points"),
        (evidence(-0.03, "medical"), "broad recall@10 of medical fell too"),
    ],
)
def test_a_worse_or_different_drop_reopens_a_dismissed_incident_with_its_reason(drop, words):
    """Beyond the interval of the page, or in another suite, the incident opens again and says why."""
    ended, _ = dismiss(opened(), ON_CALL, by="ada", reason="known", at=NOON)
    again = verdict(VerdictName.REGRESSED, evidence(), drop, minutes=60)
    assert related([ended], again, SWAP) is ended
    reopened, (alert,) = advance(ended, again, ON_CALL, SWAP)
    assert (reopened.incident_id, reopened.status, reopened.reopened) == (ended.incident_id, IncidentStatus.OPEN, 1)
    assert words in alert.payload["data"]["reason"]
    assert "known (ada)" in alert.payload["data"]["reason"]


def test_an_unconfirmed_suspicion_leaves_a_dismissed_incident_dismissed():
    """A worse drop that is not confirmed does not change the false-alarm ledger."""
    policy = Policy(confirm=2)
    ended, _ = dismiss(
        opened(verdict(policy=policy), verdict(policy=policy)), ON_CALL, by="ada", reason="known", at=NOON
    )
    suspected, _ = advance(ended, verdict(VerdictName.REGRESSED, evidence(-0.2), policy=policy), ON_CALL, SWAP)
    assert suspected.status is IncidentStatus.SUSPECTED
    back, alerts = advance(suspected, restored(50, policy=policy), ON_CALL, SWAP)
    assert (back.status, alerts) == (IncidentStatus.DISMISSED, ())


def test_a_drop_against_another_baseline_is_another_incident():
    """After a promotion, what falls is new, even in the same suite."""
    ended, _ = dismiss(opened(), ON_CALL, by="ada", reason="known", at=NOON)
    promoted = replace(SWAP, runs={"legal": ("run-promoted", "run-later")})
    again = verdict(minutes=60, baselines=["run-promoted"])
    assert related([ended], again, promoted) is None
    incident, alerts = advance(related([ended], again, promoted), again, ON_CALL, promoted)
    assert incident is not None
    assert incident.incident_id != ended.incident_id
    assert states(alerts) == [AlertState.FIRING]


def test_two_schedules_of_one_target_share_an_incident():
    """A second schedule, with one suite more, meets the dismissal of the first."""
    ended, _ = dismiss(opened(), ON_CALL, by="ada", reason="known", at=NOON)
    both = replace(SWAP, runs={**SWAP.runs, "medical": ("run-medical", "run-now")}, candidate="minilm-v2 + other")
    decided = verdict(
        VerdictName.REGRESSED,
        evidence(),
        evidence(-0.001, "medical", p_worse_adjusted=0.6),
        baselines=["run-before", "run-medical"],
    )
    assert related([ended], decided, both) is ended
    assert advance(ended, decided, ON_CALL, both) == (ended, ())


def test_a_withdrawn_suspicion_does_not_hide_a_resolved_incident():
    """An incident that never fired is no reason not to reopen the one that did."""
    resolved = opened(verdict(), restored(30))
    withdrawn = replace(resolved, status=IncidentStatus.WITHDRAWN, fired_at=None, opened_at=NOON + timedelta(minutes=9))
    assert related([withdrawn, resolved], verdict(minutes=40), SWAP) is resolved


@pytest.mark.parametrize(
    ("parts", "severity"),
    [
        ([evidence(-0.049)], Severity.WARNING),
        ([evidence(-0.05)], Severity.CRITICAL),
        ([evidence(-0.04, baseline_mean=0.39)], Severity.CRITICAL),
        ([evidence(-0.30, stratum="torts")], Severity.WARNING),
        ([evidence(-0.30, axis=Axis.COMPOSITIONAL)], Severity.WARNING),
        ([evidence(-0.30, gating=False), evidence(-0.02)], Severity.WARNING),
    ],
)
def test_severity_follows_from_the_size_and_the_axis(parts, severity):
    """Five points or ten per cent of the whole broad axis are critical; a part, or the other axis, is a warning."""
    assert severity_of(verdict(VerdictName.REGRESSED, *parts)) is severity


def test_a_trade_off_is_critical():
    """A trade-off is critical, whatever the size of the drop."""
    assert severity_of(verdict(VerdictName.TRADE_OFF)) is Severity.CRITICAL


def test_an_incident_that_becomes_critical_sends_another_alert():
    """A warning that becomes critical is also sent to notifiers of critical alerts, and stays critical."""
    routes = (Route(("pager",), {"severity": ("critical",)}), Route(("chat",)))
    grave = verdict(VerdictName.REGRESSED, evidence(-0.2), minutes=5)
    incident, alerts = after(
        verdict(), grave, verdict(minutes=10), on_call=OnCall(notifiers=("pager", "chat"), routes=routes)
    )
    assert incident is not None
    assert incident.severity is Severity.CRITICAL
    assert [alert.notifiers for alert in alerts] == [("chat",), ("pager",)]
    assert len({alert.alert_id for alert in alerts}) == 2


def test_an_acknowledged_incident_is_confirmed():
    """An acknowledgement sends one alert with the same key, and the incident can still resolve."""
    acknowledged, alerts = acknowledge(opened(), ON_CALL, by="ada", at=NOON)
    assert acknowledged is not None
    assert (acknowledged.status, acknowledged.is_confirmed, states(alerts)) == (
        IncidentStatus.ACKNOWLEDGED,
        True,
        [AlertState.ACKNOWLEDGED],
    )
    assert alerts[0].payload["data"]["acknowledged_by"] == "ada"
    assert acknowledge(acknowledged, ON_CALL, by="bob", at=NOON) == (acknowledged, ())
    ended, alerts = advance(acknowledged, restored(30), ON_CALL, SWAP)
    assert ended is not None
    assert (ended.status, states(alerts)) == (IncidentStatus.RESOLVED, [AlertState.RESOLVED])


def test_a_false_alarm_is_dismissed_with_a_reason_and_the_same_cause_stays_quiet():
    """A dismissal has a reason and sends a resolved alert; the same drop does not page again."""
    ended, alerts = dismiss(opened(), ON_CALL, by="ada", reason="the suite is wrong", at=NOON)
    assert ended is not None
    assert (ended.status, ended.reason, ended.is_confirmed) == (
        IncidentStatus.DISMISSED,
        "the suite is wrong (ada)",
        False,
    )
    assert states(alerts) == [AlertState.RESOLVED]
    assert "the suite is wrong" in alerts[0].payload["data"]["summary"]
    assert advance(ended, verdict(minutes=5), ON_CALL, SWAP) == (ended, ())
    worse, alerts = advance(ended, verdict(VerdictName.REGRESSED, evidence(-0.2), minutes=6), ON_CALL, SWAP)
    assert worse is not None
    assert (worse.incident_id, worse.reopened) == (ended.incident_id, 1)
    assert states(alerts) == [AlertState.FIRING]


def test_a_resolved_incident_can_still_be_dismissed():
    """A late dismissal corrects the false-alarm ledger without an alert."""
    ended, alerts = dismiss(opened(verdict(), restored(30)), ON_CALL, by="ada", reason="noise", at=NOON)
    assert ended is not None
    assert (ended.status, alerts) == (IncidentStatus.DISMISSED, ())
    assert ended.resolved_at == NOON + timedelta(minutes=30)


def test_deciding_twice_gives_the_same_incident_and_alert():
    """A crash between decision and storage cannot page twice."""
    decided = verdict()
    assert advance(None, decided, ON_CALL, SWAP) == advance(None, decided, ON_CALL, SWAP)


def test_every_change_is_the_next_revision():
    """Each change increases the revision by one, so that concurrent writes are detected."""
    steps = [verdict(), verdict(VerdictName.PASSED), verdict(VerdictName.PASSED), verdict()]
    incident, revisions = None, []
    for step in steps:
        incident, _ = advance(incident, step, ON_CALL, SWAP)
        assert incident is not None
        revisions.append(incident.revision)
    assert revisions == [1, 2, 3, 4]


class Lifetimes(RuleBasedStateMachine):
    """Any sequence of verdicts and user actions, with any hysteresis."""

    def __init__(self) -> None:
        super().__init__()
        self.incident: Incident | None = None
        self.sent: list[Alert] = []
        self.minutes = 0
        self.policy = Policy(confirm=2, recover=2, reopen_within=600.0)

    def _keep(self, step: tuple[Incident | None, tuple[Alert, ...]]) -> None:
        before, (now, alerts) = self.incident, step
        if before is not None and now is not None and now.incident_id == before.incident_id:
            assert now is before or now.revision == before.revision + 1
        elif now is not None:
            assert before is None or not before.is_active, "an incident that lasts is never replaced"
        self.incident = now
        self.sent += alerts

    @rule(
        name=st.sampled_from(VerdictName),
        suites=st.sets(st.sampled_from(["legal", "medical"]), min_size=1),
        minutes=st.integers(0, 30),
        is_exact=st.booleans(),
        drop=st.sampled_from([-0.03, -0.2]),
    )
    def judge(self, name: VerdictName, suites: set[str], minutes: int, is_exact: bool, drop: float) -> None:
        """Decide one more cycle."""
        self.minutes += minutes
        if name is VerdictName.PASSED and is_exact:
            decided = restored(self.minutes, sorted(suites), policy=self.policy)
        else:
            size = drop if name.pages else -0.001
            p = 0.001 if name.pages else 0.9
            parts = [evidence(size, suite, p_worse_adjusted=p) for suite in sorted(suites)]
            decided = verdict(name, *parts, minutes=self.minutes, policy=self.policy)
        self._keep(advance(self.incident, decided, ON_CALL, SWAP))

    @precondition(lambda self: self.incident is not None)
    @rule(is_false=st.booleans())
    def attend(self, is_false: bool) -> None:
        """Acknowledge or dismiss the incident."""
        assert self.incident is not None
        at = NOON + timedelta(minutes=self.minutes)
        if is_false:
            self._keep(dismiss(self.incident, ON_CALL, by="ada", reason="noise", at=at))
        else:
            self._keep(acknowledge(self.incident, ON_CALL, by="ada", at=at))

    @invariant()
    def every_message_is_its_own(self) -> None:
        """Alert ids are unique."""
        assert len({alert.alert_id for alert in self.sent}) == len(self.sent)

    @invariant()
    def what_fires_is_over_once(self) -> None:
        """In each incident, resolved follows firing, and only firing follows resolved."""
        last_states: dict[str, AlertState] = {}
        for alert in self.sent:
            before = last_states.get(alert.incident_id)
            if alert.state is not AlertState.FIRING:
                assert before in (AlertState.FIRING, AlertState.ACKNOWLEDGED)
            last_states[alert.incident_id] = alert.state
        for incident_id, state in last_states.items():
            is_this = self.incident is not None and self.incident.incident_id == incident_id
            if is_this and self.incident is not None and self.incident.status is not IncidentStatus.SUSPECTED:
                assert self.incident.is_open == (state is not AlertState.RESOLVED)
            else:
                assert state is AlertState.RESOLVED, "an announced incident was left open"

    @invariant()
    def what_on_call_knows_is_what_is_kept(self) -> None:
        """An open incident has fired; a suspected one has not."""
        if self.incident is not None:
            assert self.incident.has_fired or not self.incident.is_open
            assert (self.incident.resolved_at is None) or not self.incident.is_open


Lifetimes.TestCase.settings = settings(examples(120), stateful_step_count=30)
TestLifetimes = Lifetimes.TestCase


# What an alert says.


def data_of(*verdicts: Verdict, on_call: OnCall = ON_CALL) -> dict[str, object]:
    """The data of the first alert."""
    _, alerts = after(*verdicts, on_call=on_call)
    data: dict[str, object] = alerts[0].payload["data"]
    return data


def test_an_alert_is_enough_to_act_on():
    """One message has the drops and gains, their statistics, the deployment, links and the next command."""
    on_call = OnCall(
        notifiers=("pager",),
        owners={"docs": "search"},
        links=Links("https://rw/", "https://grafana", "https://wiki/runbooks"),
    )
    data = data_of(verdict(VerdictName.TRADE_OFF), on_call=on_call)
    (fallen,), (risen,) = data["fallen"], data["risen"]
    assert (fallen["suite"], fallen["difference"], fallen["lower"]) == ("legal", -0.03, -0.04)
    assert (fallen["p_worse_adjusted"], fallen["n_queries"], fallen["n_clusters"], fallen["mde"]) == (
        0.0004,
        400,
        90,
        0.02,
    )
    assert (risen["suite"], risen["axis"], risen["difference"]) == ("negation", "compositional", 0.1)
    assert data["deployment"] == {
        "baseline": "minilm-v1",
        "candidate": "minilm-v2",
        "since": NOON.isoformat(),
        "declared": True,
        "declared_by": None,
    }
    assert (data["severity"], data["owner"], data["method"]) == ("critical", "search", "cluster-sign-flip")
    assert data["next_command"] == "recallwatch compare run-before run-after"
    assert data["links"] == {
        "incident": f"https://rw/incidents/{data['incident_id']}",
        "runbook": "https://wiki/runbooks#recallwatchregression",
        "dashboard": "https://grafana/d/recallwatch-target?var-target=docs",
        "run": "https://rw/runs/run-after",
        "comparison": f"https://rw/comparisons/{data['verdict_id']}",
    }


def test_an_alert_leads_with_the_broad_axis_and_its_recall():
    """The headline is the whole broad axis, by recall; the command compares the runs of that suite."""
    drops = [
        evidence(-0.2, "negation", axis=Axis.COMPOSITIONAL, measure="pair_accuracy"),
        evidence(-0.3, stratum="travel"),
        evidence(-0.12, measure="ndcg@10"),
        evidence(-0.1),
    ]
    data = data_of(verdict(VerdictName.REGRESSED, *drops))
    assert (data["headline"]["stratum"], data["headline"]["measure"]) == ("overall", "recall@10")
    assert [(row["stratum"], row["measure"]) for row in data["fallen"]] == [
        ("overall", "recall@10"), ("overall", "ndcg@10"), ("travel", "recall@10"), ("overall", "pair_accuracy"),
    ]  # fmt: skip
    assert [row["stratum"] for row in data["strata"]] == ["travel"]
    assert data["next_command"] == "recallwatch compare run-before run-after"


def test_an_alert_says_what_the_cause_is_not():
    """Parts that the cause and its look-alikes do not name are ruled out."""
    change = replace(SWAP, cause="the embedding model changed or the corpus changed", share_changed=0.99)
    _, (alert,) = after(verdict(), change=change)
    cause = alert.payload["data"]["cause"]
    assert cause["excluded"] == ["index", "configuration"]
    assert cause["share_changed"] == 0.99


def test_an_alert_names_the_shares_of_a_drop_of_answers():
    """The blame of a significant drop of the answers has shares that add up to one."""
    attribution = {
        "measure": "answer_f1", "difference": -0.2, "lower": -0.3, "upper": -0.1, "sentence": "answers fell",
        "shares": [{"name": "retrieval", "difference": -0.25}, {"name": "generation", "difference": 0.05}],
    }  # fmt: skip
    decided = replace(verdict(), insights={"legal": {"attribution": [attribution]}, "causes": {"legal": "a text"}})
    blame = data_of(decided)["blame"]
    assert blame["shares"] == {"retrieval": 1.25, "generation": -0.25}
    assert data_of(verdict())["blame"] == {"shares": {"retrieval": 1.0}, "measure": None, "sentence": None}


def test_every_message_has_the_same_keys():
    """Alerts of every kind and state have the same keys."""
    fault = operational.no_data(
        "nightly", "docs", suites=["legal"], axes=["broad"], silent_s=60, last_at=None, problem=""
    )
    begun, firing = operational.open_incident(None, fault, ON_CALL, at=NOON)
    _, regression_alerts = after(verdict(), restored(30))
    _, acknowledged = acknowledge(opened(), ON_CALL, by="ada", at=NOON)
    messages = [*regression_alerts, *firing, *acknowledged, *operational.resolve_incident(begun, ON_CALL, at=NOON)[1]]
    assert len({frozenset(message.payload["data"]) for message in messages}) == 1
    assert len(messages) == 5


@pytest.mark.parametrize(
    ("query_text", "text"),
    [("show", "who owns it?"), ("withhold", None), ("hash", "sha256:d9fdd3c6b0b6b1e5")],
)
def test_alerts_show_query_texts_only_as_the_policy_allows(query_text, text):
    """A withheld or hashed text appears nowhere in the alert; the verdict still has it."""
    lost = {"query_id": "q1", "query": "who owns it?", "expected": ["d1"], "retrieved_now": ["d9"]}
    decided = verdict(lost=[lost], policy=Policy(query_text=query_text))
    (lost_query,) = data_of(decided)["lost_queries"]
    if query_text == "hash":
        assert lost_query["query"].startswith("sha256:")
        assert len(lost_query["query"]) == len(text)
    else:
        assert lost_query["query"] == text
    assert (lost_query["query_id"], lost_query["expected"]) == ("q1", ["d1"])
    assert decided.lost_queries[0]["query"] == "who owns it?"


def test_a_number_that_does_not_exist_is_null():
    """An unbounded interval is null, because JSON has no infinity."""
    (fallen,) = data_of(verdict(VerdictName.REGRESSED, evidence(lower=float("-inf"))))["fallen"]
    assert fallen["lower"] is None


# Routes and silences.


def test_a_route_needs_every_label_and_accepts_any_of_its_values():
    """Labels are combined with and, values with or; a regular expression must match the whole label."""
    labels = Labels(
        target="docs-eu", severity=Severity.CRITICAL, owner="search", axes=("broad",), suites=("legal", "medical")
    )
    assert matches({}, labels)
    assert matches({"suite": ("medical", "other"), "owner": ("search",)}, labels)
    assert not matches({"suite": ("medical",), "owner": ("chat",)}, labels)
    assert matches({"target": ("/docs-.*/",)}, labels)
    assert not matches({"target": ("/docs/",)}, labels)
    assert not matches({"owner": ("/.*/",)}, Labels(target="docs", severity=Severity.WARNING)), "no owner is no label"


@pytest.mark.parametrize(
    ("hour", "end"),
    [(21.99, None), (22, 30), (23.5, 30), (2, 6), (5.99, 6), (6, None), (12, None)],
)
def test_a_part_of_every_day_may_cross_midnight(hour, end):
    """A silence from 22:00 to 06:00 ends at the next 06:00."""
    silence = Silence(reason="nightly", daily=(time(22), time(6)))
    midnight = NOON.replace(hour=0)
    expected = None if end is None else midnight + timedelta(hours=end)
    assert silence.end_after(midnight + timedelta(hours=hour)) == expected


@pytest.mark.parametrize(
    ("at", "end"),
    [
        ("2026-10-24T23:30:00+00:00", "2026-10-25T00:30:00+00:00"),  # 01:30 in summer time
        ("2026-10-25T01:15:00+00:00", "2026-10-25T01:30:00+00:00"),  # 02:15 for the second time
        ("2026-10-25T01:30:00+00:00", None),
    ],
)
def test_a_silence_ends_after_now_when_clocks_are_set_back(at, end):
    """In the hour that a zone repeats, the end is never before the instant that it covers."""
    silence = Silence(reason="nightly", daily=(time(22), time(2, 30)), zone="Europe/Berlin")
    expected = datetime.fromisoformat(end) if end else None
    assert silence.end_after(datetime.fromisoformat(at)) == expected


def test_a_silence_is_over_when_it_can_hold_nothing_back():
    """Neither after its end, nor with an end before its start, nor without any time."""
    hour = timedelta(hours=1)
    assert not Silence(reason="r", ends_at=NOON + hour).is_over(NOON)
    assert Silence(reason="r", ends_at=NOON).is_over(NOON)
    assert Silence(reason="r", starts_at=NOON + 2 * hour, ends_at=NOON + hour).is_over(NOON)
    assert Silence(reason="r").is_over(NOON)
    assert not Silence(reason="r", daily=(time(22), time(6))).is_over(NOON)
    assert Silence(reason="r", daily=(time(22), time(6)), ended_at=NOON).is_over(NOON)


def test_consecutive_silences_are_combined():
    """No alert is sent between two adjacent silences."""
    first = Silence(reason="rebuild", starts_at=NOON, ends_at=NOON + timedelta(hours=1))
    second = Silence(reason="tests", starts_at=NOON + timedelta(minutes=30), ends_at=NOON + timedelta(hours=2))
    on_call = OnCall(silences=(first, second))
    assert on_call.silence_for(Labels(target="docs", severity=Severity.WARNING), NOON) == (
        NOON + timedelta(hours=2),
        "rebuild",
    )


def test_a_silenced_incident_is_recorded_and_held_back():
    """The alert has the reason and the end of the silence; the incident is unaffected."""
    on_call = OnCall(
        notifiers=("pager",),
        silences=(
            Silence(reason="rebuild", match={"target": ("docs",)}, starts_at=None, ends_at=NOON + timedelta(hours=1)),
        ),
    )
    incident, (alert,) = after(verdict(), on_call=on_call)
    assert incident is not None
    assert incident.is_open
    assert (alert.silenced_until, alert.silence) == (NOON + timedelta(hours=1), "rebuild")
    assert alert.payload["data"]["silence"] == "rebuild"


# Operational incidents.


def test_missing_data_sends_one_alert_and_resolves_with_the_next_run():
    """The alert has the duration, the reason and the next command."""
    fault = operational.no_data(
        "nightly", "docs", suites=["my suite"], axes=["broad"], silent_s=7_260, last_at=NOON, problem="no connection"
    )
    incident, (firing,) = operational.open_incident(None, fault, ON_CALL, at=NOON)
    assert incident is not None
    assert (incident.kind, incident.severity) == (IncidentKind.NO_DATA, Severity.WARNING)
    data = firing.payload["data"]
    assert (data["verdict"], data["dedup_key"]) == ("no_data", "recallwatch/no_data/nightly")
    assert "2 h 1 min" in data["summary"]
    assert "no connection" in data["summary"]
    assert data["next_command"] == "recallwatch run --target docs --suite 'my suite'"
    assert operational.open_incident(incident, fault, ON_CALL, at=NOON) == (incident, ())
    ended, (resolved,) = operational.resolve_incident(incident, ON_CALL, at=NOON + timedelta(minutes=9))
    assert ended is not None
    assert (resolved.state, resolved.payload["data"]["duration_s"]) == (AlertState.RESOLVED, 540.0)
    assert operational.resolve_incident(ended, ON_CALL, at=NOON) == (ended, ())


def test_an_alert_about_a_notifier_goes_to_the_others():
    """It goes to the other notifiers of the route, or to all others if the route has no other."""
    fault = operational.dead_letter("pager", "docs", Severity.CRITICAL, alert_id="alert_1", problem="HTTP 400")
    everyone = ("pager", "chat", "mail")
    _, (alert,) = operational.open_incident(
        None, fault, OnCall(notifiers=everyone, routes=(Route(("pager", "chat")),)), at=NOON
    )
    assert alert.notifiers == ("chat",)
    _, (alert,) = operational.open_incident(
        None, fault, OnCall(notifiers=everyone, routes=(Route(("pager",)),)), at=NOON
    )
    assert alert.notifiers == ("chat", "mail")
    assert alert.payload["data"]["severity"] == "critical"


def test_an_incident_recovers_when_what_fell_is_no_longer_worse():
    """A fix that is not shown safe everywhere ends the incident, if what fell lies within its margin again."""
    healthy = evidence(-0.002, p_worse_adjusted=0.9)
    opening = verdict(VerdictName.REGRESSED)
    eased = [verdict(VerdictName.INCONCLUSIVE, healthy, minutes=minutes) for minutes in (60, 120)]
    incident, alerts = after(opening, *eased)
    assert incident is not None
    assert incident.fallen == (("legal", "overall", "recall@10"),)
    assert incident.status is IncidentStatus.RESOLVED
    assert states(alerts) == [AlertState.FIRING, AlertState.RESOLVED]


def test_an_incident_stays_open_while_its_interval_reaches_beyond_the_margin():
    """Not significant is not recovered: the drop may still be as large as the margin."""
    unsure = replace(evidence(-0.02, p_worse_adjusted=0.2), lower=-0.06)
    incident, alerts = after(verdict(VerdictName.REGRESSED), *[verdict(VerdictName.INCONCLUSIVE, unsure)] * 3)
    assert incident is not None
    assert incident.status is IncidentStatus.OPEN
    assert states(alerts) == [AlertState.FIRING]
