"""What a policy pages for, in plain words, with what it could see on the targets at hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import RenderableType
from rich.table import Table

from monitor.cli.result import Result
from monitor.model.noise import Noise
from monitor.model.policies import Policy, Tolerance
from monitor.model.verdicts import Verdict
from monitor.reports.terminal import finite
from monitor.service import wiring
from monitor.statistics.error_budget import alpha_of_silent_look
from monitor.statistics.pairing import OVERALL

_LOOKS_SHOWN = (1, 2, 3, 5, 12)


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a target: its latest verdict with evidence, and the noise floor of each suite."""

    verdict: Verdict | None
    noise: Mapping[str, Noise]


async def explain(path: Path, name: str) -> Result:
    """What would page under a policy and what would not, and the drops that could be seen."""
    parts = wiring.load(path)
    policy = parts.config.policy(name)
    known: dict[str, Known] = {}
    schedules = [each for each in parts.config.schedules.values() if each.policy == name]
    async with wiring.open_store(parts.config) as store:
        for schedule in schedules:
            suites = [wiring.load_suite(parts.config, suite).name for suite in schedule.suites]
            states = {suite: await store.detector_state(schedule.target, suite) for suite in suites}
            noise = {suite: state.noise for suite, state in states.items() if state}
            known[schedule.target] = Known(await store.latest_verdict(schedule.target), noise)
    sentences = list(in_words(policy))
    shown: list[RenderableType] = [f"[bold]Policy {name}[/]", *(f"• {each}" for each in sentences)]
    shown += [table for target, each in known.items() for table in _tables(target, each)]
    data = {"policy": name, "sentences": sentences, "targets": {target: _plain(each) for target, each in known.items()}}
    return Result(shown, data)


def in_words(policy: Policy) -> Iterator[str]:
    """One sentence for each thing that would or would not page."""
    for axis, measures in policy.gating.items():
        yield f"On the {axis} axis {_listed(measures)} can page, over the whole suite and in every stratum by itself."
    yield (
        f"A drop pages if it is more than chance (adjusted p at most {policy.alpha_page:g} over all of those together) "
        f"and at least {_points(policy.floor_absolute)} and {policy.floor_relative:.0%} of the baseline."
    )
    yield from map(_exception, policy.tolerances)
    shown = ", ".join(
        f"{alpha_of_silent_look(n, alpha_page=policy.alpha_page, alpha_year=policy.alpha_year):.2g} at the {n}{_th(n)}"
        for n in _LOOKS_SHOWN
    )
    yield (
        "A comparison may page only when something changed: a declared swap, results that differ from a deterministic "
        "target, or a drift below the noise floor of a noisy one. "
        f"Each such look spends from a yearly error budget of {policy.alpha_year:g}: {shown} look of a year."
    )
    yield (
        "A broad drop together with a compositional rise is called trade_off and pages the same; a rise whose controls "
        "fell is called hollow."
    )
    yield (
        f"A candidate is passed when every gating measure is shown to keep {1 - policy.margin:.0%} of its baseline, "
        f"at an error of {policy.alpha_warn:g}; a significant drop below the floors is never paged."
    )
    yield (
        f"Failed probes never move a quality number: below {policy.coverage_floor:.0%} coverage, or when suite, depth "
        f"or corpus have changed since the baseline, or fewer than {policy.label_floor:.0%} of its judgements still "
        "hold, the verdict is invalid, which does not page for quality."
    )
    yield f"Strata with fewer than {policy.min_clusters} independent clusters are shown and not tested."


def _exception(tolerance: Tolerance) -> str:
    where = " ".join(
        str(each) for each in (tolerance.axis, tolerance.suite, tolerance.stratum, tolerance.measure) if each
    )
    values = {
        "margin": tolerance.margin,
        "absolute floor": tolerance.floor_absolute,
        "relative floor": tolerance.floor_relative,
    }
    stated = _listed([f"a {name} of {value:.1%}" for name, value in values.items() if value is not None])
    return f"For {where or 'everything'} there is {stated} instead."


def _tables(target: str, known: Known) -> Iterator[RenderableType]:
    for suite, noise in known.noise.items():
        kind = "answers alike every time" if noise.is_deterministic else f"{noise.share_changed:.0%} of rankings vary"
        yield f"• {target} / {suite}: {kind} ({noise.replays} replays of {noise.queries} queries)."
    gating = [each for each in known.verdict.evidence if each.gating] if known.verdict else []
    if not gating:
        yield f"• {target}: nothing has been compared yet; `recallwatch suite power` says what a suite could show."
        return
    table = Table(title=f"Smallest drop seen with 80 % power on {target} (points)", title_justify="left")
    measures = list(dict.fromkeys(each.measure for each in gating))
    for heading in ("suite", "stratum"):
        table.add_column(heading)
    for measure in measures:
        table.add_column(measure, justify="right")
    rows: dict[tuple[str, str], dict[str, str]] = {(each.suite, each.stratum): {} for each in gating}
    for each in gating:
        rows[each.suite, each.stratum][each.measure] = f"{100 * each.mde:.1f}"
    for (suite, stratum), values in rows.items():
        style = "bold" if stratum == OVERALL else None
        table.add_row(suite, stratum, *(values.get(measure, "") for measure in measures), style=style)
    yield table


def _plain(known: Known) -> dict[str, Any]:
    evidence = known.verdict.evidence if known.verdict else ()
    return {
        "detectable": [
            {"suite": each.suite, "stratum": each.stratum, "measure": each.measure, "mde": finite(each.mde)}
            for each in evidence
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
            for suite, noise in known.noise.items()
        },
    }


def _listed(words: tuple[str, ...] | list[str]) -> str:
    *most, last = words or ["nothing"]
    return f"{', '.join(most)} and {last}" if most else last


def _points(ratio: float) -> str:
    return f"{100 * ratio:g} point{'' if ratio == 0.01 else 's'}"


def _th(number: int) -> str:
    return {1: "st", 2: "nd", 3: "rd"}.get(number, "th")
