"""Colours, variables, annotations and expressions that several dashboards share."""

from __future__ import annotations

from dashboards.panels import PROMETHEUS, Json, mapping, override, selected, source, variable

GOOD, WATCH, BAD, ODD = "green", "yellow", "red", "purple"
ALARM = ((None, GOOD), (1, BAD))
LOSS = ((None, BAD), (0, GOOD))
AGE = ((None, GOOD), (1.2, WATCH), (2, BAD))
VERDICT_NAMES = mapping(
    passed=(1, GOOD), inconclusive=(2, WATCH), invalid=(3, ODD), trade_off=(4, BAD), regressed=(5, BAD)
)
CURRENT_VERDICT = " or ".join(
    f'({code} * (recallwatch_verdict{{SELF, target=~"$target", verdict="{name}"}} == 1))'
    for code, name in enumerate(("passed", "inconclusive", "invalid", "trade_off", "regressed"), 1)
)
AGE_IN_INTERVALS = (
    '(time() - recallwatch_run_last_success_timestamp_seconds{SELF, target=~"$target"})'
    ' / recallwatch_run_interval_seconds{SELF, target=~"$target"}'
)
DASHED = override("byRegexp", "/baseline$/", custom__lineStyle={"fill": "dash", "dash": [6, 4]}, custom__lineWidth=1)
SWAPS: Json = {
    "name": "Swaps",
    "enable": True,
    "iconColor": "purple",
    "datasource": source(PROMETHEUS),
    # The value of the series is the time of the swap, at which the annotation is shown.
    "expr": selected('recallwatch_swap_last_detected_timestamp_seconds{SELF, target=~"$target"} * 1000'),
    "useValueForTime": True,
    "titleFormat": "The deployment of {{target}} changed",
    "step": "60s",
}
SCRAPED = (
    variable("job", "Job", "label_values(recallwatch_build_info, job)", multi=True),
    variable("instance", "Instance", 'label_values(recallwatch_build_info{job=~"$job"}, instance)', multi=True),
)
TARGETS = 'label_values(recallwatch_verdict{job=~"$job", instance=~"$instance"}, target)'
