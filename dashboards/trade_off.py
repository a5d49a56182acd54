"""The trade-off of each deployment: compositional against broad, with intervals, margins and swaps."""

from __future__ import annotations

from dashboards.panels import PROMETHEUS, Json, lines, override, page, query, stat, table, variable
from dashboards.series import ALARM, SCRAPED, SWAPS, TARGETS
from monitor.evaluation.measures import LEADING, parse
from monitor.model.measures import Needs

OF_SUITE = 'SELF, target=~"$target", suite=~"$suite"'
LEADING_BROAD = parse(LEADING[Needs.RANKINGS])
BROAD = f'{OF_SUITE}, axis="broad", stratum="overall", measure="{LEADING[Needs.RANKINGS]}"'
MARGIN = (  # the policy's margin is a share of the baseline's mean
    f"recallwatch_margin_ratio{{{OF_SUITE}}} * on (job, instance, target, suite) group_left ()"
    f' {LEADING_BROAD.measure.family.metric}{{{OF_SUITE}, axis="broad", stratum="overall",'
    f' k="{LEADING_BROAD.k}", role="baseline"}}'
)
STRUCTURE = f'{OF_SUITE}, axis="compositional", stratum="overall", measure="$compositional"'
NAMED = (
    " * on (job, instance, target, suite) group_left (deployment)"
    f" max by (job, instance, target, suite, deployment) (recallwatch_deployment_info{{{OF_SUITE}}})"
)
DOTTED = [
    override("byRegexp", f"/{bound}$/", custom__lineWidth=1, custom__lineStyle={"fill": "dot", "dash": [2, 4]})
    for bound in ("lower", "upper", "margin")
]


def _differences(selector: str) -> list[Json]:
    """The difference of one measure with its interval, named by the deployment that it belongs to."""
    return [
        query(f"recallwatch_difference_{bound}ratio{{{selector}}}{NAMED}", f"{{{{deployment}}}} {{{{suite}}}}{name}")
        for bound, name in (("", ""), ("lower_", " lower"), ("upper_", " upper"))
    ]


NOW = [
    stat(
        "Trade-offs",
        "Targets whose latest verdict is a trade-off: structure gained while broad retrieval lost.",
        query('sum(recallwatch_verdict{SELF, target=~"$target", verdict="trade_off"})'),
        steps=ALARM,
        width=6,
    ),
    stat(
        "Broad retrieval lost beyond its margin",
        "Suites whose drop is beyond the tolerated one even at the favourable end of the 95 % interval. A drop whose "
        "interval holds the margin is not counted: it may be noise.",
        query(
            f"count(recallwatch_difference_upper_ratio{{{BROAD}}} < on (job, instance, target, suite)"
            f" group_left () (-1 * {MARGIN})) or vector(0)"
        ),
        steps=ALARM,
        width=9,
    ),
    stat(
        "Structure gained",
        "Suites whose gain is larger than zero even at the lower end of its 95 % interval.",
        query(f"count(recallwatch_difference_lower_ratio{{{STRUCTURE}}} > 0) or vector(0)"),
        width=9,
    ),
]
OVER_TIME = [
    lines(
        "Broad axis, each deployment against the baseline",
        "Candidate minus baseline with the 95 % interval, and the tolerated drop of the policy. Each line is one "
        "deployment; the purple marks are swaps.",
        *_differences(BROAD),
        query(f"-1 * {MARGIN}", "{{suite}} margin"),
        height=10,
        unit="percentunit",
        overrides=DOTTED,
    ),
    lines(
        "Compositional axis, each deployment against the baseline",
        "The same for structure. Above zero here while the broad axis is below its margin: the model was tuned for "
        "structure and lost general domains.",
        *_differences(STRUCTURE),
        height=10,
        unit="percentunit",
        overrides=DOTTED,
    ),
]
BY_DEPLOYMENT = [
    table(
        "What each stratum gained and lost",
        "The selected measures of the deployment that is served now, by stratum, with the 95 % interval.",
        *(
            query(
                f'recallwatch_difference_{bound}ratio{{{OF_SUITE}, measure=~"{LEADING_BROAD.name}|$compositional"}}',
                instant=True,
            )
            for bound in ("", "lower_", "upper_")
        ),
        height=12,
        unit="percentunit",
        decimals=1,
    ),
    table(
        "Deployments",
        "The deployment of the latest run of each suite: the declared name, or a fingerprint of the rankings.",
        query(f"recallwatch_deployment_info{{{OF_SUITE}}}", instant=True),
        height=6,
    ),
]


def dashboard() -> Json:
    """Structure against breadth, for each deployment of a target."""
    return page(
        "recallwatch-trade-off",
        "recallwatch / Trade-off",
        "Compositional against broad for each deployment, with intervals, margins and swaps.",
        PROMETHEUS,
        [
            *SCRAPED,
            variable("target", "Target", TARGETS),
            variable(
                "suite", "Suite", 'label_values(recallwatch_coverage_ratio{target=~"$target"}, suite)', multi=True
            ),
            variable(
                "compositional",
                "Measure of structure",
                'label_values(recallwatch_difference_ratio{target=~"$target", axis="compositional"}, measure)',
            ),
        ],
        [("Now", NOW), ("Each deployment", OVER_TIME), ("By stratum", BY_DEPLOYMENT)],
        [SWAPS],
    )
