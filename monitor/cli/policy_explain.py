"""`recallwatch policy explain`: the drops that a policy pages for, and the smallest detectable drop of each target."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli.place import HERE, Place
from monitor.cli.result import Result
from monitor.cli.terminal import AsJson, finish, perform

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rich.console import RenderableType

    from monitor.model.noise import Noise
    from monitor.model.verdicts import Verdict


def policy_explain(
    name: Annotated[str, typer.Argument(help="A policy of the configuration.")] = "default",
    place: Place = HERE,
    as_json: AsJson = False,
) -> None:
    """Explain in plain words which drops page and which do not, with the smallest detectable drop of each target."""
    finish(perform(explain(place, name)), as_json)


@dataclass(frozen=True, slots=True)
class TargetHistory:
    """The stored history of a target: its latest verdict with evidence, and the noise floor of each suite."""

    verdict: Verdict | None
    noise: Mapping[str, Noise]


async def explain(place: Place, name: str) -> Result:
    """The drops that page under a policy, and the smallest detectable drops of its targets."""
    from monitor.cli.session import open_session
    from monitor.service.policy_sentences import sentences_of

    histories: dict[str, TargetHistory] = {}
    async with open_session(place, needs_file=True) as session:
        policy, records = await session.policy(name), session.records
        for watched in await session.watched_targets():
            if watched.policy != name:
                continue
            states = {suite: await records.detector_state(watched.target, suite) for suite in watched.suites}
            noise = {suite: state.noise for suite, state in states.items() if state}
            histories[watched.target] = TargetHistory(await records.latest_verdict(watched.target), noise)
    sentences = list(sentences_of(policy))
    output: list[RenderableType] = [f"[bold]Policy {name}[/]", *(f"• {sentence}" for sentence in sentences)]
    output += [table for target, history in histories.items() for table in _tables(target, history)]
    targets = {target: _to_dict(history) for target, history in histories.items()}
    return Result(output, {"policy": name, "sentences": sentences, "targets": targets})


def _tables(target: str, history: TargetHistory) -> Iterator[RenderableType]:
    from rich.table import Table

    from monitor.decision.sentences import size
    from monitor.statistics.pairing import OVERALL

    for suite, noise in history.noise.items():
        kind = "is deterministic" if noise.is_deterministic else f"varies in {noise.share_changed:.0%} of rankings"
        yield f"• {target} / {suite}: the target {kind} ({noise.replays} replays of {noise.queries} queries)."
    gating = [evidence for evidence in history.verdict.evidence if evidence.gating] if history.verdict else []
    if not gating:
        yield f"• {target}: no comparison yet; `recallwatch suite power` estimates the detectable drop of a suite."
        return
    title = f"Smallest drop that pages with 80 % power on {target} (points; standard deviations for separation)"
    table = Table(title=title, title_justify="left")
    measures = list(dict.fromkeys(evidence.measure for evidence in gating))
    for heading in ("suite", "stratum"):
        table.add_column(heading)
    for measure in measures:
        table.add_column(measure, justify="right")
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for evidence in gating:
        detectable = size(evidence.mde_page, evidence, unit=False) if isfinite(evidence.mde_page) else "–"
        rows.setdefault((evidence.suite, evidence.stratum), {})[evidence.measure] = detectable
    for (suite, stratum), values in rows.items():
        style = "bold" if stratum == OVERALL else None
        table.add_row(suite, stratum, *(values.get(measure, "") for measure in measures), style=style)
    yield table


def _to_dict(history: TargetHistory) -> dict[str, Any]:
    from monitor.reports.terminal import finite

    return {
        "detectable": [
            {
                "suite": each.suite,
                "stratum": each.stratum,
                "measure": each.measure,
                "mde": finite(each.mde),
                "mde_page": finite(each.mde_page),
            }
            for each in (history.verdict.evidence if history.verdict else ())
            if each.gating
        ],
        "noise": {
            suite: {
                "deterministic": noise.is_deterministic,
                "replays": noise.replays,
                "queries": noise.queries,
                "share_changed": noise.share_changed,
                "deviations": dict(noise.deviations),
            }
            for suite, noise in history.noise.items()
        },
    }
