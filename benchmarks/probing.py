"""Asking 5,000 questions at 64 at a time, against plain httpx."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from importlib.metadata import version

import httpx

from benchmarks.result import Result, dump
from benchmarks.server import DEPTH, answer_of, ranking, serving
from benchmarks.timing import median_seconds, say
from monitor.adapters.retrievers.http import HttpOptions, HttpRetriever
from monitor.commands.process import run_until_done
from monitor.model import Outcome, Query
from monitor.replay import Asked, replay

N_OURS, N_THEIRS, CONCURRENCY, N_STRATA = 5_000, 1_500, 64, 5
GOAL = 5.0


def questions(count: int = N_OURS) -> tuple[Query, ...]:
    """Questions with one relevant document each, somewhere among the first twenty hits of ``/before``."""
    return tuple(
        Query(
            f"q{number}",
            f"question {number}",
            f"domain-{number % N_STRATA}",
            f"source-{number}",
            {ranking(answer_of(number, now=False))[number % 20]: 1},
        )
        for number in range(count)
    )


def open_retriever(url: str) -> HttpRetriever:
    """Our retriever with its defaults, but for the concurrency."""
    return HttpRetriever(HttpOptions(url=url, concurrency=CONCURRENCY))


async def probe_all(queries: Sequence[Query], retriever: HttpRetriever) -> None:
    """Replay without keeping anything; every probe must bring a ranking."""

    async def keep(outcomes: Sequence[Outcome]) -> None:
        pass

    outcomes = await replay(queries, Asked(retriever, DEPTH), keep=keep, watch=lambda _: None)
    if any(outcome.ranking is None for outcome in outcomes):
        raise ValueError(next(str(each.failure) for each in outcomes if each.ranking is None))


async def ask_with_httpx(url: str, client: httpx.AsyncClient) -> None:
    """The same questions as anybody would ask them with httpx; the answers are only parsed, not checked."""
    numbers = iter(range(N_THEIRS))

    async def work() -> None:
        for number in numbers:
            response = await client.post(url, json={"query": f"question {number}", "k": DEPTH})
            response.raise_for_status().json()

    await asyncio.gather(*(work() for _ in range(CONCURRENCY)))


async def compare() -> list[Result]:
    """Ours against httpx, on the same event loop and the same server."""
    with serving() as address:
        say(f"probing: {N_OURS:,} probes, and {N_THEIRS:,} requests of httpx")
        url, queries = f"{address}/before", questions()
        retriever = open_retriever(url)
        limits = httpx.Limits(max_connections=CONCURRENCY, max_keepalive_connections=CONCURRENCY)
        cpu: list[float] = []

        async def ours() -> None:
            started = time.process_time()
            await probe_all(queries, retriever)
            cpu.append(time.process_time() - started)

        try:
            async with httpx.AsyncClient(limits=limits) as client:
                mine_s, their_s = await median_seconds(ours, lambda: ask_with_httpx(url, client))
        finally:
            await retriever.close()
    mine, their = N_OURS / mine_s, N_THEIRS / their_s
    peer = f"httpx {version('httpx')} AsyncClient"
    return [
        Result(f"probing, {DEPTH} hits, {CONCURRENCY} at a time", "probes/s", mine, peer, their, mine / their, GOAL),
        Result("processor time of a probe", "ms", 1_000 * sorted(cpu[1:])[1] / N_OURS),
    ]


if __name__ == "__main__":
    print(dump(run_until_done(compare())))
