"""Both axes of one target."""

from __future__ import annotations

from dashboards.panels import PROMETHEUS, Json, lines, mapping, override, page, query, stat, table, variable
from dashboards.series import (
    AGE,
    AGE_IN_INTERVALS,
    BAD,
    CURRENT_VERDICT,
    DASHED,
    GOOD,
    LOSS,
    SCRAPED,
    SWAPS,
    TARGETS,
    VERDICT_NAMES,
)
from monitor.evaluation.measures import LEADING
from monitor.model.measures import Needs

SEPARATION = "separation"
"""The measure that shows a gain of structure, in standard deviations."""
IN_DEVIATIONS = override("byRegexp", f"/{SEPARATION}/", unit="none", decimals=2, custom__axisPlacement="right")
OF_SUITE = 'SELF, target=~"$target", suite=~"$suite"'
OF_STRATUM = f'{OF_SUITE}, stratum=~"$stratum"'
NOW = [
    stat(
        "Verdict",
        "The current verdict.",
        query(f"max({CURRENT_VERDICT})"),
        mappings=[VERDICT_NAMES],
        width=6,
    ),
    stat(
        "Incident",
        "Whether an incident about a regression is open.",
        query('max(recallwatch_incident_open{SELF, target=~"$target"})'),
        mappings=[mapping(none=(0, GOOD), open=(1, BAD))],
        width=6,
    ),
    stat(
        "Latest successful run",
        "Its age, in intervals of the schedule.",
        query(f"max({AGE_IN_INTERVALS})"),
        steps=AGE,
        decimals=1,
        width=6,
    ),
    stat(
        "Latest swap",
        "Time of the latest change of the deployment, declared or not.",
        query('max(recallwatch_swap_last_detected_timestamp_seconds{SELF, target=~"$target"}) * 1000'),
        unit="dateTimeFromNow",
        width=6,
    ),
]
TRADE_OFF = [
    lines(
        "Trade-off: compositional against broad",
        "Whole suites, candidate minus baseline with the 95 % interval. If compositional is above zero and broad is "
        "below, the model was tuned for structure and lost general domains: roll back. Separation, on the right, is in "
        "standard deviations of a query's scores; a target without scores has none.",
        *(
            query(
                f'recallwatch_difference_{bound}ratio{{{OF_SUITE}, axis="{axis}", stratum="overall",'
                f' measure="{measure}"}}',
                f"{axis} {{{{suite}}}} {measure}{name}",
            )
            for axis, measure in (
                ("broad", LEADING[Needs.RANKINGS]),
                ("compositional", LEADING[Needs.PAIRS]),
                ("compositional", SEPARATION),
            )
            for bound, name in (("", ""), ("lower_", " lower"), ("upper_", " upper"))
        ),
        width=24,
        height=9,
        unit="percentunit",
        steps=LOSS,
        overrides=[
            IN_DEVIATIONS,
            override("byRegexp", "/lower$/", custom__lineWidth=1, custom__lineStyle={"fill": "dot", "dash": [2, 4]}),
            override("byRegexp", "/upper$/", custom__lineWidth=1, custom__lineStyle={"fill": "dot", "dash": [2, 4]}),
        ],
    )
]
AXES = [
    lines(
        "Broad axis by domain: nDCG@10",
        "Mean over the queries of a stratum. The dashed line is the baseline.",
        query(f'recallwatch_ndcg_ratio{{{OF_STRATUM}, axis="broad", k="10"}}', "{{suite}} {{stratum}} {{role}}"),
        unit="percentunit",
        min=0,
        max=1,
        height=10,
        overrides=[DASHED],
    ),
    lines(
        "Compositional axis by phenomenon: structure",
        "Share of pairs whose satisfying document ranks above the violating one, of those with either returned. The "
        "dashed line is the baseline. Chance is one half.",
        query(
            f'recallwatch_structure_ratio{{{OF_STRATUM}, axis="compositional"}}',
            "{{suite}} {{stratum}} {{role}}",
        ),
        unit="percentunit",
        min=0,
        max=1,
        steps=((None, BAD), (0.5, "transparent")),
        height=10,
        overrides=[DASHED],
    ),
    lines(
        "Compositional axis by phenomenon: separation",
        "Score of the satisfying minus that of the violating document, in standard deviations of the scores of a "
        "query. The dashed line is the baseline. Zero: the target does not tell the two apart.",
        query(f'recallwatch_separation{{{OF_STRATUM}, axis="compositional"}}', "{{suite}} {{stratum}} {{role}}"),
        unit="none",
        decimals=2,
        steps=((None, BAD), (0, "transparent")),
        height=10,
        overrides=[DASHED],
    ),
    lines(
        "Compositional axis: found, and its near-copy",
        "Share of queries whose satisfying document was returned (reach), and whose violating document came first or "
        "among the first ten (lower is better).",
        query(f'recallwatch_reach_ratio{{{OF_SUITE}, stratum="overall"}}', "{{suite}} reach {{role}}"),
        query(f'recallwatch_violating_ratio{{{OF_SUITE}, stratum="overall"}}', "{{suite}} violating@{{k}} {{role}}"),
        unit="percentunit",
        min=0,
        max=1,
        height=10,
        overrides=[DASHED],
    ),
    lines(
        "Difference by stratum: $measure",
        "Candidate minus baseline for the selected measure; negative is worse.",
        query(
            f'recallwatch_difference_ratio{{{OF_STRATUM}, measure=~"$measure"}}',
            "{{suite}} {{stratum}} {{measure}}",
        ),
        unit="percentunit",
        steps=LOSS,
        overrides=[IN_DEVIATIONS],
    ),
    lines(
        "Recall at 10",
        "Share of relevant documents among the first ten hits.",
        query(f'recallwatch_recall_ratio{{{OF_STRATUM}, k="10"}}', "{{suite}} {{stratum}} {{role}}"),
        unit="percentunit",
        min=0,
        max=1,
        overrides=[DASHED],
    ),
    table(
        "Evidence now: $measure",
        "Difference, its 95 % interval, and the smallest drop that is detected with 80 % power. An interval that "
        "includes zero proves nothing; if the smallest detectable drop is large, more queries are needed.",
        *(
            query(f'recallwatch_{name}_ratio{{{OF_STRATUM}, measure=~"$measure"}}', instant=True)
            for name in ("difference", "difference_lower", "difference_upper", "mde")
        ),
        unit="percentunit",
        height=10,
        overrides=[
            override("byName", f"Value #{letter}", displayName=name)
            for letter, name in zip("ABCD", ("difference", "lower", "upper", "smallest detectable drop"), strict=True)
        ],
    ),
]
PROBING = [
    lines(
        "Queries by outcome",
        "Attempted queries are scored, failed or skipped. A failure is never scored as zero.",
        query(f"recallwatch_run_queries{{{OF_SUITE}}}", "{{suite}} {{outcome}}"),
        custom={"stacking": {"mode": "normal", "group": "A"}, "fillOpacity": 40, "lineWidth": 1},
        unit="short",
        min=0,
    ),
    lines(
        "Judged share",
        "Share of retrieved documents with a judgement. A drop after a swap means that the new model retrieves "
        "documents without a judgement, some of which may be relevant.",
        query(f"recallwatch_judged_ratio{{{OF_SUITE}}}", "{{suite}}"),
        unit="percentunit",
        min=0,
    ),
    lines(
        "Failed probes",
        "Failures per second, by reason. Probes come in bursts, when a cycle runs.",
        query(
            'sum by (reason) (rate(recallwatch_probe_failures_total{SELF, target=~"$target"}[$__rate_interval]))',
            "{{reason}}",
        ),
        unit="reqps",
        min=0,
    ),
    lines(
        "Latency of the target",
        "From sending the request to the complete response, without waiting in recallwatch. The objective is one "
        "second for 99 % of responses.",
        *(
            query(
                f"histogram_quantile({share}, sum by (le) (rate(recallwatch_probe_duration_seconds_bucket"
                '{SELF, target=~"$target"}[$__rate_interval])))',
                name,
            )
            for share, name in ((0.5, "median"), (0.95, "95 %"), (0.99, "99 %"))
        ),
        unit="s",
        min=0,
        steps=((None, "transparent"), (1, BAD)),
    ),
    table(
        "Current deployment",
        "The deployment of the latest run: the declared name, or a fingerprint of the rankings.",
        query(f"recallwatch_deployment_info{{{OF_SUITE}}}", instant=True),
        height=5,
    ),
]
MEASURES = 'label_values(recallwatch_difference_ratio{job=~"$job", target=~"$target"}, measure)'


def dashboard() -> Json:
    """Both axes of one target."""
    return page(
        "recallwatch-target",
        "recallwatch / Target",
        "One target: both axes by stratum with the baseline, differences with intervals, probing, swaps.",
        PROMETHEUS,
        [
            *SCRAPED,
            variable("target", "Target", TARGETS),
            variable(
                "suite", "Suite", 'label_values(recallwatch_coverage_ratio{target=~"$target"}, suite)', multi=True
            ),
            variable(
                "stratum", "Stratum", 'label_values(recallwatch_recall_ratio{suite=~"$suite"}, stratum)', multi=True
            ),
            variable("measure", "Measure", MEASURES, multi=True),
        ],
        [("Now", NOW), ("Trade-off", TRADE_OFF), ("Both axes", AXES), ("Probing", PROBING)],
        [SWAPS],
    )
