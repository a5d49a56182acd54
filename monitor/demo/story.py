"""The demo: an unannounced model swap, detected and rolled back with real components. No result is hard-coded."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console, RenderableType
from rich.panel import Panel

from monitor.config.config import Config, validate
from monitor.cycle import Report
from monitor.demo.receiver import Receiver
from monitor.errors import MonitorError
from monitor.model.deployments import Baseline
from monitor.reports import terminal
from monitor.service import wiring
from monitor.service.api.server import listen, running
from monitor.service.daemon import Daemon, serving
from monitor.suites import locating

TARGET, SCHEDULE = "docs-search", "demo"
SUITES = ("broad", "compositional")
EVERY_S = 2.0
TIMEOUT_S, MAX_CYCLES = 150.0, 20
"""A step fails after so long without a probe, or after so many cycles; a slow machine alone is no failure."""


@dataclass(slots=True)
class Narrator:
    """Prints the steps of the demo and measures how long each takes."""

    console: Console
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str, title: str) -> Iterator[None]:
        """Print a step, and record its duration."""
        self.console.print(f"[bold cyan]▸[/] {title}")
        started = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - started, 3)
        self.console.print(f"  [dim]{self.seconds[name]:.1f} s[/]")

    def show(self, *parts: RenderableType) -> None:
        """Print results of a step."""
        for part in parts:
            self.console.print(part)


@dataclass(slots=True)
class Patience:
    """Waiting as long as the daemon makes progress: probes return, and few cycles have ended."""

    daemon: Daemon
    cycles: int = 0
    n_probes: float = -1
    report: Report | None = None
    progress_at: float = field(default_factory=time.monotonic)

    def remains(self) -> bool:
        """Whether another wait is worthwhile."""
        n_probes = _n_answered(self.daemon)
        if n_probes != self.n_probes:
            self.n_probes, self.progress_at = n_probes, time.monotonic()
        report = self.daemon.scheduler.reports.get(SCHEDULE)
        if report is not self.report:
            self.report, self.cycles = report, self.cycles + 1
        return self.cycles <= MAX_CYCLES and time.monotonic() - self.progress_at < TIMEOUT_S


def _n_answered(daemon: Daemon) -> float:
    """Number of probes that the target has answered."""
    samples = (sample for family in daemon.metrics.durations.collect() for sample in family.samples)
    return sum(sample.value for sample in samples if sample.name.endswith("_count"))


async def run_demo(*, keep: bool, as_json: bool) -> int:
    """Run the demo; 0 only if the drop was measured, alerted and resolved."""
    narrator = Narrator(Console(stderr=as_json, width=None if sys.stdout.isatty() else 130))
    with tempfile.TemporaryDirectory(prefix="recallwatch-demo-") as folder:
        outcome = await _run(Path(folder), narrator, keep=keep)
    if as_json:
        sys.stdout.write(json.dumps(outcome, indent=2) + "\n")
    return 0 if outcome["detected"] and outcome["alert_delivered"] and outcome["resolved"] else 1


async def _run(folder: Path, narrator: Narrator, *, keep: bool) -> dict[str, Any]:
    receiver = Receiver()
    with listen("127.0.0.1", 0) as socket_:
        async with running(receiver.create_app(), socket_) as hook, httpx.AsyncClient(timeout=120) as client:
            with narrator.step(
                "service",
                "A retrieval and answering service starts: all-MiniLM-L6-v2, FAISS, an extractive reader, HTTP",
            ):
                service = await _start_service()
            async with service as url:
                checked = wiring.assemble(_config(folder, url, hook, receiver.secret))
                with narrator.step("daemon", "The daemon starts: embedded PostgreSQL, schedule, /metrics"):
                    serving_ = serving(checked)
                    daemon = await serving_.__aenter__()
                try:
                    outcome = await _swap_and_roll_back(daemon, receiver, client, url, narrator)
                    if keep:
                        await _keep_running(daemon, url, narrator)
                finally:
                    await serving_.__aexit__(None, None, None)
    return outcome


async def _swap_and_roll_back(
    daemon: Daemon, receiver: Receiver, client: httpx.AsyncClient, url: str, narrator: Narrator
) -> dict[str, Any]:
    with narrator.step("baseline", "The daemon probes both axes; the first runs become the baseline"):
        first = await _next_report(daemon, after=None)
        await _promote(daemon, first)
    narrator.show(*(table for each in first.measured for table in terminal.run_tables(each)))

    with narrator.step(
        "swap", "An adapter is tuned on structural near-misses and swapped in; the daemon is not notified"
    ):
        tuned = (await client.post(f"{url}/adapter", json={"steps": 100, "seed": 7})).raise_for_status().json()
    narrator.show(
        f"  cosine to near-misses {tuned['cosine_before']:.3f} → {tuned['cosine_after']:.3f}: "
        "by its own metric the tuning looks like a success"
    )

    with narrator.step("detection", "The next cycles detect the change and compare it with the baseline"):
        firing = await _next_message(daemon, receiver, "firing")
    report = daemon.scheduler.reports[SCHEDULE]
    narrator.show(*(f"  {swap.suite_name}: {swap.cause}" for swap in report.swaps if swap.cause))
    narrator.show(terminal.verdict_text(report.verdict))
    if firing:
        narrator.show(Panel(json.dumps(_short(firing), indent=2), title="Webhook, signature verified", expand=False))

    with narrator.step("recovery", "The service rolls back; the alert resolves"):
        (await client.delete(f"{url}/adapter")).raise_for_status()
        resolved = await _next_message(daemon, receiver, "resolved") if firing else None
    if resolved:
        narrator.show(Panel(json.dumps(_short(resolved), indent=2), title="Webhook, signature verified", expand=False))
    return {
        "detected": report.verdict.name.pages and bool(report.swaps or firing),
        "verdict": str(report.verdict.name),
        "summary": report.verdict.summary,
        "advice": report.verdict.advice,
        "answers": report.verdict.insights,
        "causes": [{"suite": swap.suite_name, "cause": swap.cause, "evidence": swap.evidence} for swap in report.swaps],
        "differences": [_difference(each) for each in terminal.verdict_to_dict(report.verdict)["evidence"]],
        "cosine_to_near_misses": tuned,
        "alert_delivered": firing is not None,
        "resolved": resolved is not None,
        "seconds": narrator.seconds,
    }


async def _next_report(daemon: Daemon, *, after: Report | None) -> Report:
    """The first report of the demo's schedule other than ``after``."""
    patience = Patience(daemon)
    while patience.remains():
        current = daemon.scheduler.reports.get(SCHEDULE)
        if current is not None and current is not after:
            return current
        await asyncio.sleep(0.05)
    raise MonitorError(f"the daemon probed nothing for {TIMEOUT_S:.0f} s")


async def _next_message(daemon: Daemon, receiver: Receiver, state: str) -> dict[str, Any] | None:
    """The first message in this state; None if the daemon makes no progress towards it."""
    patience = Patience(daemon)
    while patience.remains():
        if message := await receiver.wait_for(state, timeout_s=1.0):
            return message
    return None


async def _promote(daemon: Daemon, report: Report) -> None:
    for measured in report.measured:
        await daemon.store.promote(
            Baseline(
                target=TARGET,
                suite_name=measured.suite.name,
                run_id=measured.run.run_id,
                promoted_by="demo",
                reason="the untouched model",
                promoted_at=wiring.utc_now(),
            )
        )


@asynccontextmanager
async def _started(process: asyncio.subprocess.Process, url: str) -> AsyncIterator[str]:
    try:
        yield url
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()


async def _start_service() -> Any:
    """Start the service as a separate process, and wait until it prints its URL."""
    folders = [str(locating.built_in_probes() / name) for name in SUITES]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "monitor.demo.service", *folders,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    line = await process.stdout.readline() if process.stdout else b""
    if not line:
        errors = (await process.stderr.read()).decode("utf-8", "replace") if process.stderr else ""
        last = (errors.strip().splitlines() or ["it printed no error"])[-1]
        raise MonitorError(f"the demo's retriever did not start: {last}")
    return _started(process, json.loads(line)["url"])


def _config(folder: Path, url: str, hook: str, secret: str) -> Config:
    retriever = {"kind": "http", "url": f"{url}/search", "timeout": "60s", "concurrency": 32}
    answerer = {"kind": "http", "url": f"{url}/answer", "timeout": "60s", "concurrency": 32}
    options = {
        "storage": {"data_dir": str(folder / "data")},
        "targets": {TARGET: {"retriever": retriever, "answerer": answerer}},
        "schedules": {SCHEDULE: {"target": TARGET, "suites": SUITES, "every": EVERY_S}},
        "notifiers": {"on-call": {"kind": "webhook", "url": hook, "secret": secret}},
        "server": {"port": 0},
    }
    return validate(Config, options, where="")


async def _keep_running(daemon: Daemon, url: str, narrator: Narrator) -> None:
    narrator.show(
        f"Left running. Status {daemon.url}/  ·  metrics {daemon.url}/metrics  ·  retriever {url}/search\n"
        f'Swap the model again: curl -X POST {url}/adapter -d \'{{"steps": 30, "seed": 1}}\'\n'
        "Ctrl-C stops everything."
    )
    await asyncio.Event().wait()


_FIELDS = ("state", "severity", "verdict", "summary", "advice", "target", "opened_at", "duration_s")


def _short(message: dict[str, Any]) -> dict[str, Any]:
    """The first fields that on-call reads; a whole message may be too long for the screen."""
    data = {key: message["data"][key] for key in _FIELDS if message["data"].get(key) is not None}
    lost = [each["query"] for each in message["data"]["lost_queries"][:3]]
    return {"type": message["type"], **data, "fallen": len(message["data"]["fallen"]), "lost_most": lost}


def _difference(evidence: dict[str, Any]) -> dict[str, Any]:
    fields = ("suite", "axis", "stratum", "measure", "baseline_mean", "candidate_mean", "difference", "lower", "upper",
            "p_worse_adjusted", "n_queries")  # fmt: skip
    return {key: evidence[key] for key in fields}
