"""A scrape returns the latest cycle of each target, with bounded labels."""

import math
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from prometheus_client.parser import text_string_to_metric_families

from monitor import __version__
from monitor.adapters.exporters.families import empty
from monitor.adapters.exporters.prometheus import CONTENT_TYPE, CycleResult, Metrics, Outbox, Planned
from monitor.errors import Reason
from monitor.evaluation.measures import MEASURES
from monitor.evaluation.scoring import fingerprint, measure
from monitor.model.deployments import Swap
from monitor.model.incidents import Tally
from monitor.model.measurements import Measured
from monitor.model.policies import Policy
from monitor.model.runs import Failure, Outcome, Ranking, Run, RunStatus
from monitor.model.suites import Axis, Pair, Query, Suite
from monitor.model.verdicts import Evidence, Verdict, VerdictName

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
ALL_MEASURES = ("recall@1", "recall@10", "mrr@10", "ndcg@10", "success@5")


def suite(name: str = "legal", axis: Axis = Axis.BROAD, strata: Sequence[str] = ("contracts", "torts")) -> Suite:
    """Two queries per stratum, each with one relevant document."""
    queries = tuple(
        Query(
            query_id=f"query-{stratum}-{n}",
            text="?",
            stratum=stratum,
            cluster=f"cluster-{n}",
            grades={f"document-{stratum}-{n}": 1},
        )
        for stratum in strata
        for n in range(2)
    )
    pairs = tuple(Pair(q.query_id, next(iter(q.grades)), "document-violating") for q in queries)
    return Suite(
        name=name,
        version="1",
        axis=axis,
        queries=queries,
        pairs=pairs if axis is Axis.COMPOSITIONAL else (),
        digest="digest-of-suite",
    )


def measured(of: Suite, ranks: Sequence[int | None]) -> Measured:
    """A run with each query's document at the given rank; None is a failure."""
    outcomes = []
    for query, rank in zip(of.queries, ranks, strict=True):
        doc_ids = [f"document-other-{place}" for place in range(10)]
        if rank is None:
            outcomes.append(Outcome(query_id=query.query_id, failure=Failure(Reason.TIMEOUT, "slow")))
            continue
        doc_ids[rank - 1] = next(iter(query.grades))
        outcomes.append(Outcome(query_id=query.query_id, ranking=Ranking(doc_ids=tuple(doc_ids)), duration_s=0.02))
    run_fingerprint = fingerprint(outcomes)
    run = Run(
        run_id="run-candidate",
        cycle_id="cycle-1",
        target="production",
        suite_name=of.name,
        suite_digest=of.digest,
        axis=of.axis,
        depth=10,
        started_at=NOON,
        finished_at=NOON,
        status=RunStatus.FINISHED,
        owner="here/1",
        outcomes=tuple(outcomes),
        fingerprint=run_fingerprint,
        deployment="minilm-v2",
    )
    return measure(run, of, ALL_MEASURES)


def evidence(of: Suite, stratum: str = "overall", name: str = "recall@10", **changes: float) -> Evidence:
    """A drop from 0.9 to 0.75."""
    default = Evidence(
        suite=of.name,
        axis=of.axis,
        stratum=stratum,
        measure=name,
        gating=True,
        n_queries=4,
        n_clusters=2,
        baseline_mean=0.9,
        candidate_mean=0.75,
        difference=-0.15,
        lower=-0.2,
        upper=-0.1,
        p_worse=0.001,
        p_worse_adjusted=0.004,
        p_better=1.0,
        p_better_adjusted=1.0,
        p_not_safe=0.9,
        mde=0.04,
        mde_page=0.05,
    )
    return replace(default, **changes)


def verdict(name: VerdictName = VerdictName.REGRESSED, *parts: Evidence, target: str = "production") -> Verdict:
    """A verdict about a target."""
    return Verdict(
        verdict_id="verdict-1",
        cycle_id="cycle-1",
        target=target,
        name=name,
        summary="fell",
        advice="roll back",
        evidence=parts,
        run_ids=("run-candidate",),
        baseline_run_ids=("run-baseline",),
        policy=Policy(),
        policy_digest="",
        seed=0,
        method="",
        decided_at=NOON,
    )


def swap() -> Swap:
    """A silent swap."""
    return Swap(
        target="production",
        suite_name="legal",
        run_id="run-candidate",
        previous_run_id="run-baseline",
        declared=False,
        share_changed=0.5,
        detected_at=NOON,
    )


def published(*snapshots: CycleResult) -> Metrics:
    """Metrics after these cycles, in this order."""
    metrics = Metrics()
    for result in snapshots:
        metrics.publish(result)
    return metrics


def samples(metrics: Metrics) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Every sample of a scrape by name and labels; a duplicate is an error."""
    samples: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
    for family in text_string_to_metric_families(metrics.render().decode()):
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in samples, f"twice: {key}"
            samples[key] = sample.value
    return samples


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    """One sample; None if it does not exist."""
    return samples(metrics).get((name, frozenset(labels.items())))


def test_measures_have_a_series_per_stratum_and_one_overall():
    """Each measure has its own family, with target, suite, axis, stratum, cutoff and role as labels."""
    legal = suite()
    metrics = published(
        CycleResult(
            verdict=verdict(), measured=(measured(legal, [1, 2, 5, None]),), incident_open=True, finished_at=NOON
        )
    )
    where = {"target": "production", "suite": "legal", "axis": "broad", "role": "candidate"}
    expected = {
        ("recallwatch_recall_ratio", "overall", "1"): 1 / 3,
        ("recallwatch_recall_ratio", "contracts", "1"): 0.5,
        ("recallwatch_recall_ratio", "torts", "1"): 0.0,
        ("recallwatch_recall_ratio", "overall", "10"): 1.0,
        ("recallwatch_mrr_ratio", "contracts", "10"): (1 + 1 / 2) / 2,
        ("recallwatch_mrr_ratio", "torts", "10"): 1 / 5,
        ("recallwatch_ndcg_ratio", "torts", "10"): 1 / math.log2(6),
        ("recallwatch_success_ratio", "overall", "5"): 1.0,
    }
    for (name, stratum, k), mean in expected.items():
        assert value(metrics, name, stratum=stratum, k=k, **where) == pytest.approx(mean), (name, stratum, k)


def test_pair_accuracy_is_exported_without_a_cutoff():
    """A compositional suite exports the share of pairs in the right order."""
    negation = suite("negation", Axis.COMPOSITIONAL, ("negation",))
    metrics = published(
        CycleResult(verdict=verdict(), measured=(measured(negation, [1, 3]),), incident_open=False, finished_at=NOON)
    )
    where = {"target": "production", "suite": "negation", "axis": "compositional", "role": "candidate"}
    assert value(metrics, "recallwatch_pair_accuracy_ratio", stratum="overall", k="", **where) == 1.0


def test_measures_of_structure_have_families_of_their_own():
    """Structure, reach, separation and the rate of violating documents are exported; separation is no ratio."""
    negation = suite("negation", Axis.COMPOSITIONAL, ("negation",))
    shown = measured(negation, [1, 3])
    scores = tuple(0.83 - 0.05 * math.sqrt(place) for place in range(10))
    scored = tuple(
        replace(each, ranking=replace(each.ranking, scores=scores)) for each in shown.run.outcomes if each.ranking
    )
    shown = measure(replace(shown.run, outcomes=scored), negation)
    metrics = published(CycleResult(verdict=verdict(), measured=(shown,), incident_open=False, finished_at=NOON))
    where = {"target": "production", "suite": "negation", "axis": "compositional", "role": "candidate"}
    assert value(metrics, "recallwatch_structure_ratio", stratum="overall", k="", **where) == 1.0
    assert value(metrics, "recallwatch_reach_ratio", stratum="overall", k="", **where) == 1.0
    assert value(metrics, "recallwatch_separation", stratum="overall", k="", **where) == pytest.approx(
        shown.measurements["separation"].mean
    )
    assert value(metrics, "recallwatch_violating_ratio", stratum="overall", k="1", **where) == 0.0


def test_every_measure_that_can_be_configured_has_a_family():
    """Every measure that a policy can name is exported."""
    assert {family.name for family in empty()} >= {measure.family.metric for measure in MEASURES.values()}


def test_evidence_shows_baseline_difference_and_interval():
    """The evidence of a verdict is exported with its bounds and the smallest detectable effect."""
    legal = suite()
    metrics = published(
        CycleResult(
            verdict=verdict(VerdictName.REGRESSED, evidence(legal)),
            measured=(measured(legal, [1, 1, 1, 1]),),
            incident_open=True,
            finished_at=NOON,
        )
    )
    where = {"target": "production", "suite": "legal", "axis": "broad", "stratum": "overall"}
    assert value(metrics, "recallwatch_recall_ratio", k="10", role="baseline", **where) == 0.9
    assert value(metrics, "recallwatch_difference_ratio", measure="recall@10", **where) == -0.15
    assert value(metrics, "recallwatch_difference_lower_ratio", measure="recall@10", **where) == -0.2
    assert value(metrics, "recallwatch_difference_upper_ratio", measure="recall@10", **where) == -0.1
    assert value(metrics, "recallwatch_mde_ratio", measure="recall@10", **where) == 0.05


def test_a_value_that_is_not_finite_has_no_series():
    """A bound that is not finite is left out instead of exported as NaN."""
    legal = suite()
    unbounded = evidence(legal, lower=math.nan, upper=math.nan, mde_page=math.inf)
    metrics = published(
        CycleResult(
            verdict=verdict(VerdictName.INCONCLUSIVE, unbounded),
            measured=(measured(legal, [1, 1, 1, 1]),),
            incident_open=False,
            finished_at=NOON,
        )
    )
    names = {name for name, _ in samples(metrics)}
    assert "recallwatch_difference_ratio" in names
    assert not names & {
        "recallwatch_difference_lower_ratio",
        "recallwatch_difference_upper_ratio",
        "recallwatch_mde_ratio",
    }
    assert b"NaN" not in metrics.render()


@pytest.mark.parametrize("holds", list(VerdictName))
def test_exactly_one_verdict_is_current(holds):
    """Each possible verdict has a series, and only the current one is 1."""
    metrics = published(CycleResult(verdict=verdict(holds), measured=(), incident_open=False, finished_at=NOON))
    values = {name: value(metrics, "recallwatch_verdict", target="production", verdict=name) for name in VerdictName}
    assert values == {name: float(name is holds) for name in VerdictName}


def test_states_of_a_run_are_exported():
    """Coverage, judged share, the latest successful run, the deployment and the incident are exported."""
    legal = suite()
    metrics = published(
        CycleResult(verdict=verdict(), measured=(measured(legal, [1, 1, 1, 1]),), incident_open=True, finished_at=NOON)
    )
    where = {"target": "production", "suite": "legal"}
    assert value(metrics, "recallwatch_coverage_ratio", **where) == 1.0
    assert value(metrics, "recallwatch_judged_ratio", **where) == pytest.approx(0.1)
    assert value(metrics, "recallwatch_run_last_success_timestamp_seconds", **where) == NOON.timestamp()
    assert value(metrics, "recallwatch_deployment_info", deployment="minilm-v2", **where) == 1.0
    assert value(metrics, "recallwatch_incident_open", target="production") == 1.0


def test_a_run_with_too_many_failures_is_no_success():
    """A run below the minimum coverage does not change the time of the latest success."""
    metrics = published(
        CycleResult(
            verdict=verdict(VerdictName.INVALID),
            measured=(measured(suite(), [1, 1, 1, None]),),
            incident_open=False,
            finished_at=NOON,
        ),
    )
    where = {"target": "production", "suite": "legal"}
    assert value(metrics, "recallwatch_coverage_ratio", **where) == 0.75
    assert value(metrics, "recallwatch_run_last_success_timestamp_seconds", **where) is None


def test_the_latest_success_survives_a_failed_run():
    """The time of the latest success stays while runs fail, because an alert uses its age."""
    legal = suite()
    metrics = published(
        CycleResult(
            verdict=verdict(VerdictName.PASSED),
            measured=(measured(legal, [1, 1, 1, 1]),),
            incident_open=False,
            finished_at=NOON,
        ),
        CycleResult(
            verdict=verdict(VerdictName.INVALID),
            measured=(measured(legal, [1, 1, 1, None]),),
            incident_open=False,
            finished_at=NOON.replace(hour=13),
        ),
    )
    where = {"target": "production", "suite": "legal"}
    assert value(metrics, "recallwatch_run_last_success_timestamp_seconds", **where) == NOON.timestamp()


def test_probes_are_counted_as_they_end():
    """Failures are counted by reason, answers by duration; a skipped query is not counted."""
    metrics = Metrics()
    for outcome in measured(suite(), [1, None, None, 4]).run.outcomes:
        metrics.watch("production", outcome)
    metrics.watch("production", Outcome(query_id="skipped"))
    assert value(metrics, "recallwatch_probe_failures_total", target="production", reason="timeout") == 2.0
    assert value(metrics, "recallwatch_probe_duration_seconds_count", target="production") == 2.0
    assert value(metrics, "recallwatch_probe_duration_seconds_sum", target="production") == pytest.approx(0.04)
    assert value(metrics, "recallwatch_probe_duration_seconds_bucket", target="production", le="0.025") == 2.0


def test_deliveries_and_failed_cycles_are_counted():
    """The counts of the outbox worker and the scheduler are exported."""
    metrics = Metrics()
    metrics.alerts["on-call", "firing"] += 2
    metrics.refused["on-call", "timeout"] += 3
    metrics.cycle_failures["production"] += 1
    assert value(metrics, "recallwatch_alerts_total", notifier="on-call", state="firing") == 2.0
    assert value(metrics, "recallwatch_notifications_failed_total", notifier="on-call", reason="timeout") == 3.0
    assert value(metrics, "recallwatch_cycle_failures_total", target="production") == 1.0


def test_the_false_alarm_ledger_is_exported_by_target_policy_and_outcome():
    """The metrics have the number of pages per policy, and how many were confirmed or dismissed."""
    metrics = Metrics(tallies=[Tally(target="production", policy="strict", fired=5, confirmed=2, dismissed=1)])
    where = {"target": "production", "policy": "strict"}
    values = {
        outcome: value(metrics, "recallwatch_incidents_total", outcome=outcome, **where)
        for outcome in ("fired", "confirmed", "dismissed")
    }
    assert values == {"fired": 5.0, "confirmed": 2.0, "dismissed": 1.0}


def test_overdue_schedules_and_dead_letters_are_exported():
    """Overdue schedules and dead letters have their own series."""
    metrics = Metrics(no_data={("production", "nightly"): True, ("production", "hourly"): False})
    metrics.dead_letters["on-call", "rejected"] += 2
    assert value(metrics, "recallwatch_no_data", target="production", schedule="nightly") == 1.0
    assert value(metrics, "recallwatch_no_data", target="production", schedule="hourly") == 0.0
    assert value(metrics, "recallwatch_dead_letters_total", notifier="on-call", reason="rejected") == 2.0


def test_the_latest_swap_stays_visible():
    """A swap stays visible after the cycle that detected it."""
    result = CycleResult(verdict=verdict(), measured=(), incident_open=False, finished_at=NOON, swap=swap())
    metrics = published(result, replace(result, swap=None))
    name = "recallwatch_swap_last_detected_timestamp_seconds"
    assert value(metrics, name, target="production") == NOON.timestamp()


def test_a_removed_stratum_leaves_no_series():
    """If a later cycle lacks a stratum or a suite, its series disappear."""
    legal, smaller = suite(), suite(strata=("contracts", "wills"))
    other = suite("medical")
    before = CycleResult(
        verdict=verdict(),
        measured=(measured(legal, [1, 1, 1, 1]), measured(other, [1, 1, 1, 1])),
        incident_open=False,
        finished_at=NOON,
    )
    after = CycleResult(
        verdict=verdict(), measured=(measured(smaller, [1, 1, 1, 1]),), incident_open=False, finished_at=NOON
    )
    metrics = published(before)
    assert {"torts", "contracts"} <= _values_of(metrics, "stratum")
    metrics.publish(after)
    assert _values_of(metrics, "stratum") == {"overall", "contracts", "wills"}
    assert _values_of(metrics, "suite") == {"legal"}


def test_targets_do_not_overwrite_each_other():
    """Each target shows its own latest cycle."""
    legal = suite()
    metrics = published(
        CycleResult(
            verdict=verdict(VerdictName.PASSED, target="blue"),
            measured=(measured(legal, [1, 1, 1, 1]),),
            incident_open=False,
            finished_at=NOON,
        ),
        CycleResult(
            verdict=verdict(VerdictName.REGRESSED, target="green"),
            measured=(measured(legal, [2, 2, 2, 2]),),
            incident_open=True,
            finished_at=NOON,
        ),
    )
    where = {"suite": "legal", "axis": "broad", "stratum": "overall", "k": "1", "role": "candidate"}
    assert value(metrics, "recallwatch_recall_ratio", target="blue", **where) == 1.0
    assert value(metrics, "recallwatch_recall_ratio", target="green", **where) == 0.0


def test_two_schedules_of_one_target_are_both_exported():
    """Suites with their own schedules keep their series side by side."""
    metrics = published(
        CycleResult(
            verdict=verdict(),
            measured=(measured(suite("legal"), [1, 1, 1, 1]),),
            incident_open=False,
            finished_at=NOON,
            schedule="daily",
        ),
        CycleResult(
            verdict=verdict(),
            measured=(measured(suite("medical"), [1, 1, 1, 1]),),
            incident_open=False,
            finished_at=NOON,
            schedule="hourly",
        ),
    )
    assert _values_of(metrics, "suite") == {"legal", "medical"}


def _values_of(metrics: Metrics, label: str) -> set[str]:
    return {dict(labels)[label] for _, labels in samples(metrics) if label in dict(labels)}


def everything() -> Metrics:
    """Metrics with every family filled."""
    legal, negation = suite(), suite("negation", Axis.COMPOSITIONAL, ("negation", "binding"))
    runs = (measured(legal, [1, 2, None, 4]), measured(negation, [1, 2, 3, 4]))
    metrics = published(
        CycleResult(
            verdict=verdict(VerdictName.REGRESSED, evidence(legal)),
            measured=runs,
            incident_open=True,
            finished_at=NOON,
            swap=swap(),
        )
    )
    for run in runs:
        for outcome in run.run.outcomes:
            metrics.watch("production", outcome)
    metrics.alerts["on-call", "firing"] += 1
    metrics.refused["on-call", "timeout"] += 1
    metrics.cycle_failures["production"] += 1
    return metrics


def test_no_label_contains_a_query_document_or_run():
    """Label values are bounded: they do not grow with the suite or with time."""
    for _, labels in samples(everything()):
        for label, content in labels:
            assert not content.startswith(("query-", "document-", "run-", "cycle-", "verdict-", "cluster-")), label


def test_every_family_has_the_prefix_and_a_help_text():
    """Every family has the prefix recallwatch_ and a help text."""
    for family in text_string_to_metric_families(everything().render().decode()):
        assert family.name.startswith("recallwatch_")
        assert len(family.documentation) > 10


def test_label_values_that_need_escaping_survive():
    """A suite name with quotes, backslashes or line breaks gives one well-formed line."""
    odd = suite('a "quoted"\\name\nand more')
    metrics = published(
        CycleResult(verdict=verdict(), measured=(measured(odd, [1, 1, 1, 1]),), incident_open=False, finished_at=NOON)
    )
    assert _values_of(metrics, "suite") == {odd.name}


def test_two_exporters_are_independent():
    """Each exporter has its own registry; nothing is registered globally."""
    from prometheus_client import REGISTRY

    Metrics()
    Metrics()
    assert not any(family.name.startswith("recallwatch") for family in REGISTRY.collect())


def test_the_content_type_is_that_of_the_text_format():
    """The content type names the format and its version."""
    assert CONTENT_TYPE.startswith("text/plain; version=")


@pytest.mark.slow
def test_promtool_accepts_the_exposition():
    """The tool reports no problem with names, units and help texts."""
    promtool = shutil.which("promtool")
    assert promtool, "this test needs promtool: apt-get install prometheus"
    done = subprocess.run(
        [promtool, "check", "metrics"], input=everything().render(), capture_output=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def planned(target: str = "production", *suites: str, interval_s: float = 60.0) -> Planned:
    """The plan of a schedule."""
    return Planned(target, suites or ("legal",), interval_s)


def test_counters_start_at_zero():
    """Every counter of a planned target and notifier exists at zero, so that a first event is an increase."""
    metrics = Metrics()
    metrics.plan({"daily": planned()}, ["on-call"])
    for reason in Reason:
        assert value(metrics, "recallwatch_probe_failures_total", target="production", reason=reason) == 0.0
        assert value(metrics, "recallwatch_notifications_failed_total", notifier="on-call", reason=reason) == 0.0
    assert value(metrics, "recallwatch_alerts_total", notifier="on-call", state="firing") == 0.0
    assert value(metrics, "recallwatch_cycle_failures_total", target="production") == 0.0
    assert value(metrics, "recallwatch_probe_duration_seconds_count", target="production") == 0.0


def test_planning_again_keeps_the_counts():
    """A reload that keeps a target keeps its counts."""
    metrics = Metrics()
    metrics.plan({"daily": planned()}, ["on-call"])
    metrics.watch("production", Outcome(query_id="query-1", failure=Failure(Reason.TIMEOUT, "slow")))
    metrics.plan({"hourly": planned()}, ["on-call"])
    assert value(metrics, "recallwatch_probe_failures_total", target="production", reason="timeout") == 1.0


def test_a_removed_target_leaves_no_series():
    """After a reload, a removed target has no series, counters or times."""
    legal = suite()
    metrics = Metrics()
    metrics.plan({"daily": planned("blue"), "weekly": planned("green")})
    for name, schedule in (("blue", "daily"), ("green", "weekly")):
        gone = replace(swap(), target=name)
        result = CycleResult(
            verdict=verdict(target=name),
            measured=(measured(legal, [1, 1, 1, 1]),),
            incident_open=False,
            finished_at=NOON,
            swap=gone,
            schedule=schedule,
        )
        metrics.publish(result)
        metrics.due[schedule], metrics.cycle_seconds[schedule] = NOON, 1.0
    assert _values_of(metrics, "target") == {"blue", "green"}
    metrics.plan({"daily": planned("blue")})
    assert _values_of(metrics, "target") == {"blue"}
    assert [result.verdict.target for result in metrics.results.values()] == ["blue"]


def test_a_removed_suite_leaves_no_series():
    """After a reload without a suite, the other suites of the schedule stay."""
    metrics = Metrics()
    metrics.plan({"daily": planned("production", "legal", "medical")})
    runs = (measured(suite("legal"), [1, 1, 1, 1]), measured(suite("medical"), [1, 1, 1, 1]))
    metrics.publish(
        CycleResult(verdict=verdict(), measured=runs, incident_open=False, finished_at=NOON, schedule="daily")
    )
    metrics.plan({"daily": planned("production", "legal")})
    assert _values_of(metrics, "suite") == {"legal"}
    assert value(metrics, "recallwatch_verdict", target="production", verdict="regressed") == 1.0


def test_a_schedule_exports_the_start_of_its_next_cycle():
    """The delay of a cycle can be computed without the daemon, which may hang."""
    metrics = Metrics()
    metrics.plan({"daily": planned(interval_s=86_400.0)})
    metrics.due["daily"], metrics.cycle_seconds["daily"] = NOON, 12.5
    where = {"target": "production", "schedule": "daily"}
    assert value(metrics, "recallwatch_cycle_due_timestamp_seconds", **where) == NOON.timestamp()
    assert value(metrics, "recallwatch_cycle_duration_seconds", **where) == 12.5
    assert value(metrics, "recallwatch_run_interval_seconds", target="production", suite="legal") == 86_400.0


def test_a_suite_of_two_schedules_has_the_shorter_interval():
    """The interval of a suite is that of its most frequent schedule."""
    metrics = Metrics()
    metrics.plan({"daily": planned(interval_s=86_400.0), "hourly": planned(interval_s=3_600.0)})
    assert value(metrics, "recallwatch_run_interval_seconds", target="production", suite="legal") == 3_600.0


def test_the_health_of_the_daemon_is_exported():
    """Outbox, database, configuration, start and version have series; an outbox that was never checked has none."""
    metrics = Metrics(started_at=NOON)
    assert value(metrics, "recallwatch_outbox_deliveries", state="pending") is None
    metrics.outbox = Outbox({"pending": 3, "delivered": 9, "dead": 1}, NOON)
    metrics.database_errors, metrics.reload_succeeded = 2, False
    assert value(metrics, "recallwatch_outbox_deliveries", state="pending") == 3.0
    assert value(metrics, "recallwatch_outbox_deliveries", state="dead") == 1.0
    assert value(metrics, "recallwatch_outbox_oldest_timestamp_seconds") == NOON.timestamp()
    assert value(metrics, "recallwatch_database_errors_total") == 2.0
    assert value(metrics, "recallwatch_config_last_reload_successful") == 0.0
    assert value(metrics, "recallwatch_start_timestamp_seconds") == NOON.timestamp()
    assert value(metrics, "recallwatch_build_info", version=__version__) == 1.0


def test_the_limits_of_the_policy_are_exported():
    """Alerts and dashboards compare with the policy's own minimum coverage and margin."""
    metrics = published(
        CycleResult(
            verdict=verdict(), measured=(measured(suite(), [1, 1, 1, None]),), incident_open=False, finished_at=NOON
        )
    )
    where = {"target": "production", "suite": "legal"}
    assert value(metrics, "recallwatch_coverage_floor_ratio", **where) == Policy().coverage_floor
    assert value(metrics, "recallwatch_margin_ratio", **where) == Policy().margin
    values = {each: value(metrics, "recallwatch_run_queries", outcome=each, **where) for each in ("scored", "failed")}
    assert values == {"scored": 3.0, "failed": 1.0}


def test_a_cycle_that_ends_does_not_change_a_running_scrape():
    """All families of a scrape come from the same snapshot."""
    legal = suite()
    metrics = published(
        CycleResult(
            verdict=verdict(VerdictName.PASSED),
            measured=(measured(legal, [1, 1, 1, 1]),),
            incident_open=False,
            finished_at=NOON,
        )
    )
    before, chunks = metrics.render(), metrics.chunks()
    first = next(chunks)
    metrics.publish(
        CycleResult(
            verdict=verdict(VerdictName.REGRESSED),
            measured=(measured(legal, [9, 9, 9, 9]),),
            incident_open=True,
            finished_at=NOON,
        )
    )
    assert b"".join((first, *chunks)) == before
    assert metrics.render() != before


def test_a_stored_cycle_has_no_rankings_and_no_evidence():
    """The memory of a daemon does not grow with its suites."""
    legal = suite()
    metrics = published(
        CycleResult(
            verdict=verdict(VerdictName.PASSED, evidence(legal)),
            measured=(measured(legal, [1, 1, 1, 1]),),
            incident_open=False,
            finished_at=NOON,
        )
    )
    [stored] = metrics.results.values()
    assert (stored.measured, stored.verdict.evidence) == ((), ())


def test_losses_of_chains_are_exported_by_hop_and_with_the_interval_of_their_factor():
    """Hops by themselves and in their chain, and the factor; verdicts of older versions have no gold questions."""
    legal = suite()
    chains = {
        "hop_loss": 0.1,
        "chain_loss": 0.27,
        "factor": 2.7,
        "factor_interval": [2.1, 3.3],
        "success_by_hop": {
            "before": {"own": [1.0, 1.0], "chain": [1.0, 1.0]},
            "after": {"own": [0.9, 0.9], "chain": [0.9, 0.8]},
        },
    }
    for explained, expected in ((chains, 0.8), (chains | {"success_by_hop": {"before": [1.0], "after": [0.9]}}, None)):
        judged = replace(verdict(VerdictName.REGRESSED, evidence(legal)), insights={"legal": {"chains": explained}})
        run = measured(legal, [1, 1, 1, 1])
        metrics = published(CycleResult(verdict=judged, measured=(run,), incident_open=True, finished_at=NOON))
        where = {"target": "production", "suite": "legal"}
        assert value(metrics, "recallwatch_chain_loss_ratio", of="chain", **where) == 0.27
        assert value(metrics, "recallwatch_chain_compounding_factor", bound="lower", **where) == 2.1
        second = {"hop": "2", "question": "chain", "role": "candidate"}
        assert value(metrics, "recallwatch_chain_hop_success_ratio", **second, **where) == expected
