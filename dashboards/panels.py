"""Building blocks of dashboards: panels, variables and pages as dictionaries for Grafana 11."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Json = dict[str, Any]
Steps = Sequence[tuple[float | None, str]]
"""Lower bounds and their colours; the first bound is None."""

PROMETHEUS, POSTGRES = "prometheus", "grafana-postgresql-datasource"
TAG = "recallwatch"
CALM: Steps = ((None, "text"),)
CELL = 1
"""Height of a row's title."""


def query(expression: str, legend: str = "", *, instant: bool = False, ref: str = "A") -> Json:
    """A PromQL query. ``SELF`` in its selectors stands for the selected scrape job and instance."""
    return {
        "refId": ref,
        "datasource": source(PROMETHEUS),
        "expr": selected(expression),
        "legendFormat": legend or "__auto",
        "instant": instant,
        "range": not instant,
        "format": "table" if instant else "time_series",
    }


def selected(expression: str) -> str:
    """The expression for the selected scrape job and instance."""
    return expression.replace("SELF", 'job=~"$job", instance=~"$instance"')


def sql(statement: str) -> Json:
    """A PostgreSQL query of the read-only role."""
    text = " ".join(statement.split())
    return {
        "refId": "A",
        "datasource": source(POSTGRES),
        "rawSql": text,
        "rawQuery": True,
        "editorMode": "code",
        "format": "table",
    }


def source(kind: str) -> Json:
    """The selected data source."""
    return {"type": kind, "uid": "${datasource}"}


def panel(
    kind: str,
    title: str,
    description: str,
    *targets: Json,
    width: int = 12,
    height: int = 8,
    unit: str = "none",
    steps: Steps = CALM,
    mappings: Sequence[Json] = (),
    overrides: Sequence[Json] = (),
    transformations: Sequence[Json] = (),
    options: Json | None = None,
    **field: Any,
) -> Json:
    """A panel of any kind. Further keywords become defaults of its fields."""
    custom = field.pop("custom", {})
    defaults = {
        "unit": unit,
        "custom": custom,
        "mappings": list(mappings),
        "thresholds": {"mode": "absolute", "steps": [{"value": value, "color": color} for value, color in steps]},
        **field,
    }
    return {
        "type": kind,
        "title": title,
        "description": description,
        "datasource": targets[0]["datasource"],
        "targets": [{**target, "refId": chr(ord("A") + place)} for place, target in enumerate(targets)],
        "gridPos": {"w": width, "h": height},
        "fieldConfig": {"defaults": defaults, "overrides": list(overrides)},
        "options": {**OPTIONS[kind], **(options or {})},
        "transformations": list(transformations),
    }


def lines(title: str, description: str, *targets: Json, **look: Any) -> Json:
    """Lines over time; steps above the first are drawn as areas."""
    threshold_style = "dashed+area" if len(look.get("steps", CALM)) > 1 else "off"
    custom = {
        "drawStyle": "line",
        "lineWidth": 2,
        "fillOpacity": 0,
        "showPoints": "auto",
        "spanNulls": True,
        "thresholdsStyle": {"mode": threshold_style},
        **look.pop("custom", {}),
    }
    return panel("timeseries", title, description, *targets, custom=custom, **look)


def stat(title: str, description: str, *targets: Json, **look: Any) -> Json:
    """One number, coloured by its steps."""
    return panel("stat", title, description, *targets, **{"width": 4, "height": 4, **look})


def table(title: str, description: str, *targets: Json, **look: Any) -> Json:
    """Rows; several instant queries are joined into one table."""
    joined = [{"id": "merge", "options": {}}] if len(targets) > 1 else []
    return panel(
        "table", title, description, *targets, **{"width": 24, **look}, transformations=[*joined, hidden_columns()]
    )


def hidden_columns() -> Json:
    """Hide the columns that every Prometheus series has and no reader needs."""
    return {
        "id": "organize",
        "options": {"excludeByName": dict.fromkeys(("Time", "__name__", "job", "instance"), True)},
    }


def override(matcher: str, pattern: str, **properties: Any) -> Json:
    """Other properties for the fields whose name matches; ``custom__lineStyle`` means ``custom.lineStyle``."""
    return {
        "matcher": {"id": matcher, "options": pattern},
        "properties": [{"id": name.replace("__", "."), "value": value} for name, value in properties.items()],
    }


def mapping(**names: tuple[int, str]) -> Json:
    """Labels and colours for numbers."""
    return {
        "type": "value",
        "options": {
            str(value): {"text": name.replace("_", " "), "color": color, "index": value}
            for name, (value, color) in names.items()
        },
    }


def variable(name: str, label: str, text: str, kind: str = PROMETHEUS, *, multi: bool = False) -> Json:
    """A variable whose options come from a query that runs again when the time range changes."""
    definition = text if kind == POSTGRES else {"query": text, "refId": "variable", "qryType": 1}
    selection = (
        {"includeAll": True, "allValue": ".+", "current": {"text": ["All"], "value": ["$__all"]}} if multi else {}
    )
    return {
        "type": "query",
        "name": name,
        "label": label,
        "datasource": source(kind),
        "query": definition,
        "definition": text,
        "refresh": 2,
        "sort": 0 if kind == POSTGRES else 1,
        "multi": multi,
        "hide": 0,
        **selection,
    }


def page(
    uid: str,
    title: str,
    description: str,
    kind: str,
    variables: Sequence[Json],
    rows: Sequence[tuple[str, Sequence[Json]]],
    annotations: Sequence[Json] = (),
) -> Json:
    """A dashboard with rows of panels, placed from left to right."""
    return {
        "uid": uid,
        "title": title,
        "description": description,
        "tags": [TAG],
        "schemaVersion": 39,
        "version": 1,
        "editable": False,
        "graphTooltip": 1,
        "timezone": "browser",
        "time": {"from": "now-7d", "to": "now"},
        "refresh": "1m",
        "links": [_link_to_the_others()],
        "annotations": {"list": list(annotations)},
        "templating": {"list": [_source_variable(kind), *variables]},
        "panels": _laid_out(rows),
    }


def _laid_out(rows: Sequence[tuple[str, Sequence[Json]]]) -> list[Json]:
    placed: list[Json] = []
    top = 0
    for title, panels in rows:
        placed.append(
            {"type": "row", "title": title, "collapsed": False, "panels": [], "gridPos": _at(0, top, 24, CELL)}
        )
        top += CELL
        left = tallest = 0
        for item in panels:
            width, height = item["gridPos"]["w"], item["gridPos"]["h"]
            if left + width > 24:
                left, top, tallest = 0, top + tallest, 0
            placed.append({**item, "gridPos": _at(left, top, width, height)})
            left, tallest = left + width, max(tallest, height)
        top += tallest
    return [{"id": number, **each} for number, each in enumerate(placed, 1)]


def _at(left: int, top: int, width: int, height: int) -> Json:
    return {"x": left, "y": top, "w": width, "h": height}


def _source_variable(kind: str) -> Json:
    return {"type": "datasource", "name": "datasource", "label": "Data source", "query": kind, "refresh": 1, "hide": 0}


def _link_to_the_others() -> Json:
    return {
        "type": "dashboards",
        "title": "recallwatch",
        "tags": [TAG],
        "asDropdown": True,
        "includeVars": False,
        "keepTime": True,
    }


_LEGEND = {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []}
_LAST = {"calcs": ["lastNotNull"], "fields": "", "values": False}
OPTIONS: dict[str, Json] = {
    "timeseries": {"legend": _LEGEND, "tooltip": {"mode": "multi", "sort": "none"}},
    "stat": {"reduceOptions": _LAST, "colorMode": "background", "graphMode": "none", "textMode": "auto"},
    "state-timeline": {"legend": _LEGEND, "mergeValues": True, "showValue": "auto", "rowHeight": 0.9},
    "table": {"showHeader": True, "cellHeight": "sm"},
}
