"""Change detection in complete cycles, with a retriever of known noise and faults."""

import asyncio
import random
from datetime import UTC, datetime, timedelta

import pytest

from monitor.adapters.stores.memory.store import MemoryStore
from monitor.cycle import run_cycle
from monitor.incidents.routing import OnCall
from monitor.model.deployments import Baseline
from monitor.model.policies import Policy
from monitor.model.runs import Ranking
from monitor.model.suites import Axis, Query, Suite
from monitor.model.verdicts import VerdictName
from monitor.plan import Plan
from monitor.world import World

N_QUERIES = 200


class Target:
    """Returns the relevant document of each query at a fixed rank; some ranks are noisy, and some can be lost."""

    concurrency = 1

    def __init__(self, seed: int, *, noise: float, name: str | None = None) -> None:
        self.random = random.Random(seed)  # noqa: S311 - the same noise every time, not a secret
        self.noise, self.lost, self.name = noise, 0.0, name
        self.ranks = [min(int(self.random.expovariate(0.5)), 12) for _ in range(N_QUERIES)]
        self.frailty = [self.random.random() for _ in range(N_QUERIES)]
        self.n_probes = 0

    async def retrieve(self, query: str, k: int) -> Ranking:
        """The k best documents."""
        self.n_probes += 1
        number = int(query)
        rank = self.ranks[number]
        if self.random.random() < self.noise:
            rank = max(0, rank + self.random.choice((-3, -1, 1, 3)))
        doc_ids = [f"other-{place}" for place in range(k)]
        if rank < k and self.frailty[number] >= self.lost:
            doc_ids[rank] = "right"
        return Ranking(doc_ids=tuple(doc_ids), scores=None, deployment=self.name)

    async def close(self) -> None:
        """There is nothing to release."""


class Service:
    """Hourly cycles of a schedule, with their own clock."""

    def __init__(self, target: Target, **policy: object) -> None:
        queries = tuple(
            Query(query_id=f"q{i}", text=str(i), stratum="all", cluster=f"c{i}", grades={"right": 1})
            for i in range(N_QUERIES)
        )
        suite = Suite(name="suite", version="1", axis=Axis.BROAD, queries=queries, digest="suite")
        self.target, self.store = target, MemoryStore()
        self.clock = datetime(2026, 1, 1, tzinfo=UTC)
        self.plan = Plan(target="target", suites=(suite,), policy=Policy(**{"resamples": 999} | policy))
        self.world = World(store=self.store, retriever=target, on_call=OnCall(), now=lambda: self.clock, owner="test")

    def cycle(self):
        """The report of the next cycle; the first one becomes the baseline."""
        self.clock += timedelta(hours=1)
        report = asyncio.run(run_cycle(self.plan, self.world))
        if not self.store.promoted:
            run_id = report.measured[0].run.run_id
            asyncio.run(
                self.store.promote(
                    Baseline(
                        target="target",
                        suite_name="suite",
                        run_id=run_id,
                        promoted_by="test",
                        reason="first",
                        promoted_at=self.clock,
                    )
                )
            )
        return report

    @property
    def state(self):
        """The stored detector state."""
        return self.store.detector_states["target", "suite"]


def test_a_deterministic_target_is_known_after_three_small_replays_and_never_replayed_again():
    """First contact costs 3 × 100 probes; while nothing changes, a cycle costs the suite alone."""
    service = Service(Target(1, noise=0.0))
    service.cycle()
    assert service.target.n_probes == N_QUERIES + 300
    assert service.state.noise.is_deterministic
    service.cycle()
    service.cycle()
    assert service.target.n_probes == 3 * N_QUERIES + 300


def test_a_noisy_target_is_replayed_according_to_the_policy_and_its_noise_floor_is_stored():
    """24 replays of the suite give every gating measure a deviation, and are not repeated."""
    service = Service(Target(1, noise=0.1))
    service.cycle()
    assert service.target.n_probes == N_QUERIES + 300 + 24 * N_QUERIES
    noise = service.state.noise
    assert (noise.replays, noise.queries) == (24, N_QUERIES)
    assert set(noise.deviations) == {f"overall/{name}" for name in ("ndcg@10", "mrr@10", "recall@5", "recall@10")}
    assert 0 < noise.deviations["overall/mrr@10"] < 0.03
    service.cycle()
    assert service.target.n_probes == 2 * N_QUERIES + 300 + 24 * N_QUERIES


def test_a_second_swap_is_judged_by_itself_as_well():
    """The comparison with the baseline covers both steps; the one with the previous run covers the second alone."""
    service = Service(Target(1, noise=0.0))
    service.cycle()
    service.target.lost = 0.2
    assert "run_before" not in service.cycle().verdict.insights
    service.target.lost = 0.1
    verdict = service.cycle().verdict
    assert verdict.insights["run_before"]["verdict"] != "regressed"
    assert verdict.insights["run_before"]["runs"]["suite"][0] == service.store.verdicts[1].run_ids[0]


@pytest.mark.slow
def test_noise_alone_causes_no_swap_and_no_look():
    """In 150 noisy cycles no swap is detected, no look is spent, and no verdict pages."""
    service = Service(Target(2, noise=0.1))
    reports = [service.cycle() for _ in range(150)]
    assert not any(report.swaps for report in reports)
    assert not any(report.verdict.look for report in reports)
    assert not any(report.verdict.name.pages for report in reports)


@pytest.mark.slow
@pytest.mark.parametrize("noise", [0.0, 0.1])
@pytest.mark.parametrize("lost", [0.1, 0.3])
def test_a_drop_is_paged_within_four_cycles_on_a_quiet_and_on_a_noisy_target(noise, lost):
    """A loss of a tenth of the documents pages within four cycles, with and without noise."""
    service = Service(Target(3, noise=noise))
    for _ in range(12):
        service.cycle()
    service.target.lost = lost
    reports = [service.cycle() for _ in range(4)]
    assert any(report.verdict.name is VerdictName.REGRESSED for report in reports)


def test_repeated_results_spend_one_look():
    """A deterministic target that changed once spends one look; later cycles spend no error budget."""
    service = Service(Target(4, noise=0.0))
    service.cycle()
    service.target.lost = 0.02
    first, *rest = [service.cycle().verdict for _ in range(5)]
    assert first.look_reason == "a silent swap"
    assert {each.look for each in (first, *rest)} == {1}
    assert {each.policy.alpha_page for each in (first, *rest)} == {first.policy.alpha_page}
    assert {each.seed for each in rest} == {first.seed}


def test_the_looks_of_a_year_share_its_budget():
    """The first ten silent changes of a year get equal parts of half the budget, later ones share the other half."""
    service = Service(Target(5, noise=0.0))
    service.cycle()
    levels = []
    for number in range(1, 13):
        service.target.lost = 0.1 + 0.05 * number
        levels.append(service.cycle().verdict.policy.alpha_page)
    assert levels[:10] == [0.0025] * 10
    assert levels[11] < levels[10]
    assert sum(levels) < 0.05


def test_a_declared_swap_triggers_a_look_on_a_noisy_target_too():
    """A new deployment name triggers the full comparison at once."""
    service = Service(Target(6, noise=0.1, name="model-1"))
    for _ in range(3):
        service.cycle()
    service.target.name = "model-2"
    report = service.cycle()
    assert report.swaps[0].declared
    assert report.verdict.look_reason == "a declared swap"
    assert service.state.noise.deployment == "model-2"


def test_a_new_baseline_resets_the_detectors_but_not_the_error_budget():
    """A promotion resets the detectors and keeps the spent looks."""
    service = Service(Target(7, noise=0.0))
    service.cycle()
    service.target.lost = 0.2
    report = service.cycle()
    promoted = Baseline(
        target="target",
        suite_name="suite",
        run_id=report.measured[0].run.run_id,
        promoted_by="test",
        reason="new",
        promoted_at=service.clock,
    )
    asyncio.run(service.store.promote(promoted))
    service.cycle()
    assert service.state.baseline_run_id == promoted.run_id
    assert len(service.state.looks) == 1


def test_a_failing_target_has_no_noise_floor():
    """Replays that mostly fail give no noise floor; the next cycle replays again."""
    from monitor.errors import Reason, RetrieverError

    class Broken(Target):
        async def retrieve(self, query: str, k: int) -> Ranking:
            raise RetrieverError(Reason.REJECTED, "no")

    service = Service(Broken(8, noise=0.0))
    service.cycle()
    assert service.state.noise.replays == 0


def test_a_verdict_on_request_does_not_change_the_detector_state():
    """``recallwatch run`` judges at the policy's own level, replays nothing twice and spends no budget."""
    from dataclasses import replace

    service = Service(Target(9, noise=0.0))
    service.cycle()
    service.target.lost = 0.4
    service.plan = replace(service.plan, is_on_request=True)
    n_before = service.target.n_probes
    verdict = service.cycle().verdict
    assert verdict.name is VerdictName.REGRESSED
    assert verdict.policy.alpha_page == Policy().alpha_page
    assert service.target.n_probes == n_before + N_QUERIES
    assert service.state.looks == ()


def test_a_failed_probe_is_not_a_change_and_spends_no_look():
    """One failure in each cycle, each time of another query: no swap, no look, and the full error budget."""
    from monitor.errors import Reason, RetrieverError

    class Flaky(Target):
        failing: str | None = None

        async def retrieve(self, query: str, k: int) -> Ranking:
            if query == self.failing:
                raise RetrieverError(Reason.REJECTED, "no")
            return await super().retrieve(query, k)

    service = Service(Flaky(10, noise=0.0))
    service.cycle()
    for number in range(5):
        service.target.failing = str(number)
        report = service.cycle()
        assert report.swaps == ()
        assert report.verdict.look == 0
    assert service.state.looks == ()
