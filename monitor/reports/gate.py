"""The report of a gate: Markdown for a pull request, JUnit for a pipeline, plain values for JSON."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree as Xml

from monitor.evaluation.measures import parse
from monitor.model.gates import GateReport
from monitor.model.suites import Axis
from monitor.model.verdicts import Evidence, Verdict, VerdictName
from monitor.reports.terminal import run_to_dict, verdict_to_dict

_SIGNS = {
    VerdictName.PASSED: "✅",
    VerdictName.REGRESSED: "❌",
    VerdictName.TRADE_OFF: "❌",
    VerdictName.INCONCLUSIVE: "❔",
    VerdictName.INVALID: "⚠️",
}
_MAX_LOST = 10
"""Lost queries in a report."""


def gate_to_dict(report: GateReport) -> dict[str, Any]:
    """A gate as plain values, unrounded."""
    return {
        "gate": str(report.outcome),
        "exit_code": report.exit_code,
        "target": report.verdict.target,
        "summary": report.verdict.summary,
        "advice": report.verdict.advice,
        "asked": report.n_asked,
        "queries": report.n_queries,
        "verdict": verdict_to_dict(report.verdict),
        "runs": [run_to_dict(measured) for measured in report.measured],
    }


def markdown(report: GateReport) -> str:
    """A comment for a pull request: the verdict, the trade-off as a picture, and tables that fold."""
    verdict = report.verdict
    changed = [each for each in verdict.evidence if each.gating and each.difference != 0]
    parts = [
        f"### {_SIGNS[report.outcome]} recallwatch: {report.outcome} — {_cell(verdict.target)}",
        f"{_text(verdict.summary)}\n\n**Advice: {_text(verdict.advice)}.**",
        _picture(verdict),
        _fold(f"{len(changed)} changed measures", _evidence_table(changed)) if changed else "",
        _fold(f"{len(verdict.lost_queries)} queries that lost most", _lost(verdict)) if verdict.lost_queries else "",
        f"<sub>{report.n_asked:,} of {report.n_queries:,} queries · verdict `{verdict.verdict_id}` · "
        f"method {verdict.method} · seed {verdict.seed}</sub>",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def junit(report: GateReport) -> str:
    """One test case for the verdict and one for each gating measure of each stratum; what fell is a failure."""
    verdict = report.verdict
    root = Xml.Element("testsuites", name="recallwatch")
    cases = [each for each in verdict.evidence if each.gating]
    suites = dict.fromkeys(each.suite for each in cases)
    overall = Xml.SubElement(root, "testsuite", name=f"recallwatch.{verdict.target}", tests="1")
    _verdict_case(overall, report)
    for name in suites:
        rows = [each for each in cases if each.suite == name]
        failures = str(sum(each.fallen for each in rows))
        suite = Xml.SubElement(root, "testsuite", name=name, tests=str(len(rows)), failures=failures)
        for row in rows:
            case = Xml.SubElement(suite, "testcase", classname=f"{name}.{row.stratum}", name=row.measure)
            if row.fallen:
                Xml.SubElement(case, "failure", message=_change(row)).text = _change(row)
    Xml.indent(root)
    return f"<?xml version='1.0' encoding='utf-8'?>\n{Xml.tostring(root, encoding='unicode')}\n"


def _verdict_case(suite: Xml.Element, report: GateReport) -> None:
    verdict = report.verdict
    case = Xml.SubElement(suite, "testcase", classname="recallwatch", name="verdict")
    if report.exit_code:
        kind = "failure" if report.outcome.pages else "error"
        suite.set("failures" if kind == "failure" else "errors", "1")
        Xml.SubElement(case, kind, type=str(report.outcome), message=_clean(verdict.summary)).text = _clean(
            f"{verdict.summary}\nAdvice: {verdict.advice}."
        )
    else:
        Xml.SubElement(case, "system-out").text = _clean(f"{report.outcome}: {verdict.summary}")


def _picture(verdict: Verdict) -> str:
    """Both axes in one chart, which GitHub and GitLab draw; empty unless both were measured."""
    broad, compositional = (_leading(verdict, axis) for axis in (Axis.BROAD, Axis.COMPOSITIONAL))
    if broad is None or compositional is None:
        return ""
    points = [100 * each.difference for each in (broad, compositional)]
    scale = max(5.0, *(1.25 * abs(each) for each in points))
    x, y = (0.5 + each / scale / 2 for each in points)
    return (
        "```mermaid\nquadrantChart\n"
        f"    title Change in points, ±{scale:.0f} at the edges\n"
        f"    x-axis {_label(broad)} falls --> rises\n    y-axis {_label(compositional)} falls --> rises\n"
        "    quadrant-1 better on both\n    quadrant-2 trade-off\n    quadrant-3 worse on both\n"
        f"    quadrant-4 structure lost\n    candidate: [{x:.3f}, {y:.3f}]\n```"
    )


def _label(evidence: Evidence) -> str:
    return f"{evidence.axis} {evidence.measure.replace('@', ' at ')}"


def _leading(verdict: Verdict, axis: Axis) -> Evidence | None:
    """The first measure of an axis in points, over the whole suite or all phenomena."""
    rows = [
        each
        for each in verdict.evidence
        if each.axis is axis
        and each.stratum in ("phenomena", "overall")
        and parse(each.measure).measure.unit == "ratio"
    ]
    return min(rows, key=lambda each: (not each.gating, each.stratum), default=None)


def _evidence_table(rows: Sequence[Evidence]) -> str:
    head = (
        "| suite | stratum | measure | baseline | now | change | 95 % interval | adjusted p |\n"
        "|---|---|---|--:|--:|--:|--:|--:|"
    )
    lines = [
        f"| {_cell(each.suite)} | {_cell(each.stratum)} | {each.measure} | {each.baseline_mean:.3f} | "
        f"{each.candidate_mean:.3f} | {'**' * each.fallen}{_points(each, each.difference)}{'**' * each.fallen} | "
        f"{_points(each, each.lower)} … {_points(each, each.upper)} | {each.p_worse_adjusted:.2g} |"
        for each in sorted(rows, key=lambda each: each.difference)
    ]
    return "\n".join((head, *lines))


def _lost(verdict: Verdict) -> str:
    hides = verdict.policy.query_text != "show"
    lines = []
    for query in verdict.lost_queries[:_MAX_LOST]:
        name = query.get("query_id") if hides else query.get("query") or query.get("query_id")
        lines.append(f"- {_cell(str(name))}")
    return "\n".join(lines)


def _fold(title: str, content: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{content}\n\n</details>"


def _change(row: Evidence) -> str:
    interval = f"95 % interval {_points(row, row.lower)} … {_points(row, row.upper)}"
    return (
        f"{row.measure} of {row.stratum}: {row.baseline_mean:.3f} → {row.candidate_mean:.3f}, "
        f"{_points(row, row.difference)} ({interval}, adjusted p {row.p_worse_adjusted:.2g}, {row.n_queries} queries)"
    )


def _points(row: Evidence, value: float) -> str:
    if not math.isfinite(value):
        return "unknown"
    return f"{100 * value:+.1f}" if parse(row.measure).measure.unit == "ratio" else f"{value:+.3f} sd"


def _text(text: str) -> str:
    """Text from suites and targets, so that it cannot become markup."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;")
    return "".join(f"\\{each}" if each in "\\`*_[]#|" else each for each in escaped)


def _cell(text: str) -> str:
    return _text(" ".join(text.split()))


def _clean(text: str) -> str:
    """Text without the control characters that XML does not have."""
    return "".join(each for each in text if each in "\n\t" or each >= " ")
