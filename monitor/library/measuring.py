"""Measure a retriever on a suite, and compare two measurements, without a configuration, a database or a daemon."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

from monitor.adapters.retrievers.callable.frameworks import Searcher, to_searcher
from monitor.adapters.retrievers.callable.retriever import CallableOptions, CallableRetriever
from monitor.change_detection.look import ON_REQUEST
from monitor.decision.verdict import decide
from monitor.errors import ComparisonError
from monitor.evaluation import scoring
from monitor.model.measurements import Measured
from monitor.model.policies import Policy
from monitor.model.results import SuiteResult
from monitor.model.runs import Outcome, Run, RunStatus
from monitor.model.suites import Suite
from monitor.model.verdicts import Look, Verdict
from monitor.plan import Plan
from monitor.ports.targets import Retriever
from monitor.probing.replay import replay
from monitor.suites import reading
from monitor.suites.locating import suite_folder
from monitor.world import Endpoints

T = TypeVar("T")
DEFAULT_POLICY = Policy()


class _Callable(CallableRetriever):
    """An object of this process as a retriever."""

    def __init__(self, retriever: Any, options: CallableOptions) -> None:
        super().__init__(options)
        self._retriever = retriever

    def _load(self) -> Searcher:
        return to_searcher(self._retriever)


def read_suite(folder: str | Path) -> Suite:
    """A suite from its folder, or a built-in one: ``builtin:broad`` or ``builtin:compositional``."""
    return reading.read_suite(suite_folder(str(folder)))


def measure(
    retriever: Any,
    suite: Suite | str | Path,
    *,
    policy: Policy = DEFAULT_POLICY,
    concurrency: int = 4,
    timeout_s: float = 10.0,
    id_key: str | None = None,
    name: str = "retriever",
) -> Measured:
    """Replay a suite against a retriever, and measure it.

    Parameters
    ----------
    retriever
        A function of a query and ``k`` that returns ids or hits, or an object of LangChain, LlamaIndex, Haystack, DSPy
        or txtai as it is, or an adapter of recallwatch.
    suite
        A suite, its folder, or ``builtin:broad``.
    id_key
        Key with the document id in a hit or in its metadata; by default the id of the hit.

    Returns
    -------
    Measured
        A query that failed is counted with its reason and never scored as zero.

    Examples
    --------
    >>> from monitor.model.suites import Axis, Query
    >>> query = Query(query_id="q1", text="fruit", stratum="all", cluster="q1", grades={"d1": 1})
    >>> suite = Suite(name="tiny", version="1", axis=Axis.BROAD, queries=(query,), digest="tiny")
    >>> measure(lambda query, k: ["d2", "d1"], suite).measurements["mrr@10"].mean
    0.5
    """
    loaded = suite if isinstance(suite, Suite) else read_suite(suite)
    options = CallableOptions(
        call="inline:object", concurrency=concurrency, timeout=timeout_s, id=id_key, short_rankings="accept"
    )
    adapter = retriever if isinstance(retriever, Retriever) else _Callable(retriever, options)
    plan = Plan(target=name, suites=(loaded,), policy=policy)
    return _run(_measure(adapter, loaded, plan))


def compare(
    baseline: Measured | Sequence[Measured],
    candidate: Measured | Sequence[Measured],
    *,
    policy: Policy = DEFAULT_POLICY,
) -> Verdict:
    """The verdict on a candidate: passed, regressed, trade_off, inconclusive or invalid.

    Give one measurement of each, or several, one for each suite: the trade-off is a statement about both axes together.

    Raises ComparisonError if the suites of both sides differ.
    """
    before, after = _by_suite(baseline), _by_suite(candidate)
    if before.keys() != after.keys():
        raise ComparisonError(f"the baseline has suites {sorted(before)}, the candidate {sorted(after)}")
    results = [SuiteResult(measured=measured, baseline=before[name]) for name, measured in after.items()]
    first = results[0].measured.run
    plan = Plan(target=first.target, suites=tuple(each.measured.suite for each in results), policy=policy)
    look = Look(0, ON_REQUEST, policy.alpha_page)
    return decide(plan, results, look, cycle_id=first.cycle_id, at=datetime.now(UTC))


def per_query(measured: Measured) -> list[dict[str, Any]]:
    """Rows of a data frame: one for each scored query, with its stratum, its cluster and each measure."""
    rows = {
        query.query_id: {"query_id": query.query_id, "stratum": query.stratum, "cluster": query.cluster}
        for query in measured.suite.queries
    }
    scored: dict[str, dict[str, Any]] = {}
    for name, measurements in measured.measurements.items():
        for query_id, value in zip(measurements.query_ids, measurements.values.tolist(), strict=True):
            scored.setdefault(query_id, dict(rows[query_id]))[name] = value
    return list(scored.values())


def _by_suite(measured: Measured | Sequence[Measured]) -> dict[str, Measured]:
    several = [measured] if isinstance(measured, Measured) else measured
    return {each.suite.name: each for each in several}


async def _measure(retriever: Retriever, suite: Suite, plan: Plan) -> Measured:
    run = Run(
        run_id=uuid4().hex,
        cycle_id=uuid4().hex,
        target=plan.target,
        suite_name=suite.name,
        suite_digest=suite.digest,
        axis=suite.axis,
        depth=plan.depth(suite),
        started_at=datetime.now(UTC),
        corpus=suite.corpus,
    )

    async def save(_: Sequence[Outcome]) -> None:
        """Nothing is stored."""

    try:
        outcomes = await replay(
            suite.queries, Endpoints(retriever=retriever, depth=run.depth), save=save, watch=lambda _: None
        )
    finally:
        await retriever.close()
    finished = replace(
        run,
        outcomes=outcomes,
        status=RunStatus.FINISHED,
        finished_at=datetime.now(UTC),
        fingerprint=scoring.fingerprint(outcomes),
    )
    return scoring.measure(finished, suite, plan.measures)


def _run(work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine, also inside a notebook, whose event loop already runs."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()
