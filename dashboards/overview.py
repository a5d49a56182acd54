"""All targets at a glance."""

from __future__ import annotations

from dashboards.panels import PROMETHEUS, Json, lines, override, page, panel, query, stat, variable
from dashboards.series import (
    AGE,
    AGE_IN_INTERVALS,
    ALARM,
    BAD,
    CURRENT_VERDICT,
    GOOD,
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
        "Open incidents about regressions.",
        query('sum(recallwatch_incident_open{SELF, target=~"$target"})'),
        steps=ALARM,
    ),
    stat(
        "Regressed or trade-off",
        "Targets whose latest verdict pages.",
        query('sum(recallwatch_verdict{SELF, target=~"$target", verdict=~"regressed|trade_off"})'),
        steps=ALARM,
    ),
    stat(
        "Not evaluated",
        "Targets whose latest verdict is invalid: the runs are not comparable, or too many probes failed.",
        query('sum(recallwatch_verdict{SELF, target=~"$target", verdict="invalid"})'),
        steps=((None, GOOD), (1, ODD)),
    ),
    stat(
        "Coverage above its minimum",
        "Of the target and suite closest to the minimum of its policy; below zero, quality is not evaluated.",
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
        "The largest age of a latest successful run, in intervals of its schedule; at 2, two runs are missing.",
        query(f"max({AGE_IN_INTERVALS})"),
        steps=AGE,
        decimals=1,
    ),
]
VERDICTS = [
    panel(
        "state-timeline",
        "Verdict of each target",
        "Verdicts over time. Only regressed and trade off page.",
        query(f"max by (target) ({CURRENT_VERDICT})", "{{target}}"),
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
        "Worst sure difference of each axis",
        "Candidate minus baseline, the worst stratum and measure of each target and axis, at the favourable end of its "
        "95 % interval: below zero it is worse than the baseline, and noise stays above.",
        query(
            'min by (target, axis) (recallwatch_difference_upper_ratio{SELF, target=~"$target"})',
            "{{target}} {{axis}}",
        ),
        unit="percentunit",
        steps=LOSS,
    ),
    lines(
        "Coverage",
        "Share of probes that did not fail. Below the minimum, quality is not evaluated.",
        query('recallwatch_coverage_ratio{SELF, target=~"$target"}', "{{target}} {{suite}}"),
        query('min(recallwatch_coverage_floor_ratio{SELF, target=~"$target"})', "minimum"),
        unit="percentunit",
        max=1,
        overrides=[override("byName", "minimum", color={"mode": "fixed", "fixedColor": BAD}, custom__lineWidth=1)],
    ),
    lines(
        "Freshness",
        "Age of the latest successful run, in intervals of its schedule: normally a saw-tooth below 1.",
        query(AGE_IN_INTERVALS, "{{target}} {{suite}}"),
        steps=AGE,
        min=0,
    ),
    lines(
        "Incidents over time",
        "1 while an incident of the target is open.",
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
