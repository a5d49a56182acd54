"""Sending 5,000 probes, 64 at a time, compared with plain httpx and with the fastest client."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from statistics import median

from benchmarks.clients import Post, ask_all, clients
from benchmarks.result import Result, dump
from benchmarks.server import DEPTH, answer_of, ranking, serving
from benchmarks.timing import median_seconds, say
from monitor.adapters.retrievers.http.retriever import HttpOptions, HttpRetriever
from monitor.cli.process import run_until_done
from monitor.model.runs import Outcome
from monitor.model.suites import Query
from monitor.probing.replay import replay
from monitor.world import Endpoints

N_OURS, N_THEIRS, CONCURRENCY, N_STRATA = 5_000, 1_500, 64, 5
GOAL, GOAL_OF_FASTEST = 5.0, 0.5


def questions(count: int = N_OURS) -> tuple[Query, ...]:
    """Questions with one relevant document each, somewhere among the first twenty hits of ``/before``."""
    return tuple(
        Query(
            query_id=f"q{number}",
            text=f"question {number}",
            stratum=f"domain-{number % N_STRATA}",
            cluster=f"source-{number}",
            grades={ranking(answer_of(number, now=False))[number % 20]: 1},
        )
        for number in range(count)
    )


def open_retriever(url: str) -> HttpRetriever:
    """Our retriever with default settings except for concurrency."""
    return HttpRetriever(HttpOptions(url=url, concurrency=CONCURRENCY))


async def probe_all(queries: Sequence[Query], retriever: HttpRetriever) -> None:
    """Replay without storing results; every probe must return a ranking."""

    async def save(outcomes: Sequence[Outcome]) -> None:
        pass

    outcomes = await replay(queries, Endpoints(retriever=retriever, depth=DEPTH), save=save, watch=lambda _: None)
    if any(outcome.ranking is None for outcome in outcomes):
        raise ValueError(next(str(each.failure) for each in outcomes if each.ranking is None))


def counting(work: Callable[[], Awaitable[None]], spent_s: list[float]) -> Callable[[], Awaitable[None]]:
    """The work, with its processor time appended to a list after each round."""

    async def counted() -> None:
        started = time.process_time()
        await work()
        spent_s.append(time.process_time() - started)

    return counted


async def compare() -> list[Result]:
    """Compare recallwatch with the other clients, on the same event loop and server."""
    with serving() as address:
        say(f"probing: {N_OURS:,} probes, and {N_THEIRS:,} requests of each other client")
        url, queries = f"{address}/before", questions()
        retriever = open_retriever(url)

        def asking(post: Post) -> Callable[[], Awaitable[None]]:
            return lambda: ask_all(post, ({"query": each.text, "k": DEPTH} for each in queries[:N_THEIRS]), CONCURRENCY)

        try:
            async with clients(url, CONCURRENCY) as peers:
                works = [lambda: probe_all(queries, retriever), *map(asking, peers.values())]
                spent_s: list[list[float]] = [[] for _ in works]
                took_s = await median_seconds(*map(counting, works, spent_s))
        finally:
            await retriever.close()
    counts = [N_OURS] + [N_THEIRS] * len(peers)
    rates = [count / each for count, each in zip(counts, took_s, strict=True)]
    cpu_ms = [1_000 * median(each[1:]) / count for count, each in zip(counts, spent_s, strict=True)]
    return results(list(peers), rates, cpu_ms)


def results(peers: Sequence[str], rates: Sequence[float], cpu_ms: Sequence[float]) -> list[Result]:
    """Probes per second compared with httpx and the fastest client, and processor time per probe and per request."""
    mine, theirs = rates[0], dict(zip(peers, rates[1:], strict=True))
    fastest, plain = max(theirs, key=theirs.__getitem__), peers[0]
    subject, goals = f"probing, {DEPTH} hits, {CONCURRENCY} at a time", {plain: GOAL, fastest: GOAL_OF_FASTEST}
    return [
        Result(subject, "probes/s", mine, peer, rate, mine / rate, goals.get(peer)) for peer, rate in theirs.items()
    ] + [
        Result("processor time of a probe", "ms", cpu_ms[0], peer, each, cpu_ms[0] / each)
        for peer, each in zip(peers, cpu_ms[1:], strict=True)
    ]


if __name__ == "__main__":
    print(dump(run_until_done(compare())))
