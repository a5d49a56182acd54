"""Change detection over many cycles: churn, rare noise, replicas, and processes that stop between two steps."""

import asyncio
import itertools
import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from monitor.cycle import run_cycle
from monitor.model.verdicts import VerdictName
from tests.unit.change_detection.test_monitor import N_QUERIES, Service, Target


class Churning(Target):
    """Returns the same results within a cycle; between cycles a share of the queries gets another rank."""

    def __init__(self, seed: int, *, share: float) -> None:
        super().__init__(seed, noise=0.0)
        self.share = share
        self.clock = random.Random(seed + 1)  # noqa: S311 - the same churn every time, not a secret

    def turn(self) -> None:
        """Added and removed documents change the rank of the relevant document of some queries."""
        for number in self.clock.sample(range(N_QUERIES), round(self.share * N_QUERIES)):
            self.ranks[number] = min(int(self.clock.expovariate(0.5)), 12)


class Sticky(Target):
    """Two replicas behind one address, which answer in turn for some cycles each."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed, noise=0.0)
        self.replicas = [(0.0, 3), (0.4, 2)]

    def turns(self) -> Iterator[float]:
        """The lost share of each cycle."""
        for lost, cycles in itertools.cycle(self.replicas):
            yield from [lost] * cycles


@pytest.mark.slow
def test_learned_churn_spends_no_looks_and_a_swap_within_churn_pages():
    """Two per cent of the queries change every hour: few looks, no page; then a fifth of the answers is lost."""
    target = Churning(11, share=0.02)
    service = Service(target)
    service.cycle()
    reports = []
    for _ in range(60):
        target.turn()
        reports.append(service.cycle())
    assert len(service.state.looks) <= 10
    assert not any(report.verdict.name.pages for report in reports)
    assert sum(bool(report.swaps) for report in reports[20:]) == 0
    probes = target.n_probes
    target.turn()
    service.cycle()
    assert target.n_probes == probes + N_QUERIES
    target.lost = 0.3
    assert service.cycle().verdict.name is VerdictName.REGRESSED


@pytest.mark.slow
def test_rare_noise_causes_no_looks_and_no_swaps():
    """One query in two hundred changes at random, too rarely for five replays of a hundred queries."""
    target = Target(12, noise=0.0)
    service = Service(target)
    service.cycle()
    flicker = random.Random(3)  # noqa: S311 - the same flicker every time
    usual = list(target.ranks)
    reports = []
    for _ in range(60):
        target.ranks = [min(rank + 3, 12) if flicker.random() < 0.005 else rank for rank in usual]
        reports.append(service.cycle())
    assert len(service.state.looks) == 0
    assert not any(report.verdict.name.pages for report in reports)
    assert sum(bool(report.swaps) for report in reports[25:]) == 0


def test_alternating_replicas_keep_their_verdicts_and_announce_no_further_swaps():
    """The bad replica is regressed and the good one passes each time, with one look and at most three swaps."""
    target = Sticky(13)
    service = Service(target)
    service.cycle()
    names: dict[float, set[str]] = {0.0: set(), 0.4: set()}
    swaps = 0
    for lost in itertools.islice(target.turns(), 40):
        target.lost = lost
        report = service.cycle()
        names[lost].add(str(report.verdict.name))
        swaps += bool(report.swaps)
    assert names == {0.0: {"passed"}, 0.4: {"regressed"}}
    assert len(service.state.looks) == 1
    assert swaps <= 3
    assert report.verdict.insights["replicas"] >= 3


class Stopped(BaseException):
    """The process stops here, as with SIGKILL."""


class Mortal:
    """A store that stops the process before its n-th call, once ``left`` is set."""

    def __init__(self, store: Any) -> None:
        self.store = store
        self.left: int | None = None

    def __getattr__(self, name: str) -> Any:
        member = getattr(self.store, name)
        if not asyncio.iscoroutinefunction(member):
            return member

        async def call(*arguments: Any, **options: Any) -> Any:
            if self.left is not None:
                self.left -= 1
                if self.left < 0:
                    raise Stopped(name)
            return await member(*arguments, **options)

        return call


@pytest.mark.slow
@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_a_crash_at_any_call_of_the_store_loses_no_regression(noise):
    """The process stops before each call of the store in turn, and the next cycle pages the drop."""
    for calls in itertools.count():
        service = Service(Target(14, noise=noise))
        for _ in range(3):
            service.cycle()
        mortal = Mortal(service.store)
        service.target.lost = 0.6
        world = service.world
        service.world = replace(world, store=mortal)
        mortal.left = calls
        try:
            service.cycle()
        except Stopped:
            service.world = world
            assert service.cycle().verdict.name is VerdictName.REGRESSED, f"lost before call {calls}"
        else:
            break
        assert service.store.incidents
    assert calls > 6


class Raced:
    """A store in which another process decides once between reading and writing of this one."""

    def __init__(self, service: Service) -> None:
        self.store, self.service, self.raced = service.store, service, False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    async def save_decision(self, decision: Any) -> bool:
        """Run the other process first, then save."""
        if not self.raced:
            self.raced = True
            await asyncio.to_thread(self.service.cycle)
        return await self.store.save_decision(decision)


def test_of_two_processes_that_decide_at_once_the_second_decides_again():
    """The revision of the detector state prevents a double decision: one look, one incident."""
    other = Service(Target(15, noise=0.0))
    other.cycle()
    other.target.lost = 0.5
    raced = Raced(other)
    report = asyncio.run(run_cycle(other.plan, replace(other.world, store=raced)))
    assert raced.raced
    assert report.verdict.name is VerdictName.REGRESSED
    assert [verdict.look for verdict in other.store.verdicts[1:]] == [1, 1]
    assert len(other.state.looks) == 1
    assert [incident.status for incident in other.store.incidents.values()] == ["open"]
