"""A target is asked no harder than it bears, and what is held back says why."""

import asyncio

import pytest

from monitor.config.limits import Limits
from monitor.errors import Reason, RetrieverError
from monitor.model.runs import Ranking
from monitor.probing.rate_limit import RECOVERY_S, RateLimitedRetriever


class Clock:
    """Time that moves when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """The time."""
        return self.now


class Scripted:
    """Fails as told, and otherwise answers."""

    concurrency = 8

    def __init__(self, *reasons: Reason | None, retry_after_s: float | None = None) -> None:
        self.asked, self._reasons, self._retry_after_s = 0, list(reasons), retry_after_s

    async def retrieve(self, query: str, k: int) -> Ranking:
        """One ranking, or the next failure."""
        self.asked += 1
        reason = self._reasons.pop(0) if self._reasons else None
        if reason is not None:
            raise RetrieverError(reason, "as told", retry_after_s=self._retry_after_s)
        return Ranking(doc_ids=(query,))

    async def close(self) -> None:
        """Nothing to give back."""


async def ask(paced: RateLimitedRetriever, times: int) -> list[Reason | None]:
    """What became of several probes in a row."""
    found: list[Reason | None] = []
    for _ in range(times):
        try:
            await paced.retrieve("q", 1)
            found.append(None)
        except RetrieverError as error:
            found.append(error.reason)
    return found


def slept(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> list[float]:
    """Every wait, while the clock moves on instead of the wall."""
    waits: list[float] = []

    async def wait(seconds: float) -> None:
        waits.append(seconds)
        clock.now += seconds

    monkeypatch.setattr("monitor.probing.rate_limit.asyncio.sleep", wait)
    return waits


def test_without_limits_nothing_waits(monkeypatch):
    """A target that nobody limits is asked as fast as it answers."""
    clock = Clock()
    waits = slept(monkeypatch, clock)
    assert asyncio.run(ask(RateLimitedRetriever(Scripted(), Limits(), clock), 100)) == [None] * 100
    assert waits == []


def test_the_rate_is_kept(monkeypatch):
    """At four probes a second, the ninth leaves two seconds after the first."""
    clock = Clock()
    slept(monkeypatch, clock)
    asyncio.run(ask(RateLimitedRetriever(Scripted(), Limits(rate=4), clock), 9))
    assert clock.now == pytest.approx(102.0)


def test_a_target_that_is_asked_too_much_is_asked_half_as_hard_and_recovers(monkeypatch):
    """Each 429 halves the pace; thirty seconds later it has doubled again."""
    clock = Clock()
    slept(monkeypatch, clock)
    paced = RateLimitedRetriever(Scripted(Reason.RATE_LIMITED, Reason.RATE_LIMITED), Limits(rate=40), clock)
    asyncio.run(ask(paced, 1))
    assert paced.pace() == pytest.approx(20)
    asyncio.run(ask(paced, 1))
    assert paced.pace() == pytest.approx(10, rel=0.01)
    clock.now += RECOVERY_S
    assert paced.pace() == pytest.approx(20, rel=0.01)
    clock.now += 2 * RECOVERY_S
    assert paced.pace() == 40


def test_retry_after_is_obeyed(monkeypatch):
    """The next probe leaves no sooner than the target asked for."""
    clock = Clock()
    slept(monkeypatch, clock)
    asyncio.run(ask(RateLimitedRetriever(Scripted(Reason.RATE_LIMITED, retry_after_s=7.0), Limits(), clock), 2))
    assert clock.now >= 107.0


def test_a_target_that_never_answers_is_left_alone_and_tried_again(monkeypatch):
    """After three timeouts in a row nothing is sent until the rest is over; then one probe decides."""
    clock = Clock()
    slept(monkeypatch, clock)
    target = Scripted(*[Reason.TIMEOUT] * 4)
    paced = RateLimitedRetriever(target, Limits(breaker_after=3, breaker_rest_s=10.0), clock)
    assert asyncio.run(ask(paced, 8)) == [Reason.TIMEOUT] * 3 + [Reason.UNREACHABLE] * 5
    assert target.asked == 3
    clock.now += 10.0
    assert asyncio.run(ask(paced, 2)) == [Reason.TIMEOUT, Reason.UNREACHABLE]
    clock.now += 10.0
    assert asyncio.run(ask(paced, 3)) == [None, None, None]
    assert target.asked == 7


def test_answers_of_any_kind_keep_the_breaker_closed(monkeypatch):
    """A refusal is an answer: only silence counts."""
    clock = Clock()
    slept(monkeypatch, clock)
    target = Scripted(Reason.TIMEOUT, Reason.REJECTED, Reason.TIMEOUT, None, Reason.TIMEOUT)
    asyncio.run(ask(RateLimitedRetriever(target, Limits(breaker_after=2), clock), 6))
    assert target.asked == 6
