"""Error rates of a gate that stops early, over the whole path: replay, looks, verdict."""

import asyncio
from dataclasses import replace

import numpy as np
import pytest

from monitor.gate.gate import run_gate
from monitor.model.gates import GateReport
from monitor.model.policies import Policy
from monitor.model.verdicts import VerdictName
from tests.unit.gate.swaps import Retriever, a_gate, a_suite, a_world, with_baseline

pytestmark = pytest.mark.slow
N, ALPHA, REPETITIONS = 600, 0.05, 120
SUITE = a_suite(N, strata=3)
NO_FLOORS = Policy(resamples=999, alpha_page=ALPHA, floor_absolute=0.0, floor_relative=0.0)


def reports(drop: float, churn: float, repetitions: int, *, policy: Policy = NO_FLOORS) -> list[GateReport]:
    """Gates of candidates that find ``drop`` fewer documents, where ``churn`` of the queries changed either way."""
    rng = np.random.default_rng(20_260_301)

    async def run() -> list[GateReport]:
        results = []
        for number in range(repetitions):
            before = rng.random(N) < 0.7
            changed = rng.random(N) < churn
            after = np.where(changed, rng.random(N) < 0.7, before) & (rng.random(N) >= drop)
            suite = replace(SUITE, digest=f"digest {number}")
            store = await with_baseline(Retriever(before), suite)
            gate = a_gate(suite)
            gate = replace(gate, plan=replace(gate.plan, policy=policy))
            results.append(await run_gate(gate, a_world(Retriever(after), store)))
        return results

    return asyncio.run(run())


def test_a_benign_swap_regresses_no_more_often_than_alpha():
    """Of 120 swaps that change a third of the rankings without a drop, at most α regress, however often it looked.

    Floors are off, which is the worst case, and the gate looks after every 64 queries.
    """
    regressed = sum(report.verdict.name.pages for report in reports(0.0, 0.33, REPETITIONS))
    assert regressed / REPETITIONS <= ALPHA + 3 * np.sqrt(ALPHA * (1 - ALPHA) / REPETITIONS)


def test_a_large_drop_is_clear_after_a_part_of_the_suite():
    """A candidate that lost a fifth of the documents always fails, and half of the gates ask less than half."""
    found = reports(0.2, 0.1, 20, policy=Policy(resamples=999))
    assert {report.verdict.name for report in found} == {VerdictName.REGRESSED}
    assert np.median([report.n_asked for report in found]) < N / 2


def test_stopping_early_passes_nothing_more_often():
    """A candidate that lost twice the margin never passes: early stopping cannot show that a candidate is safe."""
    found = reports(0.10, 0.1, 40, policy=Policy(resamples=999))
    assert sum(report.verdict.name is VerdictName.PASSED for report in found) == 0
