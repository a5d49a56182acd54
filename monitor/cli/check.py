"""Trying a configuration out: every suite read, every target asked once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import RenderableType

from monitor.cli.result import NOT_MEASURED, Result
from monitor.config.config import Config
from monitor.model.answers import Reply
from monitor.model.runs import Outcome
from monitor.model.suites import Query, Suite
from monitor.probing.replay import ask, probe
from monitor.service import wiring
from monitor.service.triggers import trigger_of


async def check(path: Path) -> Result:
    """Check the configuration and the suites, and ask each target once."""
    parts = wiring.load(path)
    for name, schedule in parts.config.schedules.items():
        trigger_of(schedule, where=f"schedules.{name}")
    suites = {name: wiring.load_suite(parts.config, name) for name in parts.config.suites}
    shown: list[RenderableType] = [f"[green]✓[/] {path}: the configuration is right"]
    shown += [
        f"[green]✓[/] suite {name}: {len(suite.queries)} queries in {len(suite.strata)} strata ({suite.axis})"
        for name, suite in suites.items()
    ]
    found: dict[str, Any] = {}
    for name in parts.retrievers:
        found[name], lines = await _check_target(parts, name, list(suites.values()))
        shown += lines
    shown += _slow(parts.config, found)
    failed = any("failure" in each or "failure" in each.get("answer", {}) for each in found.values())
    data = {"suites": {name: len(suite.queries) for name, suite in suites.items()}, "targets": found}
    return Result(shown, data, NOT_MEASURED if failed else 0)


async def _check_target(
    parts: wiring.CheckedConfig, name: str, suites: list[Suite]
) -> tuple[dict[str, Any], list[str]]:
    queries = [query for suite in suites for query in suite.queries if query.is_judged and not query.follows]
    if not queries:
        return {"skipped": "no suite has a judged query"}, [
            f"[yellow]?[/] target {name}: not probed, no suite has a judged query"
        ]
    live = wiring.connect(parts, name)
    try:
        outcome = await probe(queries[0], live.retriever, depth=10, attempts=1)
        told, lines = _ranking_told(outcome), [_ranking_line(name, outcome)]
        if recognised := getattr(parts.retrievers[name].options, "recognised", ""):
            told["recognised"] = recognised
            lines.append(f"    recognised: {recognised}")
        query = next((query for query in queries if query.answers), None)
        if live.answerer is not None and query is not None:
            reply = await ask(query.text, live.answerer, attempts=1)
            told["answer"] = _answer_told(query, reply)
            lines.append(_answer_line(name, reply))
    finally:
        await live.close()
    return told, lines


def _ranking_told(outcome: Outcome) -> dict[str, Any]:
    if outcome.failure:
        return {"failure": outcome.failure.reason, "detail": outcome.failure.detail}
    ranking = outcome.ranking
    hits = ranking.hits if ranking else ()
    told: dict[str, Any] = {"hits": len(hits), "first": hits[0].doc_id if hits else None, "seconds": outcome.duration_s}
    return told | ({"deployment": ranking.deployment} if ranking and ranking.deployment else {})


def _ranking_line(name: str, outcome: Outcome) -> str:
    if outcome.failure:
        return f"[red]✗[/] target {name}: {outcome.failure.reason}: {outcome.failure.detail}"
    ranking = outcome.ranking
    hits = ranking.hits if ranking else ()
    scores = "with scores" if hits and hits[0].score is not None else "without scores"
    served = f", serving {ranking.deployment}" if ranking and ranking.deployment else ""
    return f"[green]✓[/] target {name}: {len(hits)} hits {scores} in {1000 * outcome.duration_s:.0f} ms{served}"


def _answer_told(query: Query, reply: Reply) -> dict[str, Any]:
    if reply.answer is None:
        return {"failure": reply.reason, "detail": reply.detail}
    answer = reply.answer
    return {
        "query": query.text,
        "answer": answer.text,
        "expected": list(query.answers),
        "model": answer.model,
        "documents": list(answer.doc_ids) if answer.doc_ids is not None else None,
        "seconds": reply.duration_s,
    }


def _answer_line(name: str, reply: Reply) -> str:
    if reply.answer is None:
        return f"[red]✗[/] answers of {name}: {reply.reason}: {reply.detail}"
    answer = reply.answer
    told = [f"{len(answer.text)} characters in {1000 * reply.duration_s:.0f} ms"]
    told += [f"from {len(answer.doc_ids)} documents"] if answer.doc_ids is not None else ["sources not told"]
    told += [f"by {answer.model}"] if answer.model else []
    return f"[green]✓[/] answers of {name}: {', '.join(told)}"


def _slow(config: Config, found: dict[str, Any]) -> list[str]:
    """Targets whose one probe took longer than the time between two cycles."""
    return [
        f"[yellow]![/] schedule {name}: one probe of {schedule.target} took longer than its {schedule.every:g} s"
        for name, schedule in config.schedules.items()
        if schedule.every is not None and found[schedule.target].get("seconds", 0.0) > schedule.every
    ]
