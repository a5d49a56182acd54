"""The gate: refusals before any probe, early stopping, exit codes, and a choice among candidates."""

import asyncio

import numpy as np
import pytest

from monitor.errors import ComparisonError, ConfigError
from monitor.gate.candidates import choose, divided
from monitor.gate.cost import cost_of
from monitor.gate.gate import run_gate
from monitor.gate.stopping import FIRST_BATCH, batches
from monitor.model.gates import EXIT_CODES, FAILING, GateReport, GateRules, verdict_names
from monitor.model.suites import Axis, Query, Suite
from monitor.model.verdicts import VerdictName
from monitor.service.recomputation import recompute
from tests.unit.gate.swaps import Retriever, a_gate, a_suite, a_world, finds, with_baseline

N = 800
SUITE = a_suite(N)
GOOD = finds(N, 0.8)
BAD = GOOD & finds(N, 0.7, seed=2)


def gate(candidate: np.ndarray, *, live: bool = False, suites=(SUITE,), **options):
    """The report of a gate against a good baseline, and the candidate's retriever."""

    async def run() -> tuple[GateReport, Retriever]:
        production, retriever = Retriever(GOOD), Retriever(candidate)
        store = await with_baseline(production, *suites)
        world = a_world(production, store) if live else None
        return await run_gate(a_gate(*suites, **options), a_world(retriever, store), world), retriever

    return asyncio.run(run())


@pytest.mark.parametrize("live", [False, True])
def test_an_equal_candidate_passes_after_every_query(live: bool):
    """`passed` needs the whole suite: early stopping only ever shows a regression."""
    report, retriever = gate(GOOD, live=live)
    assert (report.verdict.name, report.exit_code) == (VerdictName.PASSED, 0)
    assert sorted(retriever.asked) == list(range(N))
    assert report.n_asked == report.n_queries == N


@pytest.mark.parametrize("live", [False, True])
def test_a_clear_regression_stops_the_gate(live: bool):
    """A candidate that lost a quarter of the documents is not asked the rest, and the verdict says so."""
    report, retriever = gate(BAD, live=live)
    assert (report.verdict.name, report.exit_code) == (VerdictName.REGRESSED, 1)
    assert len(retriever.asked) == report.n_asked < N / 2
    assert f"Stopped early: the answer was clear after {report.n_asked} of 800 queries." in report.verdict.summary


def test_without_early_stopping_every_query_is_asked():
    """The same candidate is asked every query where early stopping is off."""
    report, retriever = gate(BAD, is_sequential=False)
    assert report.verdict.name is VerdictName.REGRESSED
    assert len(retriever.asked) == N


def test_a_clear_first_suite_spares_the_second():
    """The second suite is not asked once the first one made the answer clear."""
    second = a_suite(N, name="other")
    report, retriever = gate(BAD, suites=(SUITE, second))
    assert [measured.suite.name for measured in report.measured] == ["broad"]
    assert len(retriever.asked) < N


def test_a_verdict_of_a_gate_that_stopped_is_recomputed_bit_for_bit():
    """The queries that were not asked are stored as skipped, so that the verdict follows from the database alone."""

    async def run() -> str:
        store = await with_baseline(Retriever(GOOD), SUITE)
        report = await run_gate(a_gate(SUITE), a_world(Retriever(BAD), store))
        stored = await store.load_verdict(report.verdict.verdict_id)
        assert stored.summary == report.verdict.summary
        return (await recompute(stored, store)).first_difference

    assert asyncio.run(run()) == ""


def test_a_gate_opens_no_incident():
    """The candidate is not in production: nobody is paged about it."""

    async def run() -> int:
        store = await with_baseline(Retriever(GOOD), SUITE)
        await run_gate(a_gate(SUITE), a_world(Retriever(BAD), store))
        return len(await store.list_incidents())

    assert asyncio.run(run()) == 0


@pytest.mark.parametrize("is_required", [True, False])
def test_a_required_baseline_is_checked_before_any_probe(is_required: bool):
    """Without a baseline the gate is inconclusive (4), or refused before the first query where one is required."""

    async def run() -> None:
        store, retriever = await with_baseline(Retriever(GOOD)), Retriever(GOOD)
        plan = a_gate(SUITE, rules=GateRules(require_baseline=is_required))
        if is_required:
            with pytest.raises(ComparisonError, match="production has no baseline for suite broad"):
                await run_gate(plan, a_world(retriever, store))
            assert retriever.asked == []
        else:
            report = await run_gate(plan, a_world(retriever, store))
            assert (report.verdict.name, report.exit_code) == (VerdictName.INCONCLUSIVE, 4)

    asyncio.run(run())


def test_an_interrupted_gate_leaves_no_running_run():
    """A retriever that fails in an unforeseen way marks the run as interrupted."""

    class Broken(Retriever):
        async def retrieve(self, text: str, k: int):
            raise ZeroDivisionError

    async def run() -> set[str]:
        store = await with_baseline(Retriever(GOOD), SUITE)
        with pytest.raises(BaseException, match="unhandled errors"):
            await run_gate(a_gate(SUITE), a_world(Broken(GOOD), store))
        return {str(run.status) for run in await store.list_runs() if run.target == "candidate"}

    assert asyncio.run(run()) == {"interrupted"}


def test_the_cost_is_known_before_the_first_probe():
    """Probes of both sides, and the time that the latest run took."""

    async def run() -> str:
        store = await with_baseline(Retriever(GOOD), SUITE)
        world = a_world(Retriever(GOOD), store)
        return (await cost_of(a_gate(SUITE), world, world)).sentence

    assert asyncio.run(run()) == "At most 1,600 probes; about 1 s by the latest runs."


@pytest.mark.parametrize("verdict", VerdictName)
def test_each_verdict_has_its_exit_code(verdict: VerdictName):
    """0 passed, 1 regressed or trade-off, 2 invalid, 4 inconclusive; 3 where nothing was measured."""
    rules = GateRules()
    assert rules.exit_code(verdict) == EXIT_CODES[verdict]
    assert rules.exit_code(verdict, is_covered=False) == (3 if verdict == "invalid" else EXIT_CODES[verdict])


@pytest.mark.parametrize("verdict", VerdictName)
def test_inconclusive_counts_as_another_verdict(verdict: VerdictName):
    """--inconclusive-as maps inconclusive, and nothing else."""
    rules = GateRules(inconclusive_as=verdict)
    assert rules.exit_code(VerdictName.INCONCLUSIVE) == EXIT_CODES[verdict]
    assert rules.exit_code(VerdictName.REGRESSED) == 1


def test_only_chosen_verdicts_fail_the_pipeline():
    """--fail-on regressed lets a trade-off through, and an unknown name is refused."""
    rules = GateRules(fail_on=verdict_names(["regressed, invalid"], where="--fail-on"))
    codes = {str(name): rules.exit_code(name) for name in FAILING}
    assert codes == {"regressed": 1, "invalid": 2, "trade_off": 0, "inconclusive": 0}
    with pytest.raises(ConfigError, match='unknown verdict "worse"; known verdicts: passed'):
        verdict_names(["worse"], where="--fail-on")


def test_batches_hold_every_query_once_and_keep_clusters_and_chains_together():
    """Each query is in one batch, with its cluster and with the query that it follows; the order is always the same."""
    queries = [Query(query_id=f"q{n}", text="", stratum="s", cluster=f"c{n // 4}", grades={"d": 1}) for n in range(400)]
    hops = [
        Query(query_id=f"h{n}", text="{answer}", stratum="s", cluster=f"h{n}", grades={"d": 1}, follows=f"q{n}")
        for n in range(0, 400, 40)
    ]
    suite = Suite(name="s", version="1", axis=Axis.BROAD, queries=(*queries, *hops), digest="digest")
    parts = batches(suite)
    assert sorted(query.query_id for part in parts for query in part) == sorted(q.query_id for q in suite.queries)
    assert batches(suite) == parts
    assert len(parts) > 4
    assert all(len(part) >= FIRST_BATCH for part in parts[:-1])
    batch_of = {query.query_id: number for number, part in enumerate(parts) for query in part}
    clusters = {
        query.cluster: {batch_of[other.query_id] for other in queries if other.cluster == query.cluster}
        for query in queries
    }
    assert all(len(places) == 1 for places in clusters.values())
    assert all(batch_of[hop.query_id] == batch_of[hop.follows] for hop in hops)


def test_the_strongest_candidate_that_passes_is_chosen():
    """Of three candidates the bad one fails, and the one with the larger gain wins."""
    better = GOOD | finds(N, 0.1, seed=3)
    reports = [gate(each)[0] for each in (BAD, GOOD, better)]
    choice = choose(reports)
    assert [report.verdict.name for report in reports] == ["regressed", "passed", "passed"]
    assert choice.strongest is reports[2]
    assert choice.exit_code == 0
    assert choose(reports[:1]).strongest is None
    assert choose(reports[:1]).exit_code == 1


def test_several_candidates_share_the_level_of_passing():
    """The error level of the margin test is divided by the number of candidates."""
    policy = divided(a_gate(SUITE), "a", 5).plan.policy
    assert policy.alpha_warn == pytest.approx(0.01)
