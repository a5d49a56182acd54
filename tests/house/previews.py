"""The examples of docs/notifications.md. `python -m tests.house.previews` writes them again.

Two simulated swaps are measured, judged and stored by the code that a cycle runs; `recallwatch notify preview --all`
then writes the messages.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from monitor.alerting import attention, paging
from monitor.alerting.titles import with_titles
from monitor.decision.verdict import decide
from monitor.evaluation.scoring import fingerprint, measure
from monitor.incidents import operational
from monitor.model.deployments import Deployment, Swap
from monitor.model.incidents import IncidentKind
from monitor.model.measurements import Measured
from monitor.model.results import SuiteResult
from monitor.model.runs import Outcome, Ranking, Run, RunStatus
from monitor.model.suites import Suite
from monitor.model.verdicts import Look
from monitor.plan import Plan
from monitor.ports.store import Store
from monitor.service import wiring
from tests.conftest import command
from tests.house.documents import ROOT

START = datetime(2026, 3, 2, 15, 52, tzinfo=UTC)
LOST = {"travel": 0.45, "science": 0.42, "legal": 0.38, "software": 0.3}
CONFIG = {
    "targets": {"production": {"owner": "search-team", "retriever": {"kind": "http", "url": "http://localhost:1/"}}},
    "server": {
        "public_url": "https://recallwatch.example.org",
        "dashboards_url": "https://grafana.example.org",
        "signing_key": "an example",
    },
}


def a_measured(suite: Suite, name: str, lost: Mapping[str, float], gain: float) -> Measured:
    """A measured run: each stratum loses this share of its answers, and pairs gain this much in score."""
    documents = sorted({doc_id for query in suite.queries for doc_id in query.grades})
    pairs = {pair.query_id: pair for pair in suite.pairs}
    outcomes = []
    for query in suite.queries:
        rng = random.Random(f"{query.query_id}")  # noqa: S311 - a simulation
        others = rng.sample(documents, 12)
        relevant = [doc_id for doc_id, grade in query.grades.items() if grade > 0][:1]
        if pair := pairs.get(query.query_id):
            margin = rng.gauss(0.0, 0.08) + gain
            scored = {pair.satisfying_id: 0.7 + margin, pair.violating_id: 0.7}
            scored |= {each: 0.6 - 0.01 * n for n, each in enumerate(others) if each not in scored}
        else:
            rank = 11 if rng.random() < lost.get(query.stratum, 0.05 if lost else 0.0) else rng.choice((0, 0, 0, 1, 4))
            ids = [each for each in others if each not in relevant]
            ids[rank:rank] = relevant
            scored = {each: 1.0 - 0.01 * n for n, each in enumerate(ids[:10])}
        ranked = sorted(scored.items(), key=lambda hit: -hit[1])
        ranking = Ranking(doc_ids=tuple(each for each, _ in ranked), scores=tuple(score for _, score in ranked))
        outcomes.append(Outcome(query_id=query.query_id, ranking=ranking))
    run = Run(
        run_id=sha256(f"{suite.name} {name}".encode()).hexdigest()[:32],
        cycle_id=name,
        target="production",
        suite_name=suite.name,
        suite_digest=suite.digest,
        axis=suite.axis,
        depth=50 if suite.pairs else 10,
        started_at=START,
        finished_at=START,
        status=RunStatus.FINISHED,
        outcomes=tuple(outcomes),
        fingerprint=fingerprint(tuple(outcomes)),
        deployment=name,
    )
    return measure(run, suite)


async def save(store: Store, measured: Measured) -> None:
    """Store a run as a cycle does."""
    await store.save_suite(measured.suite)
    await store.start_run(replace(measured.run, outcomes=(), status=RunStatus.RUNNING, finished_at=None))
    await store.save_outcomes(measured.run.run_id, measured.run.outcomes)
    await store.finish_run(measured)


async def tell(store: Store, checked: wiring.CheckedConfig) -> None:
    """A regression that is resolved, a trade-off, and missing data."""
    config = checked.config
    broad, pairs = (wiring.load_suite(config, name) for name in ("broad", "compositional"))
    before = [a_measured(suite, "minilm-v6", {}, 0.0) for suite in (broad, pairs)]
    for measured in before:
        await save(store, measured)
    plan = Plan(target="production", suites=(broad, pairs), policy=config.policy("default"))
    on_call = replace(config.on_call, notifiers=("chat",))
    swaps = (("minilm-v7", 0.0, 0), ("minilm-v6b", None, 2), ("minilm-v8", 0.05, 72))
    for name, gain, hours in swaps:
        at = START + timedelta(hours=hours)
        is_back = gain is None
        after = [a_measured(suite, name, {} if is_back else LOST, gain or 0.0) for suite in (broad, pairs)]
        for measured in after:
            await save(store, measured)
        await store.save_deployment(Deployment(target="production", name=name, declared_by="ci", declared_at=at))
        swap = Swap(
            target="production",
            suite_name=broad.name,
            run_id=after[0].run.run_id,
            previous_run_id=before[0].run.run_id,
            declared=True,
            share_changed=0.99,
            detected_at=at + timedelta(minutes=1),
            cause="the embedding model changed",
            evidence="The vectors of the same texts changed: median cosine 0.412 (queries) and 0.398 (documents).",
        )
        results = [SuiteResult(measured=b, baseline=a) for a, b in zip(before, after, strict=True)]
        look = Look(0, "a declared swap", plan.policy.alpha_page)
        verdict = decide(plan, results, look, cycle_id=name, at=at + timedelta(minutes=2))
        if verdict.lost_queries:
            verdict = with_titles(verdict, partial(wiring.titles_of, config))
        change = await paging.describe_change(
            results, (swap,), "production", store, fallen={each.suite for each in verdict.fallen}
        )
        incident, decision = await paging.conclude(verdict, change, store, on_call, policy="default")
        assert await store.save_decision(replace(decision, swaps=(swap,)))
        if name == "minilm-v7" and incident is not None:
            acknowledged_at = at + timedelta(minutes=11)
            await attention.acknowledge(incident.incident_id, store, on_call, by="ada", at=acknowledged_at)
    fault = operational.no_data(
        "hourly", "production", suites=["broad"], axes=["broad"], silent_s=9_000, last_at=START, problem="HTTP 503"
    )
    await paging.update_incident(
        IncidentKind.NO_DATA, "hourly",
        lambda current: operational.open_incident(current, fault, on_call, at=START + timedelta(days=4)), store,
    )  # fmt: skip


def main() -> None:
    """Store the incidents in a database of their own, and write their messages."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "recallwatch.yaml"
        path.write_text(json.dumps({**CONFIG, "storage": {"data_dir": f"{folder}/data"}}))
        checked = wiring.load(path)

        async def store_all() -> None:
            async with wiring.open_store(checked.config) as store:
                await tell(store, checked)

        asyncio.run(store_all())
        done = command(
            "notify", "preview", "--all", "-o", str(ROOT / "docs" / "notifications"), "-c", str(path), cwd=path.parent
        )
        sys.stdout.write(done.stdout)


if __name__ == "__main__":
    main()
