"""A target receives no more probes than its limits allow, and a refused probe has a reason."""

import asyncio

import pytest

from monitor.config.limits import Limits
from monitor.errors import Reason, RetrieverError
from monitor.model.runs import Ranking
from monitor.probing.rate_limit import RECOVERY_S, RateLimitedRetriever


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """The current time."""
        return self.now


class Scripted:
    """Fails with the scripted reasons in order, then succeeds."""

    concurrency = 8

    def __init__(self, *reasons: Reason | None, retry_after_s: float | None = None) -> None:
        self.n_probes, self._reasons, self._retry_after_s = 0, list(reasons), retry_after_s

    async def retrieve(self, query: str, k: int) -> Ranking:
        """One ranking, or the next failure."""
        self.n_probes += 1
        reason = self._reasons.pop(0) if self._reasons else None
        if reason is not None:
            raise RetrieverError(reason, "scripted", retry_after_s=self._retry_after_s)
        return Ranking(doc_ids=(query,))

    async def close(self) -> None:
        """There is nothing to release."""


async def send(paced: RateLimitedRetriever, times: int) -> list[Reason | None]:
    """The reasons of several probes in a row; None for a success."""
    reasons: list[Reason | None] = []
    for _ in range(times):
        try:
            await paced.retrieve("q", 1)
            reasons.append(None)
        except RetrieverError as error:
            reasons.append(error.reason)
    return reasons


def record_waits(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> list[float]:
    """All waits; each moves the clock instead of taking time."""
    waits: list[float] = []

    async def wait(seconds: float) -> None:
        waits.append(seconds)
        clock.now += seconds

    monkeypatch.setattr("monitor.probing.rate_limit.asyncio.sleep", wait)
    return waits


def test_without_limits_no_probe_waits(monkeypatch):
    """Probes leave as fast as the target answers."""
    clock = Clock()
    waits = record_waits(monkeypatch, clock)
    assert asyncio.run(send(RateLimitedRetriever(Scripted(), Limits(), clock), 100)) == [None] * 100
    assert waits == []


def test_the_rate_is_not_exceeded(monkeypatch):
    """At four probes a second, the ninth leaves two seconds after the first."""
    clock = Clock()
    record_waits(monkeypatch, clock)
    asyncio.run(send(RateLimitedRetriever(Scripted(), Limits(rate=4), clock), 9))
    assert clock.now == pytest.approx(102.0)


def test_a_rate_limit_response_halves_the_pace_which_recovers(monkeypatch):
    """Each 429 halves the pace; it doubles again in thirty seconds."""
    clock = Clock()
    record_waits(monkeypatch, clock)
    paced = RateLimitedRetriever(Scripted(Reason.RATE_LIMITED, Reason.RATE_LIMITED), Limits(rate=40), clock)
    asyncio.run(send(paced, 1))
    assert paced.pace() == pytest.approx(20)
    asyncio.run(send(paced, 1))
    assert paced.pace() == pytest.approx(10, rel=0.01)
    clock.now += RECOVERY_S
    assert paced.pace() == pytest.approx(20, rel=0.01)
    clock.now += 2 * RECOVERY_S
    assert paced.pace() == 40


def test_retry_after_is_obeyed(monkeypatch):
    """The next probe leaves no earlier than the Retry-After header allows."""
    clock = Clock()
    record_waits(monkeypatch, clock)
    asyncio.run(send(RateLimitedRetriever(Scripted(Reason.RATE_LIMITED, retry_after_s=7.0), Limits(), clock), 2))
    assert clock.now >= 107.0


@pytest.mark.parametrize("reason", [Reason.RATE_LIMITED, Reason.BROKEN])
def test_a_rest_is_obeyed_whatever_the_status(monkeypatch, reason):
    """A 503 with Retry-After stops all probes like a 429; the rest is the header's, and one probe decides."""
    clock = Clock()
    waits = record_waits(monkeypatch, clock)
    target = Scripted(reason, retry_after_s=60.0)
    paced = RateLimitedRetriever(target, Limits(), clock)
    assert asyncio.run(send(paced, 1)) == [reason]
    assert "resting for 60 s" in paced.status()
    assert asyncio.run(send(paced, 3)) == [None] * 3
    assert max(waits) == 60.0
    assert paced.status() == ""


def test_a_rest_of_a_day_is_capped(monkeypatch):
    """One Retry-After of a day does not stop a run for a day."""
    clock = Clock()
    waits = record_waits(monkeypatch, clock)
    target = Scripted(Reason.RATE_LIMITED, retry_after_s=86_400.0)
    asyncio.run(send(RateLimitedRetriever(target, Limits(longest_rest_s=120.0), clock), 2))
    assert max(waits) == 120.0


def test_a_target_that_keeps_resting_is_left_alone(monkeypatch):
    """Of 300 probes to a server that answers each with Retry-After, three are sent; the others fail at once."""
    clock = Clock()
    waits = record_waits(monkeypatch, clock)
    target = Scripted(*[Reason.BROKEN] * 3, retry_after_s=60.0)
    paced = RateLimitedRetriever(target, Limits(), clock)
    reasons = asyncio.run(send(paced, 300))
    assert target.n_probes == 3
    assert sum(waits) == pytest.approx(120.0)
    assert reasons[3:] == [Reason.RATE_LIMITED] * 297
    clock.now += 60.0
    assert asyncio.run(send(paced, 3)) == [None] * 3


def test_probes_that_left_before_a_rest_do_not_count_as_further_rests(monkeypatch):
    """Eight probes in flight that come back with Retry-After are one rest; afterwards all are sent again."""
    clock = Clock()
    record_waits(monkeypatch, clock)

    class Together(Scripted):
        """Answers the first eight probes when all of them are in flight."""

        barrier = asyncio.Barrier(8)

        async def retrieve(self, query: str, k: int) -> Ranking:
            if self.n_probes < 8:
                await self.barrier.wait()
            return await super().retrieve(query, k)

    paced = RateLimitedRetriever(Together(*[Reason.BROKEN] * 8, retry_after_s=60.0), Limits(), clock)

    async def run() -> list[Ranking | BaseException]:
        first = await asyncio.gather(*(paced.retrieve("q", 1) for _ in range(8)), return_exceptions=True)
        return first + await asyncio.gather(*(paced.retrieve("q", 1) for _ in range(8)), return_exceptions=True)

    results = asyncio.run(run())
    assert [isinstance(each, Ranking) for each in results] == [False] * 8 + [True] * 8


def test_server_errors_open_the_breaker(monkeypatch):
    """A target that only fails is left alone like one that does not answer."""
    clock = Clock()
    record_waits(monkeypatch, clock)
    target = Scripted(*[Reason.BROKEN] * 10)
    paced = RateLimitedRetriever(target, Limits(breaker_after=3), clock)
    assert asyncio.run(send(paced, 6)) == [Reason.BROKEN] * 3 + [Reason.UNREACHABLE] * 3
    assert "3 probes in a row had no answer" in paced.status()


def test_an_unreachable_target_gets_a_pause_and_then_one_probe(monkeypatch):
    """After three timeouts in a row no probe leaves during the pause; then a single probe decides."""
    clock = Clock()
    record_waits(monkeypatch, clock)
    target = Scripted(*[Reason.TIMEOUT] * 4)
    paced = RateLimitedRetriever(target, Limits(breaker_after=3, breaker_rest_s=10.0), clock)
    assert asyncio.run(send(paced, 8)) == [Reason.TIMEOUT] * 3 + [Reason.UNREACHABLE] * 5
    assert target.n_probes == 3
    clock.now += 10.0
    assert asyncio.run(send(paced, 2)) == [Reason.TIMEOUT, Reason.UNREACHABLE]
    clock.now += 10.0
    assert asyncio.run(send(paced, 3)) == [None, None, None]
    assert target.n_probes == 7


def test_responses_of_any_kind_keep_the_breaker_closed(monkeypatch):
    """A rejection is a response; only timeouts and connection errors count."""
    clock = Clock()
    record_waits(monkeypatch, clock)
    target = Scripted(Reason.TIMEOUT, Reason.REJECTED, Reason.TIMEOUT, None, Reason.TIMEOUT)
    asyncio.run(send(RateLimitedRetriever(target, Limits(breaker_after=2), clock), 6))
    assert target.n_probes == 6
