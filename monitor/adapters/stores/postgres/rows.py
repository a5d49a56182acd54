"""Conversion of the model to database rows and back. No number is rounded."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter

from monitor.model.alerts import Alert, AlertState, Delivery
from monitor.model.deployments import Baseline, Swap
from monitor.model.incidents import Incident, IncidentKind, IncidentStatus, Resolution, Severity
from monitor.model.noise import DetectorState
from monitor.model.passages import Manner, Passage, Quoted, Sources
from monitor.model.policies import Policy, Tolerance
from monitor.model.runs import Outcome, Run, RunStatus
from monitor.model.suites import Axis, Pair, Query, Suite
from monitor.model.verdicts import Evidence, Verdict, VerdictName

Row = Mapping[str, Any]


def suite_to_rows(suite: Suite) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The row of a suite, and one row for each of its queries."""
    pairs = {pair.query_id: [pair.satisfying_id, pair.violating_id, pair.mirror_id] for pair in suite.pairs}
    head = {
        "digest": suite.digest,
        "name": suite.name,
        "version": suite.version,
        "axis": str(suite.axis),
        "controls": sorted(suite.controls),
    }
    return head, [
        {
            "digest": suite.digest,
            "query_id": query.query_id,
            "ordinal": ordinal,
            "text": query.text,
            "stratum": query.stratum,
            "cluster": query.cluster,
            "grades": dict(query.grades),
            "answers": list(query.answers),
            "pair": pairs.get(query.query_id),
            "passages": [list(passage) for passage in query.passages],
            "follows": query.follows,
            "style": query.style,
            "answer_parts": [list(part) for part in query.answer_parts],
        }
        for ordinal, query in enumerate(suite.queries)
    ]


def suite_from_rows(head: Row, rows: Iterable[Row]) -> Suite:
    """The suite, as it was saved."""
    queries = list(rows)
    return Suite(
        name=head["name"],
        version=head["version"],
        axis=Axis(head["axis"]),
        queries=tuple(map(_query_from_row, queries)),
        pairs=tuple(Pair(r["query_id"], *r["pair"]) for r in queries if r["pair"]),
        controls=frozenset(head["controls"]),
        digest=head["digest"],
    )


def _query_from_row(row: Row) -> Query:
    # JSONB does not preserve the order of keys; sums depend on the order in which suites are read.
    grades = dict(sorted(row["grades"].items()))
    passages = tuple(Passage(*each) for each in row["passages"])
    answers = tuple(row["answers"])
    return Query(
        query_id=row["query_id"],
        text=row["text"],
        stratum=row["stratum"],
        cluster=row["cluster"],
        grades=grades,
        answers=answers,
        passages=passages,
        follows=row["follows"],
        style=row["style"],
        answer_parts=tuple(map(tuple, row["answer_parts"])),
    )


RUN_COLUMNS = tuple(field.name for field in fields(Run) if field.name not in ("outcomes", "dropped_at"))


def run_to_row(run: Run) -> dict[str, Any]:
    """The row of a run, without its outcomes."""
    row = {name: getattr(run, name) for name in RUN_COLUMNS}
    return row | {"axis": str(run.axis), "status": str(run.status)}


def run_from_row(row: Row, outcomes: tuple[Outcome, ...] = (), dropped_at: datetime | None = None) -> Run:
    """The run with its outcomes."""
    values = {name: row[name] for name in RUN_COLUMNS}
    anchors = tuple((float(then), float(now)) for then, now in row["anchors"])
    values |= {"axis": Axis(row["axis"]), "status": RunStatus(row["status"]), "anchors": anchors}
    return Run(**values, outcomes=outcomes, dropped_at=dropped_at)


def sources_to_json(sources: Sources) -> dict[str, Any]:
    """The sources of the hits as plain lists; absent fields are left out."""
    values = {field.name: getattr(sources, field.name) for field in fields(sources)}
    return {
        name: list(map(list, value) if name == "quoted" else value)
        for name, value in values.items()
        if value is not None
    }


def sources_from_json(stored: Mapping[str, Any]) -> Sources:
    """The sources of the hits, as they were saved."""
    values = {name: tuple(value) for name, value in stored.items()}
    if "quoted" in values:
        values["quoted"] = tuple(Quoted._make((*each[:-1], Manner(each[-1]))) for each in values["quoted"])
    return Sources(**values)


def verdict_to_row(verdict: Verdict) -> dict[str, Any]:
    """The row of a verdict; infinities and NaN become null, because JSON has neither."""
    row = {field.name: getattr(verdict, field.name) for field in fields(verdict)}
    return row | {
        "name": str(verdict.name),
        "evidence": [_finite(each) for each in verdict.evidence],
        "policy": asdict(verdict.policy),
        "run_ids": list(verdict.run_ids),
        "baseline_run_ids": list(verdict.baseline_run_ids),
        "lost_queries": [dict(each) for each in verdict.lost_queries],
        "insights": dict(verdict.insights),
    }


def verdict_from_row(row: Row) -> Verdict:
    """The verdict, as it was saved."""
    values = {field.name: row[field.name] for field in fields(Verdict)}
    policy = dict(row["policy"])
    policy["tolerances"] = tuple(
        Tolerance(**each | {"axis": Axis(each["axis"]) if each["axis"] else None})
        for each in policy.get("tolerances", ())
    )
    policy["gating"] = {Axis(axis): tuple(measures) for axis, measures in policy["gating"].items()}
    values |= {
        "name": VerdictName(row["name"]),
        "evidence": tuple(_evidence(each) for each in row["evidence"]),
        "policy": Policy(**policy),
        "run_ids": tuple(row["run_ids"]),
        "baseline_run_ids": tuple(row["baseline_run_ids"]),
        "lost_queries": tuple(row["lost_queries"]),
    }
    return Verdict(**values)


_DETECTOR_STATE = TypeAdapter(DetectorState)


def detector_state_to_json(state: DetectorState) -> Any:
    """The state of change detection as plain values."""
    return _DETECTOR_STATE.dump_python(state, mode="json")


def detector_state_to_text(state: DetectorState) -> str:
    """The state of change detection as JSON text."""
    return _DETECTOR_STATE.dump_json(state).decode()


def detector_state_from_row(row: Row) -> DetectorState:
    """The state of change detection, as it was saved."""
    return _DETECTOR_STATE.validate_python(row["state"])


def baseline_from_row(row: Row) -> Baseline:
    """The baseline, as it was saved."""
    return Baseline(**{field.name: row[field.name] for field in fields(Baseline)})


def swap_from_row(row: Row) -> Swap:
    """The swap, as it was saved."""
    return Swap(**{field.name: row[field.name] for field in fields(Swap)})


_INCIDENT_ENUMS = {
    "kind": IncidentKind, "status": IncidentStatus, "severity": Severity, "resolution": Resolution,
}  # fmt: skip
_INCIDENT_LISTS = ("axes", "baseline_run_ids")


def incident_to_row(incident: Incident) -> dict[str, Any]:
    """The row of an incident."""
    row = {field.name: getattr(incident, field.name) for field in fields(incident)}
    enums = {name: str(row[name]) for name in _INCIDENT_ENUMS}
    return row | enums | {name: list(row[name]) for name in _INCIDENT_LISTS} | _extent_to_row(incident)


def _extent_to_row(incident: Incident) -> dict[str, Any]:
    return {"fallen": list(incident.fallen), "bounds": dict(incident.bounds)}


def incident_from_row(row: Row) -> Incident:
    """The incident, as it was saved."""
    values = {field.name: row[field.name] for field in fields(Incident)}
    enums = {name: enum(row[name]) for name, enum in _INCIDENT_ENUMS.items()}
    lists = {name: tuple(row[name]) for name in _INCIDENT_LISTS}
    return Incident(**values | enums | lists | {"fallen": tuple((*place,) for place in row["fallen"])})


def alert_to_row(alert: Alert) -> dict[str, Any]:
    """The row of an alert."""
    row = {field.name: getattr(alert, field.name) for field in fields(alert) if field.name != "receipt"}
    return row | {"state": str(alert.state), "notifiers": list(alert.notifiers)}


def alert_from_row(row: Row) -> Alert:
    """The alert, as it was saved, with the receipt of an earlier delivery where the row has one."""
    values = {field.name: row[field.name] for field in fields(Alert) if field.name != "receipt"}
    state = AlertState(row["alert_state"] if "alert_state" in row else row["state"])
    return Alert(
        **values | {"state": state, "notifiers": tuple(row["notifiers"]), "receipt": row.get("earlier_receipt") or ""}
    )


def delivery_from_row(row: Row) -> Delivery:
    """The delivery joined with its alert."""
    return Delivery(row["delivery_id"], row["notifier"], alert_from_row(row), row["attempts"])


_EVIDENCE_COLUMNS = tuple(field.name for field in fields(Evidence))


def _finite(evidence: Evidence) -> dict[str, Any]:
    """The fields of a row of evidence, which are all scalars; null for an infinity or NaN."""
    values = {name: getattr(evidence, name) for name in _EVIDENCE_COLUMNS}
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in values.items()
    }


_UNBOUNDED = {"lower": float("-inf"), "upper": float("inf")}


def _evidence(stored: Row) -> Evidence:
    numbers: dict[str, Any] = {
        key: _UNBOUNDED.get(key, float("nan")) if value is None else value for key, value in stored.items()
    }
    return Evidence(**numbers | {"axis": Axis(stored["axis"])})
