"""`recallwatch policy explain`: the drops that a policy pages for, and the smallest detectable drop of each target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli.result import Result
from monitor.cli.terminal import DEFAULT_CONFIG, AsJson, ConfigPath, finish, perform

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from rich.console import RenderableType

    from monitor.model.noise import Noise
    from monitor.model.policies import Policy, Tolerance
    from monitor.model.verdicts import Verdict

_LOOKS = (1, 2, 3, 5, 12)


def policy_explain(
    name: Annotated[str, typer.Argument(help="A policy of the configuration.")] = "default",
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Explain in plain words which drops page and which do not, with the smallest detectable drop of each target."""
    finish(perform(explain(config, name)), as_json)


@dataclass(frozen=True, slots=True)
class TargetHistory:
    """The stored history of a target: its latest verdict with evidence, and the noise floor of each suite."""

    verdict: Verdict | None
    noise: Mapping[str, Noise]


async def explain(path: Path, name: str) -> Result:
    """The drops that page under a policy, and the smallest detectable drops of its targets."""
    from monitor.service import wiring

    checked = wiring.load(path)
    policy = checked.config.policy(name)
    histories: dict[str, TargetHistory] = {}
    async with wiring.open_store(checked.config) as store:
        for schedule in checked.config.schedules.values():
            if schedule.policy != name:
                continue
            suites = [wiring.load_suite(checked.config, suite).name for suite in schedule.suites]
            states = {suite: await store.detector_state(schedule.target, suite) for suite in suites}
            noise = {suite: state.noise for suite, state in states.items() if state}
            histories[schedule.target] = TargetHistory(await store.latest_verdict(schedule.target), noise)
    sentences = list(sentences_of(policy))
    output: list[RenderableType] = [f"[bold]Policy {name}[/]", *(f"• {sentence}" for sentence in sentences)]
    output += [table for target, history in histories.items() for table in _tables(target, history)]
    targets = {target: _to_dict(history) for target, history in histories.items()}
    return Result(output, {"policy": name, "sentences": sentences, "targets": targets})


def sentences_of(policy: Policy) -> Iterator[str]:
    """One sentence for each rule of a policy."""
    from monitor.statistics.error_budget import alpha_of_silent_look

    for axis, measures in policy.gating.items():
        yield f"On the {axis} axis {_join(measures)} can page, over the whole suite and in every stratum by itself."
    yield (
        f"A drop pages if it is significant (adjusted p at most {policy.alpha_page:g} over all of those together) "
        f"and at least {_points(policy.floor_absolute)} and {policy.floor_relative:.0%} of the baseline."
    )
    yield from map(_exception, policy.tolerances)
    levels = ", ".join(
        f"{alpha_of_silent_look(n, alpha_page=policy.alpha_page, alpha_year=policy.alpha_year):.2g} at the {n}{_th(n)}"
        for n in _LOOKS
    )
    yield (
        "A comparison can page only after a detected change: a declared deployment, results that differ from a "
        "deterministic target, or a drift below the noise floor of a noisy one. "
        f"Each such look spends from a yearly error budget of {policy.alpha_year:g}: {levels} look of a year."
    )
    yield (
        "A broad drop together with a compositional rise is called trade_off and pages too; a rise is not counted as "
        "a gain if a control stratum fell too."
    )
    yield (
        f"A candidate is passed when every gating measure is shown to keep {1 - policy.margin:.0%} of its baseline, "
        f"at an error of {policy.alpha_warn:g}; a significant drop below the floors does not page."
    )
    yield (
        f"Failed probes never change a quality number: below {policy.coverage_floor:.0%} coverage, or when suite, "
        f"depth or corpus have changed since the baseline, or fewer than {policy.label_floor:.0%} of its judgements "
        "are still valid, the verdict is invalid, which does not page for quality."
    )
    yield f"Strata with fewer than {policy.min_clusters} independent clusters are reported and not tested."


def _exception(tolerance: Tolerance) -> str:
    scope = (tolerance.axis, tolerance.suite, tolerance.stratum, tolerance.measure)
    where = " ".join(str(part) for part in scope if part)
    values = {
        "margin": tolerance.margin,
        "absolute floor": tolerance.floor_absolute,
        "relative floor": tolerance.floor_relative,
    }
    exceptions = _join([f"a {name} of {value:.1%}" for name, value in values.items() if value is not None])
    return f"Exception for {where or 'everything'}: {exceptions}."


def _tables(target: str, history: TargetHistory) -> Iterator[RenderableType]:
    from rich.table import Table

    from monitor.statistics.pairing import OVERALL

    for suite, noise in history.noise.items():
        kind = "is deterministic" if noise.is_deterministic else f"varies in {noise.share_changed:.0%} of rankings"
        yield f"• {target} / {suite}: the target {kind} ({noise.replays} replays of {noise.queries} queries)."
    gating = [evidence for evidence in history.verdict.evidence if evidence.gating] if history.verdict else []
    if not gating:
        yield f"• {target}: no comparison yet; `recallwatch suite power` estimates the detectable drop of a suite."
        return
    table = Table(title=f"Smallest drop detected with 80 % power on {target} (points)", title_justify="left")
    measures = list(dict.fromkeys(evidence.measure for evidence in gating))
    for heading in ("suite", "stratum"):
        table.add_column(heading)
    for measure in measures:
        table.add_column(measure, justify="right")
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for evidence in gating:
        rows.setdefault((evidence.suite, evidence.stratum), {})[evidence.measure] = f"{100 * evidence.mde:.1f}"
    for (suite, stratum), values in rows.items():
        style = "bold" if stratum == OVERALL else None
        table.add_row(suite, stratum, *(values.get(measure, "") for measure in measures), style=style)
    yield table


def _to_dict(history: TargetHistory) -> dict[str, Any]:
    from monitor.reports.terminal import finite

    return {
        "detectable": [
            {"suite": each.suite, "stratum": each.stratum, "measure": each.measure, "mde": finite(each.mde)}
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


def _join(words: tuple[str, ...] | list[str]) -> str:
    *most, last = words or ["nothing"]
    return f"{', '.join(most)} and {last}" if most else last


def _points(ratio: float) -> str:
    return f"{100 * ratio:g} point{'' if ratio == 0.01 else 's'}"


def _th(number: int) -> str:
    return {1: "st", 2: "nd", 3: "rd"}.get(number, "th")
