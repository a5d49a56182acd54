"""Retrievers in memory for gates: which queries they answer, and worlds around them."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np

from monitor.adapters.stores.memory.store import MemoryStore
from monitor.gate.gate import GatePlan
from monitor.incidents.routing import OnCall
from monitor.model.deployments import Baseline
from monitor.model.gates import GateRules
from monitor.model.policies import Policy
from monitor.model.runs import Ranking
from monitor.model.suites import Axis, Query, Suite
from monitor.plan import Plan
from monitor.probing.run import probe_suite
from monitor.world import World

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def a_suite(n_queries: int = 800, *, name: str = "broad", axis: Axis = Axis.BROAD, strata: int = 2) -> Suite:
    """A suite of single queries, each with one relevant document."""
    queries = tuple(
        Query(query_id=f"q{n}", text=f"{n}", stratum=f"s{n % strata}", cluster=f"c{n}", grades={f"d{n}": 1})
        for n in range(n_queries)
    )
    return Suite(name=name, version="1", axis=axis, queries=queries, digest=f"digest of {name}")


@dataclass
class Retriever:
    """Finds the relevant document of query n at rank 1 where ``is_found[n]``, else nothing of use."""

    is_found: np.ndarray
    concurrency: int = 8
    asked: list[int] = field(default_factory=list)

    async def retrieve(self, text: str, k: int) -> Ranking:
        """The ranking of one query."""
        self.asked.append(int(text))
        return Ranking(doc_ids=(f"d{text}" if self.is_found[int(text)] else "other", "x"))

    async def close(self) -> None:
        """Nothing to close."""


def a_world(retriever: Retriever, store: MemoryStore) -> World:
    """The world around a retriever."""
    return World(store=store, retriever=retriever, on_call=OnCall(notifiers=()), now=lambda: NOW, owner="host/1/2")


def a_plan(*suites: Suite, target: str = "candidate") -> Plan:
    """The plan of a candidate; few resamples keep the tests fast."""
    return Plan(target=target, suites=suites, policy=Policy(resamples=999))


def a_gate(*suites: Suite, rules: GateRules | None = None, is_sequential: bool = True) -> GatePlan:
    """A gate of a candidate against production."""
    return GatePlan(plan=a_plan(*suites), trusted="production", rules=rules or GateRules(), is_sequential=is_sequential)


async def with_baseline(retriever: Retriever, *suites: Suite) -> MemoryStore:
    """A store in which production has a promoted baseline for each suite."""
    store = MemoryStore()
    for suite in suites:
        plan = a_plan(suite, target="production")
        measured = await probe_suite(suite, plan, a_world(retriever, store), "cycle-0", lambda _: None)
        await store.promote(
            Baseline(
                target="production",
                suite_name=suite.name,
                run_id=measured.run.run_id,
                promoted_by="ada",
                reason="",
                promoted_at=NOW,
            )
        )
    return store


def finds(n_queries: int, share: float, seed: int = 1) -> np.ndarray:
    """Which queries are found."""
    return np.random.default_rng(seed).random(n_queries) < share
