"""All targets at a glance."""

from __future__ import annotations

from dashboards.panels import PROMETHEUS, Json, lines, override, page, panel, query, stat, variable
from dashboards.series import (
    AGE,
    AGE_IN_INTERVALS,
    ALARM,
    BAD,
    GOOD,
    IN_FORCE,
    LOSS,
    ODD,
    SCRAPED,
    SWAPS,
    TARGETS,
    VERDICT_NAMES,
)

NOW = [
    stat(
        "Targets",
        "Targets with a verdict.",
        query('count(count by (target) (recallwatch_verdict{SELF, target=~"$target"}))'),
    ),
    stat(
        "Open incidents",
        "Regressions that on-call was told of and that last.",
        query('sum(recallwatch_incident_open{SELF, target=~"$target"})'),
        steps=ALARM,
    ),
    stat(
        "Regressed or trade-off",
        "Targets whose last verdict pages.",
        query('sum(recallwatch_verdict{SELF, target=~"$target", verdict=~"regressed|trade_off"})'),
        steps=ALARM,
    ),
    stat(
        "Not judged",
        "Targets whose last verdict is invalid: the ruler moved, or too few probes brought something back.",
        query('sum(recallwatch_verdict{SELF, target=~"$target", verdict="invalid"})'),
        steps=((None, GOOD), (1, ODD)),
    ),
    stat(
        "Coverage over its floor",
        "The target and suite closest to the floor of its policy; below zero nothing is judged.",
        query(
            'min(recallwatch_coverage_ratio{SELF, target=~"$target"}'
            ' - recallwatch_coverage_floor_ratio{SELF, target=~"$target"})'
        ),
        unit="percentunit",
        steps=LOSS,
        decimals=1,
    ),
    stat(
        "Oldest measurement",
        "Age of the oldest good run, in intervals of its schedule; two are missing from 2 on.",
        query(f"max({AGE_IN_INTERVALS})"),
        steps=AGE,
        decimals=1,
    ),
]
VERDICTS = [
    panel(
        "state-timeline",
        "Verdict of each target",
        "What held when. Only regressed and trade off page.",
        query(f"max by (target) ({IN_FORCE})", "{{target}}"),
        width=24,
        mappings=[VERDICT_NAMES],
        links=[
            {
                "title": "Show ${__field.labels.target}",
                "url": "/d/recallwatch-target?var-target=${__field.labels.target}&${__url_time_range}",
            }
        ],
    )
]
TRENDS = [
    lines(
        "Worst difference of each axis",
        "Candidate minus baseline, the worst stratum and measure of each target and axis; negative is worse.",
        query('min by (target, axis) (recallwatch_difference_ratio{SELF, target=~"$target"})', "{{target}} {{axis}}"),
        unit="percentunit",
        steps=LOSS,
    ),
    lines(
        "Coverage",
        "Share of probes that brought something back. Failures are not zeros: below the floor nothing is judged.",
        query('recallwatch_coverage_ratio{SELF, target=~"$target"}', "{{target}} {{suite}}"),
        query('min(recallwatch_coverage_floor_ratio{SELF, target=~"$target"})', "floor"),
        unit="percentunit",
        max=1,
        overrides=[override("byName", "floor", color={"mode": "fixed", "fixedColor": BAD}, custom__lineWidth=1)],
    ),
    lines(
        "Freshness",
        "Age of the last good run in intervals of its schedule: a saw-tooth below 1 while all is well.",
        query(AGE_IN_INTERVALS, "{{target}} {{suite}}"),
        steps=AGE,
        min=0,
    ),
    lines(
        "Incidents over time",
        "1 while an incident of the target lasts.",
        query('recallwatch_incident_open{SELF, target=~"$target"}', "{{target}}"),
        steps=ALARM,
        min=0,
        max=1,
    ),
]


def dashboard() -> Json:
    """All targets at a glance."""
    return page(
        "recallwatch-overview",
        "recallwatch / Overview",
        "All targets: verdicts, incidents, coverage, freshness.",
        PROMETHEUS,
        [*SCRAPED, variable("target", "Target", TARGETS, multi=True)],
        [("Now", NOW), ("Verdicts", VERDICTS), ("Over time", TRENDS)],
        [SWAPS],
    )
