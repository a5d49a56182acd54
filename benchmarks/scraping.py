"""Scraping a large fleet: duration, and memory of the daemon, which runs in another process."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import statistics
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import httpx
import numpy as np

from benchmarks.result import Result, dump
from benchmarks.timing import say
from monitor.adapters.exporters.prometheus import CycleResult, Metrics
from monitor.cli.process import run_until_done
from monitor.model.measurements import Measured, Measurements
from monitor.model.policies import Policy
from monitor.model.runs import Counts, Run
from monitor.model.suites import Axis, Query, Suite
from monitor.model.verdicts import Evidence, Verdict, VerdictName
from monitor.service.api.app import create_app
from monitor.service.api.server import listen, running
from monitor.service.readiness import Readiness
from monitor.service.wiring import utc_now

N_TARGETS, N_STRATA, SCRAPES = 200, 30, 9
MEASURES = ("recall@5", "recall@10", "mrr@10", "ndcg@10", "success@5", "recall@20")
GOAL_S, GOAL_MB = 0.5, 60.0
STRATA = tuple(f"stratum-{number:02d}" for number in range(N_STRATA - 1))
"""Thirty strata, including the suite as a whole."""


def fleet() -> Metrics:
    """Metrics after one cycle of each target, with evidence on every measure of every stratum."""
    metrics = Metrics()
    queries = tuple(
        Query(query_id=f"q-{stratum}", text="?", stratum=stratum, cluster=stratum, grades={"d": 1})
        for stratum in STRATA
    )
    suite = Suite(name="questions", version="1", axis=Axis.BROAD, queries=queries, digest="1")
    for number in range(N_TARGETS):
        metrics.publish(cycle(f"target-{number:03d}", suite))
    return metrics


def cycle(target: str, suite: Suite) -> CycleResult:
    """The result of a finished cycle."""
    ids = tuple(query.query_id for query in suite.queries)
    rng = np.random.default_rng(int(target[-3:]))
    values = {name: Measurements(name, ids, rng.random(len(ids))) for name in MEASURES}
    run = Run(
        run_id=target,
        cycle_id="cycle",
        target=target,
        suite_name=suite.name,
        suite_digest="1",
        axis=Axis.BROAD,
        depth=20,
        started_at=utc_now(),
        finished_at=utc_now(),
        deployment=target,
    )
    measured = Measured(run=run, suite=suite, counts=Counts(len(ids), 0, 0), measurements=values, judged_share=0.5)
    all_evidence = tuple(evidence(suite, stratum, name, rng) for stratum in ("overall", *STRATA) for name in MEASURES)
    verdict = Verdict(
        verdict_id="verdict",
        cycle_id="cycle",
        target=target,
        name=VerdictName.PASSED,
        summary="",
        advice="",
        evidence=all_evidence,
        run_ids=(),
        baseline_run_ids=(),
        policy=Policy(),
        policy_digest="",
        seed=0,
        method="",
        decided_at=utc_now(),
    )
    return CycleResult(
        verdict=verdict, measured=(measured,), incident_open=False, finished_at=utc_now(), schedule=target
    )


def evidence(suite: Suite, stratum: str, measure: str, rng: np.random.Generator) -> Evidence:
    """A comparison with numbers of realistic length."""
    keys = {"suite": suite.name, "axis": suite.axis, "stratum": stratum, "measure": measure, "gating": True}
    numbers = {each.name: rng.random() for each in dataclasses.fields(Evidence) if each.name not in keys}
    return Evidence(**keys, **numbers)


async def serve() -> None:
    """Serve the metrics of the fleet until terminated; prints its address and its memory before the first cycle."""
    idle = _kilobytes(os.getpid(), "VmRSS")
    metrics = fleet()
    with listen("127.0.0.1", 0) as listener:
        async with running(create_app(metrics, Readiness()), listener) as url:
            print(url, idle, flush=True)
            await asyncio.Event().wait()


def compare() -> list[Result]:
    """Median seconds of a scrape after a warm-up, and the daemon's peak above its memory before the first cycle."""
    say(f"scraping: {N_TARGETS} targets × {N_STRATA} strata × {len(MEASURES)} measures")
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.scraping", "serve"], stdout=subprocess.PIPE, text=True
    ) as daemon:
        try:
            url, idle = daemon.stdout.readline().split()
            scrapes = [scrape(f"{url}/metrics") for _ in range(SCRAPES + 1)]
            grown = (_kilobytes(daemon.pid, "VmHWM") - int(idle)) / 1024
        finally:
            daemon.terminate()
    lines = scrapes[-1][1]
    if lines < 6 * N_TARGETS * N_STRATA * len(MEASURES):
        raise ValueError(f"only {lines} samples were scraped")
    subject = f"scrape of {lines:,} samples"
    seconds = statistics.median(took for took, _ in scrapes[1:])
    return [
        Result(subject, "s", seconds, goal=GOAL_S, at_most=True, unit_of_goal="s"),
        Result(
            "memory of the fleet and its scrapes, above idle",
            "MB",
            grown,
            goal=GOAL_MB,
            at_most=True,
            unit_of_goal="MB",
        ),
    ]


def scrape(url: str) -> tuple[float, int]:
    """Seconds until the last byte, and the number of samples."""
    started = time.perf_counter()
    with httpx.stream("GET", url, timeout=60) as answer:
        body = answer.raise_for_status().read()
    took = time.perf_counter() - started
    return took, body.count(b"\n") - body.count(b"\n#")


def _kilobytes(pid: int, what: str) -> int:
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return int(next(line for line in status.splitlines() if line.startswith(what)).split()[1])


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        with suppress(KeyboardInterrupt):  # what SIGTERM becomes
            run_until_done(serve())
    else:
        print(dump(compare()))
