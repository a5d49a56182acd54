"""`recallwatch check`: check the configuration and the suites, and probe each target once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from monitor.cli.result import NOT_MEASURED, PASSED, Result
from monitor.cli.terminal import DEFAULT_CONFIG, AsJson, ConfigPath, finish, perform

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import RenderableType

    from monitor.config.config import Config
    from monitor.model.answers import Reply
    from monitor.model.runs import Outcome
    from monitor.model.suites import Query, Suite
    from monitor.service import wiring


def check(config: ConfigPath = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Check the configuration and the suites, and probe each target once."""
    finish(perform(check_all(config)), as_json)


async def check_all(path: Path) -> Result:
    """Check the configuration and the suites, and send each target one probe."""
    from monitor.service import wiring
    from monitor.service.triggers import trigger_of

    checked = wiring.load(path)
    for name, schedule in checked.config.schedules.items():
        trigger_of(schedule, where=f"schedules.{name}")
    suites = {name: wiring.load_suite(checked.config, name) for name in checked.config.suites}
    output: list[RenderableType] = [f"[green]✓[/] {path}: the configuration is valid"]
    output += [
        f"[green]✓[/] suite {name}: {len(suite.queries)} queries in {len(suite.strata)} strata ({suite.axis})"
        for name, suite in suites.items()
    ]
    targets: dict[str, Any] = {}
    for name in checked.retrievers:
        targets[name], lines = await _check_target(checked, name, list(suites.values()))
        output += lines
    output += _slow_targets(checked.config, targets)
    has_failed = any("failure" in target or "failure" in target.get("answer", {}) for target in targets.values())
    data = {"suites": {name: len(suite.queries) for name, suite in suites.items()}, "targets": targets}
    return Result(output, data, NOT_MEASURED if has_failed else PASSED)


async def _check_target(
    checked: wiring.CheckedConfig, name: str, suites: list[Suite]
) -> tuple[dict[str, Any], list[str]]:
    from monitor.probing.replay import probe, request_answer
    from monitor.service import wiring

    queries = [query for suite in suites for query in suite.queries if query.is_judged and not query.follows]
    if not queries:
        sentence = f"[yellow]?[/] target {name}: not probed, no suite has a judged query"
        return {"skipped": "no suite has a judged query"}, [sentence]
    clients = wiring.connect(checked, name)
    try:
        outcome = await probe(queries[0], clients.retriever, depth=10, attempts=1)
        data, lines = _ranking_to_dict(outcome), [_ranking_line(name, outcome)]
        if recognised := getattr(checked.retrievers[name].options, "inferred_fields", ""):
            data["recognised"] = recognised
            lines.append(f"    recognised: {recognised}")
        query = next((query for query in queries if query.answers), None)
        if clients.answerer is not None and query is not None:
            reply = await request_answer(query.text, clients.answerer, attempts=1)
            data["answer"] = _answer_to_dict(query, reply)
            lines.append(_answer_line(name, reply))
    finally:
        await clients.close()
    return data, lines


def _ranking_to_dict(outcome: Outcome) -> dict[str, Any]:
    if outcome.failure:
        return {"failure": outcome.failure.reason, "detail": outcome.failure.detail}
    ranking = outcome.ranking
    hits = ranking.hits if ranking else ()
    data: dict[str, Any] = {"hits": len(hits), "first": hits[0].doc_id if hits else None, "seconds": outcome.duration_s}
    return data | ({"deployment": ranking.deployment} if ranking and ranking.deployment else {})


def _ranking_line(name: str, outcome: Outcome) -> str:
    if outcome.failure:
        return f"[red]✗[/] target {name}: {outcome.failure.reason}: {outcome.failure.detail}"
    ranking = outcome.ranking
    hits = ranking.hits if ranking else ()
    scores = "with scores" if hits and hits[0].score is not None else "without scores"
    deployment = f", serving {ranking.deployment}" if ranking and ranking.deployment else ""
    return f"[green]✓[/] target {name}: {len(hits)} hits {scores} in {1000 * outcome.duration_s:.0f} ms{deployment}"


def _answer_to_dict(query: Query, reply: Reply) -> dict[str, Any]:
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
    facts = [f"{len(answer.text)} characters in {1000 * reply.duration_s:.0f} ms"]
    facts += [f"from {len(answer.doc_ids)} documents"] if answer.doc_ids is not None else ["no sources"]
    facts += [f"by {answer.model}"] if answer.model else []
    return f"[green]✓[/] answers of {name}: {', '.join(facts)}"


def _slow_targets(config: Config, targets: dict[str, Any]) -> list[str]:
    """A warning for each schedule whose target needs longer for one probe than the schedule's interval."""
    return [
        f"[yellow]![/] schedule {name}: one probe of {schedule.target} took longer than its {schedule.every:g} s"
        for name, schedule in config.schedules.items()
        if schedule.every is not None and targets[schedule.target].get("seconds", 0.0) > schedule.every
    ]
