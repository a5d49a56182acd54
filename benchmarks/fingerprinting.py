"""Overhead of fingerprinting canaries in a cycle: LanceDB with an index, and queries embedded over HTTP.

The embedder runs in the same process and answers at once, so that the exact searches of the canaries dominate; a real
embedder makes every probe slower and the overhead smaller.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import lancedb
import numpy as np
from lancedb.index import IvfPq

from benchmarks.result import Result, dump
from benchmarks.server import Answering
from benchmarks.timing import median_seconds, say
from monitor.adapters.retrievers.lancedb import LanceDbOptions, LanceDbRetriever
from monitor.adapters.stores.embedded import EmbeddedPostgres
from monitor.adapters.stores.postgres.store import PostgresStore
from monitor.cli.process import run_until_done
from monitor.cycle import run_cycle
from monitor.incidents.routing import OnCall
from monitor.model.decisions import Decision
from monitor.model.policies import Policy
from monitor.model.runs import Ranking
from monitor.model.suites import Axis, Query, Suite
from monitor.plan import Plan
from monitor.probing import canaries
from monitor.service.abandoned_runs import this_process
from monitor.service.wiring import utc_now
from monitor.world import World

N_QUERIES, N_DOCUMENTS, N_DIMENSIONS, N_VECTORS = 1_000, 20_000, 384, 101
GOAL = 0.03


class Closed:
    """The same retriever without access to its vectors."""

    def __init__(self, inside: LanceDbRetriever) -> None:
        self.concurrency, self._inside = inside.concurrency, inside

    async def retrieve(self, query: str, k: int) -> Ranking:
        """Search with the retriever."""
        return await self._inside.retrieve(query, k)

    async def close(self) -> None:
        """Do nothing: the owner of the retriever closes it."""


def vectors(count: int) -> np.ndarray:
    """The same vectors in every run."""
    return np.random.default_rng(7).normal(size=(count, N_DIMENSIONS)).astype(np.float32)


@asynccontextmanager
async def embedder() -> AsyncIterator[str]:
    """The address of an embedder that answers at once; as in `benchmarks.server`, with minimal HTTP."""
    bodies = [json.dumps({"embedding": vector.tolist()}).encode() for vector in vectors(N_VECTORS)]
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
    Answering.answers = tuple(head % (len(bodies[n % N_VECTORS]), bodies[n % N_VECTORS]) for n in range(1_021))
    server = await asyncio.get_running_loop().create_server(Answering, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


def fill_index(folder: Path) -> None:
    """A table with an approximate index."""
    rows = [{"id": f"d{number}", "vector": vector} for number, vector in enumerate(vectors(N_DOCUMENTS))]
    table = lancedb.connect(folder).create_table("documents", rows)
    table.create_index("vector", config=IvfPq(distance_type="cosine", num_partitions=64, num_sub_vectors=48))


def suite() -> Suite:
    """Questions with one relevant document each."""
    queries = (
        Query(query_id=f"q{n}", text=f"question {n}", stratum=f"domain-{n % 5}", cluster=f"c{n}", grades={f"d{n}": 1})
        for n in range(N_QUERIES)
    )
    return Suite(name="questions", version="1", axis=Axis.BROAD, queries=tuple(queries), digest="1")


async def compare() -> list[Result]:
    """Seconds to fingerprint the canaries and store the result, divided by the seconds of a cycle without."""
    say(f"fingerprinting: the canaries of {N_QUERIES:,} queries over {N_DOCUMENTS:,} documents")
    with tempfile.TemporaryDirectory(prefix="recallwatch-") as folder:
        fill_index(Path(folder) / "index")
        store = PostgresStore(EmbeddedPostgres(Path(folder) / "store"))
        await store.open()
        try:
            async with embedder() as url:
                options = {"uri": str(Path(folder) / "index"), "table": "documents", "metric": "cosine"}
                retriever = LanceDbRetriever(LanceDbOptions(**options, embedder={"kind": "http", "url": url}))
                try:
                    return await measure(store, retriever)
                finally:
                    await retriever.close()
        finally:
            await store.close()


async def measure(store: PostgresStore, retriever: LanceDbRetriever) -> list[Result]:
    """Both, one after the other."""
    plan = Plan(target="target", suites=(suite(),), policy=Policy())
    world = World(store=store, retriever=Closed(retriever), on_call=OnCall(), now=utc_now, owner=this_process())
    report = await run_cycle(plan, world)
    run, verdict = report.measured[0].run, report.verdict

    async def look() -> None:
        await store.snapshot(run.target, run.suite_name)
        snapshot = await canaries.read_snapshot(retriever, plan.suites[0], run)
        if snapshot is None or snapshot.stored is None or not snapshot.exact:
            raise ValueError("the canaries have no result")
        again = replace(verdict, verdict_id=uuid4().hex)
        await store.save_decision(Decision(verdict=again, snapshots=((run, snapshot),)))

    looking_s, cycle_s = await median_seconds(look, lambda: run_cycle(plan, world))
    subject = f"looking at {len(canaries.select_canaries(plan.suites[0]))} canaries"
    peer = f"cycle of {N_QUERIES:,} probes without"
    return [Result(subject, "s", looking_s, peer, cycle_s, looking_s / cycle_s, GOAL, at_most=True)]


if __name__ == "__main__":
    print(dump(run_until_done(compare())))
