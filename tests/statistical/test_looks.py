"""The simulated year of the study and whole cycles on a virtual clock: the same looks, the same verdicts."""

import asyncio
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.study.cycles import POLICY, START, Simulation, reply_of
from benchmarks.study.scenarios import SCENARIOS, Codes, damaged, ranking, suite_of
from monitor.adapters.stores.memory.store import MemoryStore
from monitor.cycle import run_cycle
from monitor.incidents.routing import OnCall
from monitor.model.answers import Answer
from monitor.model.deployments import Baseline
from monitor.model.runs import Ranking
from monitor.plan import Plan
from monitor.world import World

HOURS = 24 * 14
N_QUERIES = 60


class Recorded:
    """A retriever and answerer that returns the data of a simulation: first the run of the hour, then the replays."""

    concurrency = 1
    takes_contexts = needs_contexts = False

    def __init__(self, simulation: Simulation) -> None:
        self.simulation = simulation
        self.hour, self.passes = 0, -1

    def turn(self, hour: int) -> None:
        """The next hour begins."""
        self.hour, self.passes = hour, -1

    async def retrieve(self, query: str, k: int) -> Ranking:
        """The ranking of this pass; each pass begins with the first query."""
        number = int(query)
        self.passes += number == 0
        return ranking(int(self.rows()[0][number]))

    async def answer(self, query: str, contexts: object = None) -> Answer:
        """The answer of this pass."""
        answers = self.rows()[1]
        assert answers is not None
        answer = reply_of(bool(answers[int(query)])).answer
        assert answer is not None
        return answer

    def rows(self) -> tuple[Codes, NDArray[np.bool_] | None]:
        """What this pass returns for every query; a service that repeats itself returns the run in every replay."""
        replays = self.simulation.replayed.get(self.hour, ())
        if self.passes and replays:
            return replays[self.passes - 1]
        answers = self.simulation.answers
        return self.simulation.codes[self.hour], None if answers is None else answers[self.hour]

    async def close(self) -> None:
        """Nothing to give back."""


def run_hours(simulation: Simulation, plan: Plan, hours: int) -> Iterator[tuple[int, str, float, str]]:
    """Look, its reason and level, and verdict name of each hour, from whole cycles with an in-memory store."""
    target, store = Recorded(simulation), MemoryStore()
    clock = [START]
    answerer = target if simulation.answers is not None else None
    world = World(
        store=store, retriever=target, on_call=OnCall(), now=lambda: clock[0], owner="test", answerer=answerer
    )
    # A runner would describe every report to the signal handler, which takes as long as the cycle.
    with closing(asyncio.new_event_loop()) as loop:
        for hour in range(hours):
            clock[0] = START + timedelta(hours=hour + 1)
            target.turn(hour)
            report = loop.run_until_complete(run_cycle(plan, world))
            verdict = report.verdict
            yield verdict.look, verdict.look_reason, verdict.policy.alpha_page, str(verdict.name)
            if hour == 0:
                loop.run_until_complete(store.promote(baseline_of(report.measured[0].run.run_id)))


def baseline_of(run_id: str) -> Baseline:
    """The first run, trusted."""
    return Baseline(
        target="target",
        suite_name="suite",
        run_id=run_id,
        promoted_by="test",
        reason="first",
        promoted_at=START,
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", SCENARIOS)
def test_two_weeks_of_cycles_take_the_looks_and_verdicts_of_the_simulation(name: str):
    """Hour by hour the simulation and `run_cycle` agree, up to the page that a drop on the last day sends."""
    rng = np.random.default_rng(7)
    lost = np.where(np.arange(HOURS) < HOURS - 24, 0.0, 0.5)
    service = damaged(SCENARIOS[name](HOURS, N_QUERIES, rng), lost, rng)
    suite = suite_of(N_QUERIES, answered=service.right is not None)
    plan = Plan(target="target", suites=(suite,), policy=replace(POLICY, resamples=199))
    simulation = Simulation(service, rng, policy=plan.policy, measures=plan.measures)
    expected = []
    for cycle in simulation.cycles(judge_all=True):
        look = cycle.look
        described = (look.number, look.why, look.alpha) if look else (0, "", plan.policy.alpha_page)
        expected.append((*described, str(cycle.name)))
        if cycle.pages:
            break
    assert HOURS - 24 <= cycle.hour < HOURS - 18
    assert list(run_hours(simulation, plan, len(expected))) == expected
