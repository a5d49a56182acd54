"""The demo: an unannounced model swap, detected and fixed with real components. No result is hard-coded."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import structlog
from rich.console import Console
from rich.panel import Panel

from monitor.change_detection.swaps import share_changed
from monitor.config.config import Config, validate
from monitor.cycle import Report
from monitor.demo.processes import DAEMON_LOG, DATA, SERVICE_LOG, demo_folder, keep_logs, started_service
from monitor.demo.receiver import Receiver
from monitor.demo.sampling import sample_suite
from monitor.demo.scripts import WHOLE, Script
from monitor.demo.waiting import STALLED_S, Narrator, Service
from monitor.errors import MonitorError
from monitor.evaluation.measures import LEADING
from monitor.model.deployments import Baseline
from monitor.model.measures import Needs
from monitor.model.verdicts import VerdictName
from monitor.reports import terminal
from monitor.reports.comparison import verdict_text
from monitor.service import wiring
from monitor.service.api.server import listen, running
from monitor.service.daemon import Daemon, serving
from monitor.suites import locating

TARGET, SCHEDULE = "docs-search", "demo"
SUITES = ("broad", "compositional")
SEED = 7
EVERY_S, KEPT_EVERY_S = 604_800.0, 10.0
"""The schedule, once a week so that no cycle comes due during a swap, and the rhythm of a demo that is left running."""
ANSWER_MARGIN = 0.10
"""Tolerated drop of the score of answers, twice the default."""


async def run_demo(script: Script, *, keep: bool, as_json: bool) -> int:
    """Run the demo; 0 only if the promised verdict was reached, alerted, and resolved by the fix."""
    narrator = Narrator(Console(stderr=as_json, width=None if sys.stdout.isatty() else 130))
    with demo_folder() as folder:
        try:
            outcome = await _run(script, folder, narrator, keep=keep)
        except (MonitorError, httpx.HTTPError, TimeoutError) as error:
            raise MonitorError(f"{error or type(error).__name__}; the logs are in {keep_logs(folder)}") from error
        problems = problems_of(outcome, script)
        if problems:
            narrator.show(f"[bold red]The demo failed:[/] {', '.join(problems)}; the logs are in {keep_logs(folder)}")
    if as_json:
        sys.stdout.write(json.dumps(outcome, indent=2, ensure_ascii=False) + "\n")
    return 1 if problems else 0


def problems_of(outcome: dict[str, Any], script: Script = WHOLE) -> list[str]:
    """Promises of the demo that its outcome does not keep."""
    verdicts = [each["verdict"] for each in outcome["forward_fix"]]
    checks = {
        f"the verdict is {outcome['verdict']}, not {script.expected}": outcome["detected"],
        f"no alert about the {script.expected.replace('_', '-')} arrived": outcome["alert_delivered"],
        f"the verdicts on the fix are {verdicts}": verdicts == [VerdictName.PASSED] * script.recovery_cycles,
        "the forward fix changed no ranking": script.recovery_cycles == 1
        or any(share > 0 for each in outcome["forward_fix"] for share in each["rankings_changed"].values()),
        "the alert was not resolved": outcome["resolved"],
    }
    return [problem for problem, is_kept in checks.items() if not is_kept]


async def _run(script: Script, folder: Path, narrator: Narrator, *, keep: bool) -> dict[str, Any]:
    receiver = Receiver()
    async with AsyncExitStack() as stack:
        stack.enter_context(_logging_to(folder / DAEMON_LOG))
        socket_ = stack.enter_context(listen("127.0.0.1", 0))
        hook = await stack.enter_async_context(running(receiver.create_app(), socket_))
        # Training takes as long as it takes; the wait for it follows its progress.
        client = await stack.enter_async_context(httpx.AsyncClient(timeout=None))  # noqa: S113 - training is long
        suites = _suites(script, folder)
        narrator.show(*filter(None, [script.remark]))
        title = f"A retrieval service starts: {script.service}"
        with narrator.step("service", title) as progress:
            url = await stack.enter_async_context(
                started_service(suites, folder / SERVICE_LOG, progress, is_fast=script.is_fast)
            )
        with narrator.step("daemon", "The daemon starts: embedded PostgreSQL, schedule, /metrics"):
            checked = wiring.assemble(_config(script, suites, folder, url, hook, receiver.secret))
            daemon = await stack.enter_async_context(serving(checked))
        outcome = await Story(script, daemon, receiver, Service(client, url), narrator).tell()
        if keep:
            await _keep_running(daemon, url, narrator)
    return outcome


@contextmanager
def _logging_to(path: Path) -> Iterator[None]:
    """Write the log of the daemon to a file, so that the screen shows the story."""
    before = structlog.get_config()
    with path.open("w") as log:
        structlog.configure(
            wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
            logger_factory=structlog.PrintLoggerFactory(log),
        )
        try:
            yield
        finally:
            structlog.configure(**before)


@dataclass(slots=True)
class Story:
    """Swap, verdict, forward fix and recovery, in this order."""

    script: Script
    daemon: Daemon
    receiver: Receiver
    service: Service
    narrator: Narrator
    report: Report | None = None
    """The latest report."""

    async def tell(self) -> dict[str, Any]:
        """Run every step, and return the results as JSON."""
        first = await self._promote_first_runs()
        tuned = await self._swap()
        title = "The next cycle detects the change and compares it with the baseline"
        report, firing = await self._cycle_and_message("detection", title, "firing")
        self.narrator.show(*(f"  {swap.suite_name}: {swap.cause}" for swap in report.swaps if swap.cause))
        self.narrator.show(verdict_text(report.verdict))
        self._show(firing)
        fixes = await self._fix_forward() if firing else []
        resolved = fixes[-1][1] if fixes else None
        verdict = report.verdict
        return {
            "detected": verdict.name is self.script.expected and verdict.advice == "roll back" and bool(report.swaps),
            "verdict": str(verdict.name),
            "summary": verdict.summary,
            "advice": verdict.advice,
            "answers": verdict.insights,
            "causes": [
                {"suite": each.suite_name, "cause": each.cause, "evidence": each.evidence} for each in report.swaps
            ],
            "differences": [_difference(each) for each in terminal.verdict_to_dict(verdict)["evidence"]],
            "cosine_to_near_misses": tuned,
            "alert_delivered": firing is not None and firing["data"]["verdict"] == self.script.expected,
            "forward_fix": [_fix(each, first) for each, _ in fixes],
            "resolved": resolved is not None,
            "seconds": self.narrator.seconds,
        }

    async def _promote_first_runs(self) -> Report:
        with self.narrator.step(
            "baseline", "The daemon probes both axes; the first runs become the baseline"
        ) as progress:
            report = await self._next_report(progress)
            for measured in report.measured:
                await self.daemon.store.promote(_baseline(measured.suite.name, measured.run.run_id))
        self.narrator.show(*(table for each in report.measured for table in terminal.run_tables(each)))
        return report

    async def _swap(self) -> dict[str, Any]:
        title = "An adapter is tuned on structural near-misses and swapped in; the daemon is not notified"
        with self.narrator.step("swap", title) as progress:
            tuned = await self.service.call("POST", "/adapter", progress, steps=self.script.steps, seed=SEED)
        self.narrator.show(
            f"  cosine to near-misses {tuned['cosine_before']:.3f} → {tuned['cosine_after']:.3f}: "
            "by its own metric the tuning looks like a success"
        )
        return tuned

    async def _fix_forward(self) -> list[tuple[Report, dict[str, Any] | None]]:
        """The reports after the fix, each with the resolved message if there is one by then."""
        method, path = self.script.fix_request
        with self.narrator.step("fix", self.script.fix) as progress:
            await self._wait_for_quiet(progress)
            await self.service.call(method, path, progress, **self.script.fix_options)
        fixes = []
        for number in range(1, self.script.recovery_cycles + 1):
            state = "resolved" if number == self.script.recovery_cycles else None
            title = f"Cycle {number} of the {self.script.recovery_cycles} that the incident needs to recover"
            fixes.append(await self._cycle_and_message(f"recovery_{number}", title, state))
            verdict = fixes[-1][0].verdict
            self.narrator.show(f"[bold green]{str(verdict.name).upper()}[/]  {verdict.summary}")
        self._show(fixes[-1][1])
        return fixes

    async def _cycle_and_message(
        self, name: str, title: str, state: str | None
    ) -> tuple[Report, dict[str, Any] | None]:
        """The report of one more cycle, and the message in a state that follows; None without a state or a message."""
        with self.narrator.step(name, title) as progress:
            await self._wait_for_quiet(progress)
            self.daemon.scheduler.trigger_now(TARGET)
            report = await self._next_report(progress)
            if state is None:
                return report, None
            return report, await self.service.wait(lambda: self.receiver.find(state), progress)

    async def _wait_for_quiet(self, progress: Callable[[str], None]) -> None:
        """Wait for the end of a cycle that came due by itself: during a swap two deployments would answer it."""
        scheduler = self.daemon.scheduler
        await self.service.wait(lambda: None if scheduler.active_since else True, progress)
        self.report = scheduler.reports.get(SCHEDULE, self.report)

    async def _next_report(self, progress: Callable[[str], None]) -> Report:
        reports = self.daemon.scheduler.reports
        before = self.report
        self.report = await self.service.wait(
            lambda: reports[SCHEDULE] if reports.get(SCHEDULE) is not before else None, progress
        )
        if self.report is None:
            raise MonitorError(f"the daemon probed nothing for {STALLED_S:.0f} s")
        return self.report

    def _show(self, message: dict[str, Any] | None) -> None:
        if message:
            text = json.dumps(_short(message), indent=2, ensure_ascii=False)
            self.narrator.show(Panel(text, title="Webhook, signature verified", expand=False))


def _baseline(suite_name: str, run_id: str) -> Baseline:
    return Baseline(
        target=TARGET,
        suite_name=suite_name,
        run_id=run_id,
        promoted_by="demo",
        reason="the untouched model",
        promoted_at=wiring.utc_now(),
    )


def _suites(script: Script, folder: Path) -> list[Path]:
    """The folders of the suites: the built-in ones, or parts of them."""
    built_in = [locating.built_in_probes() / name for name in SUITES]
    if script.every == 1:
        return built_in
    return [sample_suite(each, folder / "probes" / each.name, every=script.every) for each in built_in]


def _config(script: Script, suites: Sequence[Path], folder: Path, url: str, hook: str, secret: str) -> Config:
    retriever = {"kind": "http", "url": f"{url}/search", "timeout": "60s", "concurrency": 32}
    target = {"retriever": retriever}
    answerer = {"kind": "http", "url": f"{url}/answer", "timeout": "60s", "concurrency": 32}
    # The mean F1 of extractive answers is near 0.1. One lost source could cost 5 % of that, so even a harmless change
    # could not be shown to be safe; 10 % can be tested.
    answers = {"measure": LEADING[Needs.ANSWERS], "margin": ANSWER_MARGIN}
    options = {
        "policies": {"default": {"tolerances": [answers]}},
        "storage": {"data_dir": str(folder / DATA)},
        "suites": {path.name: {"path": str(path)} for path in suites},
        "targets": {TARGET: target | ({"answerer": answerer} if script.has_answers else {})},
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
    while True:
        await asyncio.sleep(KEPT_EVERY_S)
        daemon.scheduler.trigger_now(TARGET)


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


def _fix(report: Report, first: Report) -> dict[str, Any]:
    """The verdict on a fix, and the share of the rankings of each suite that differ from the baseline's."""
    changed = {
        after.suite.name: share_changed(before.run.outcomes, after.run.outcomes)
        for before, after in zip(first.measured, report.measured, strict=True)
    }
    return {"verdict": str(report.verdict.name), "summary": report.verdict.summary, "rankings_changed": changed}
