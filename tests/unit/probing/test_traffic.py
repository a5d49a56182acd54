"""One pace and one budget for everything that a target is sent, and a breaker for each of its endpoints."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from monitor.adapters.stores.memory.store import MemoryStore
from monitor.change_detection.noise import learn_noise
from monitor.config.limits import Limits
from monitor.errors import AdapterError, AnswererError, BudgetError, Reason
from monitor.evaluation.scoring import measure
from monitor.incidents.routing import OnCall
from monitor.model.answers import Answer
from monitor.model.measurements import Measured
from monitor.model.policies import Policy
from monitor.model.runs import Outcome, Ranking
from monitor.model.suites import Suite
from monitor.plan import Plan
from monitor.probing.allowance import DAY_S, Allowance
from monitor.probing.budget import refuse_beyond_budget
from monitor.probing.rate_limit import ANSWERS_BREAKER, RateLimitedAnswerer, RateLimitedRetriever
from monitor.probing.replay import replay
from monitor.world import Endpoints, World
from tests.builders import a_query, a_run, a_suite

SUITE = a_suite(*(replace(a_query(f"q{n}"), answers=("yes",)) for n in range(50)))


class Target:
    """A retriever and an answerer, which is stuck on demand; a noisy target swaps some of its rankings."""

    concurrency = 4
    takes_contexts = needs_contexts = False

    def __init__(self, *, is_stuck: bool = False, is_noisy: bool = False) -> None:
        self.is_stuck, self.is_noisy, self.probes, self.answers = is_stuck, is_noisy, 0, 0

    async def retrieve(self, query: str, k: int) -> Ranking:
        """Two documents, in an order that changes if the target is noisy."""
        self.probes += 1
        is_swapped = self.is_noisy and self.probes % 3 == 0
        return Ranking(doc_ids=("d2", "d1") if is_swapped else ("d1", "d2"))

    async def answer(self, query: str, contexts: Sequence[str] | None = None) -> Answer:
        """An answer, or a timeout."""
        self.answers += 1
        if self.is_stuck:
            raise AnswererError(Reason.TIMEOUT, "no answer in time")
        return Answer(text="yes")

    async def close(self) -> None:
        """There is nothing to release."""


def clients(
    target: Target, limits: Limits | None = None, per_day: int | None = None
) -> tuple[RateLimitedRetriever, RateLimitedAnswerer]:
    """The two endpoints of a target behind its limits."""
    retriever = RateLimitedRetriever(target, limits or Limits(), allowance=Allowance(per_day))
    return retriever, RateLimitedAnswerer(target, retriever)


async def run(endpoints: Endpoints, suite: Suite = SUITE) -> Measured:
    """One run of a suite, measured."""

    async def discard(_: Sequence[Outcome]) -> None: ...

    outcomes = await replay(suite.queries, endpoints, save=discard, watch=lambda _: None)
    return measure(replace(a_run(suite, {}), outcomes=outcomes), suite, ("recall@10", "mrr@10"))


def test_a_stuck_answerer_is_left_alone_and_the_rankings_come_back():
    """After a few timeouts in a row no answer is requested; each query has a ranking and each answer a reason."""
    target = Target(is_stuck=True)
    retriever, answerer = clients(target)
    measured = asyncio.run(run(Endpoints(retriever=retriever, depth=2, answerer=answerer, attempts=1)))
    assert target.answers <= ANSWERS_BREAKER + target.concurrency
    assert (measured.counts.scored, measured.counts.failed) == (50, 0)
    assert measured.replies is not None
    assert measured.replies.failed == 50
    assert set(measured.replies.reasons) == {Reason.TIMEOUT, Reason.UNREACHABLE}


def test_probes_and_answers_share_one_pace(monkeypatch: pytest.MonkeyPatch):
    """With ten requests a second, five probes and five answers take almost a second."""
    waits: list[float] = []

    async def wait(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", wait)
    retriever = RateLimitedRetriever(Target(), Limits(rate=10.0), lambda: 100.0)
    answerer = RateLimitedAnswerer(Target(), retriever)

    async def send() -> None:
        for _ in range(5):
            await retriever.retrieve("q", 1)
            await answerer.answer("q")

    asyncio.run(send())
    assert max(waits) == pytest.approx(0.9)


def test_everything_counts_for_one_budget():
    """Probes and answers spend the same budget; beyond it a request has a reason and is not sent."""
    target = Target()
    retriever, answerer = clients(target, per_day=6)

    async def send() -> list[Reason | None]:
        reasons: list[Reason | None] = []
        for _ in range(4):
            for request in (lambda: retriever.retrieve("q", 1), lambda: answerer.answer("q")):
                try:
                    await request()
                    reasons.append(None)
                except AdapterError as error:
                    reasons.append(error.reason)
        return reasons

    assert asyncio.run(send()) == [None] * 6 + [Reason.BUDGET_SPENT] * 2
    assert target.probes + target.answers == 6


def test_a_day_later_the_budget_is_whole():
    """Only the requests of the past 24 hours count."""
    now = 0.0
    allowance = Allowance(3, lambda: now)
    assert [allowance.take() for _ in range(4)] == [True, True, True, False]
    now = DAY_S
    assert allowance.left() == 3


@pytest.mark.parametrize("per_day", [201, 700, 2_000])
@pytest.mark.parametrize("is_noisy", [True, False])
def test_the_first_contact_stays_within_the_budget(per_day: int, is_noisy: bool):
    """Probes, answers and the replays that learn the noise floor stay within the requests of a day together."""
    target = Target(is_noisy=is_noisy)
    retriever, answerer = clients(target, per_day=per_day)
    endpoints = Endpoints(retriever=retriever, depth=2, answerer=answerer)

    async def first_contact() -> int:
        measured = await run(endpoints)
        noise = await learn_noise(None, measured, Policy(), endpoints)
        assert measured.counts.failed == 0
        return noise.replays

    replays = asyncio.run(first_contact())
    assert target.probes + target.answers <= per_day
    assert replays >= 2 or per_day == 201


def test_a_cycle_beyond_the_budget_is_refused_with_its_answers():
    """The check counts the answers of the cycle, and what this process sent before."""
    retriever, answerer = clients(Target(), per_day=150)
    world = World(
        store=MemoryStore(),
        retriever=retriever,
        answerer=answerer,
        on_call=OnCall(),
        now=lambda: datetime(2026, 3, 1, tzinfo=UTC),
        owner="test",
    )
    plan = Plan(target="docs", suites=(SUITE,), policy=Policy(), probes_per_day=150)
    asyncio.run(refuse_beyond_budget(plan, world))
    asyncio.run(run(world.endpoints(2, SUITE.name, 5)))
    with pytest.raises(BudgetError, match="received 100 requests in the last 24 hours and the cycle needs 100 more"):
        asyncio.run(refuse_beyond_budget(plan, world))
