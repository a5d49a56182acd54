"""`recallwatch check`: check the configuration and the suites, and send each target a few probes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.markup import escape

from monitor.cli.result import NOT_MEASURED, PASSED, Result
from monitor.cli.terminal import DEFAULT_CONFIG, AsJson, ConfigPath, finish, perform

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rich.console import RenderableType

    from monitor.config.config import Config
    from monitor.model.answers import Reply
    from monitor.model.runs import Outcome
    from monitor.model.suites import Query, Suite
    from monitor.service import wiring

SAMPLE = 10
"""Probes for each suite of a target."""


def check(config: ConfigPath = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Check the configuration and the suites, and send each target a few probes."""
    finish(perform(check_all(config)), as_json)


async def check_all(path: Path) -> Result:
    """Check the configuration and the suites, and send each target ten probes for each of its suites."""
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
        targets[name], lines = await _check_target(checked, name, _suites_of(checked.config, name, suites))
        output += lines
    output += _slow_targets(checked.config, targets)
    has_failed = any(map(_has_failed, targets.values()))
    data = {"suites": {name: len(suite.queries) for name, suite in suites.items()}, "targets": targets}
    return Result(output, data, NOT_MEASURED if has_failed else PASSED)


async def _check_target(
    checked: wiring.CheckedConfig, name: str, suites: list[Suite]
) -> tuple[dict[str, Any], list[str]]:
    from monitor.probing.replay import probe
    from monitor.service import wiring

    queries = [query for suite in suites for query in _sample(suite)]
    if not queries:
        sentence = f"[yellow]?[/] target {name}: not probed, no suite has a judged query"
        return {"skipped": "no suite has a judged query"}, [sentence]
    clients = wiring.connect(checked, name)
    try:
        depth = min(10, checked.config.targets[name].limits.max_k or 10)
        outcome = await probe(queries[0], clients.retriever, depth=depth, attempts=1)
        data, lines = _ranking_to_dict(outcome), [_ranking_line(name, outcome)]
        if outcome.ranking is not None:
            data["suites"], warnings = await _check_ids(clients, suites, depth)
            lines += [f"[red]✗[/] target {name}: {escape(warning)}" for warning in warnings]
        if recognised := getattr(checked.retrievers[name].options, "inferred_fields", ""):
            data["recognised"] = recognised
            lines.append(f"    recognised: {recognised}")
        query = next((query for suite in suites for query in suite.queries if query.answers), None)
        if clients.answerer is not None and query is not None:
            reply = await _request_one_answer(query, suites, clients, checked)
            data["answer"] = _answer_to_dict(query, reply)
            lines.append(_answer_line(name, reply))
    finally:
        await clients.close()
    return data, lines


async def _request_one_answer(
    query: Query, suites: Sequence[Suite], clients: wiring.TargetClients, checked: wiring.CheckedConfig
) -> Reply:
    """One answer, from the texts of the first hits if the answerer retrieves nothing by itself."""
    from monitor.errors import Reason
    from monitor.model.answers import Reply
    from monitor.model.policies import Policy
    from monitor.probing.replay import answer_turns, probe_with_answer
    from monitor.service import wiring
    from monitor.world import ContextTexts, Endpoints

    suite = next(suite for suite in suites if query in suite.queries)
    window = Policy().context_window
    endpoints = Endpoints(
        retriever=clients.retriever,
        depth=window,
        answerer=clients.answerer,
        attempts=1,
        contexts=ContextTexts(window, wiring.texts_of(checked.config, suite.name)),
    )
    outcome = await probe_with_answer(query, endpoints, answer_turns(endpoints))
    return outcome.reply or Reply(reason=Reason.REJECTED, detail="no query can be answered")


def _suites_of(config: Config, target: str, suites: dict[str, Suite]) -> list[Suite]:
    """The suites that schedules send to a target; all suites if no schedule names it."""
    scheduled = [name for each in config.schedules.values() if each.target == target for name in each.suites]
    return [suites[name] for name in dict.fromkeys(scheduled) if name in suites] or list(suites.values())


def _sample(suite: Suite) -> list[Query]:
    """Judged queries that follow no answer, evenly spread over the suite."""
    queries = [query for query in suite.queries if query.is_judged and not query.follows]
    return queries[:: max(1, len(queries) // SAMPLE)][:SAMPLE]


async def _check_ids(
    clients: wiring.TargetClients, suites: list[Suite], depth: int
) -> tuple[dict[str, Any], list[str]]:
    """Returned and known ids by suite, and a warning for each suite that knows no returned id."""
    from dataclasses import asdict

    from monitor.cli.id_field import id_advice
    from monitor.evaluation.recognition import recognise
    from monitor.probing.replay import probe

    data: dict[str, Any] = {}
    warnings: list[str] = []
    for suite in suites:
        queries = _sample(suite)
        outcomes = [await probe(query, clients.retriever, depth=depth, attempts=1) for query in queries]
        recognition = recognise(suite, outcomes)
        data[suite.name] = asdict(recognition)
        if recognition.is_foreign:
            advice = await id_advice(clients.raw_retriever, suite, depth)
            warnings.append(f"suite {suite.name}: {recognition.description}{advice}")
            data[suite.name]["advice"] = advice.removeprefix("; ")
    return data, warnings


def _has_failed(target: dict[str, Any]) -> bool:
    """Whether a probe or an answer failed, or a suite knows no returned id."""
    is_foreign = any(
        each["known_id"] and each["n_hits"] and not each["n_known"] for each in target.get("suites", {}).values()
    )
    return "failure" in target or "failure" in target.get("answer", {}) or is_foreign


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
