"""Comparing: two runs that were kept, or two live targets side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console, RenderableType
from rich.text import Text

from monitor.cli.result import Result
from monitor.cli.runs import exit_code_of, parts_for
from monitor.cli.side_by_side import compare_targets
from monitor.decision.verdict import decide
from monitor.diagnosis.insights import attribution_to_dict
from monitor.errors import ConfigError, StoreError
from monitor.evaluation.scoring import measure
from monitor.model.measurements import Measured
from monitor.model.results import SuiteResult
from monitor.model.runs import RunStatus
from monitor.model.verdicts import Look
from monitor.plan import Plan
from monitor.probing.context_replay import ContextReplayResult, replay_contexts
from monitor.reports import terminal
from monitor.service import wiring


async def compare(
    path: Path,
    runs: Sequence[str],
    targets: tuple[str | None, str | None],
    suites: tuple[str, ...],
    policy: str,
    attribution: bool,
) -> Result:
    """Compare what was asked for: two runs by their ids, or two targets and at least one suite."""
    baseline, candidate = targets
    if baseline is not None and candidate is not None and suites and not runs:
        return await compare_targets(path, baseline, candidate, suites, policy)
    if len(runs) == 2 and baseline is None and candidate is None:
        return await compare_runs(path, runs[0], runs[1], policy, attribution)
    raise ConfigError("compare", "give either two run ids, or --baseline, --candidate and at least one --suite")


async def compare_runs(path: Path, baseline_id: str, candidate_id: str, policy: str, attribution: bool) -> Result:
    """Compare two stored runs of one suite; with ``attribution``, replay contexts to share out an answer drop."""
    parts = parts_for(path)
    async with wiring.open_store(parts.config) as store:
        before, after = await store.load_run(baseline_id), await store.load_run(candidate_id)
        for each in (before, after):
            if each.status is not RunStatus.FINISHED:
                raise StoreError(f"run {each.run_id} is {each.status}, not finished: it cannot be compared")
        suites = [await store.load_suite(each.suite_digest) for each in (before, after)]
    plan = Plan(after.target, (suites[1],), parts.config.policy(policy))
    measured = [measure(each, suite, plan.measures) for each, suite in zip((before, after), suites, strict=True)]
    look = Look(0, "asked for", plan.policy.alpha_page)
    result = SuiteResult(measured=measured[1], baseline=measured[0])
    verdict = decide(plan, [result], look, cycle_id=after.cycle_id, at=wiring.utc_now())
    shown, data = [terminal.verdict_text(verdict)], terminal.verdict_to_dict(verdict)
    if attribution:
        replayed = await _replay(parts, measured[0], measured[1], plan)
        shown.append(_shown(replayed))
        data["replay"] = _plain(replayed)
    return Result(shown, data, exit_code_of(verdict))


async def _replay(parts: wiring.CheckedConfig, before: Measured, after: Measured, plan: Plan) -> ContextReplayResult:
    """What today's answerer of the target makes of the contexts of both runs."""
    target = after.run.target
    if target not in parts.answerers:
        raise ConfigError(f"targets.{target}.answerer", "is missing; --attribution asks it anew")
    live = wiring.connect(parts, target)
    try:
        if live.answerer is None or not live.answerer.takes_contexts:
            told = "takes no contexts, so that they cannot be exchanged; name {contexts} in its request"
            raise ConfigError(f"targets.{target}.answerer", told)
        texts = wiring.texts_of(parts.config, after.suite)
        with Console(stderr=True).status(f"{target} answers from the contexts of both runs"):
            return await replay_contexts(before, after, live.answerer, texts, plan.policy)
    finally:
        await live.close()


def _shown(replayed: ContextReplayResult) -> RenderableType:
    """What replaying contexts showed, in sentences."""
    told, best = replayed.attribution, replayed.ceiling
    sentence = told.sentence
    lines = [f"Replayed {told.n_queries} queries: {sentence}."]
    lines.append(
        f"With the relevant documents as contexts the same generator reaches {best.mean:.3f}; retrieval leaves "
        f"{-100 * best.left_before.difference:.1f} points of that unused in the baseline and "
        f"{-100 * best.left_after.difference:.1f} now."
    )
    if replayed.failed:
        lines.append(f"{replayed.failed} queries could not be replayed and are left out.")
    return Text("\n".join(lines))


def _plain(replayed: ContextReplayResult) -> dict[str, Any]:
    """What replaying contexts showed, as plain values."""
    return {
        **attribution_to_dict(replayed.attribution, "answer_f1"),
        "ceiling": asdict(replayed.ceiling),
        "failed": replayed.failed,
    }
