"""The published schema of the webhook describes every message that is sent, and nothing else."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import jsonschema
import pytest

from monitor.cli.notify_test import build_test_alert
from monitor.incidents import lifecycle
from monitor.incidents.acknowledgement import with_acknowledge_link
from monitor.incidents.payload import alert_of, evidence_of
from monitor.incidents.routing import Links, OnCall
from monitor.model.alerts import Alert, AlertState
from monitor.model.incidents import Change, Incident, IncidentKind, IncidentStatus, Resolution
from monitor.model.policies import Policy
from monitor.model.suites import Axis
from monitor.model.verdicts import Evidence, Verdict, VerdictName
from monitor.service.webhook_schema import webhook_schema
from tests.conftest import ROOT

NOW = datetime(2026, 3, 2, tzinfo=UTC)
LINKS = Links("https://here.example", "https://grafana.example", signing_key="key")
ON_CALL = OnCall(notifiers=("hook",), owners={"docs": "search"}, links=LINKS)
EXAMPLES = sorted((ROOT / "docs" / "notifications").glob("*/webhook.json"))


def problems(message: Any) -> list[str]:
    """What the schema refuses in a message, as it is sent."""
    validator = jsonschema.Draft202012Validator(webhook_schema(), format_checker=jsonschema.FormatChecker())
    return [f"{each.json_path}: {each.message}" for each in validator.iter_errors(json.loads(json.dumps(message)))]


def evidence(**changes: Any) -> Evidence:
    """A drop of the whole broad suite; without a p-value if its stratum is too small."""
    unknown = float("nan")
    values: dict[str, Any] = {
        "suite": "broad",
        "axis": Axis.BROAD,
        "stratum": "overall",
        "measure": "recall@10",
        "gating": True,
        "n_queries": 100,
        "n_clusters": 50,
        "baseline_mean": 0.8,
        "candidate_mean": 0.6,
        "difference": -0.2,
        "lower": -0.25,
        "upper": float("inf"),
        "p_worse": 1e-9,
        "p_worse_adjusted": 1e-8,
        "p_better": 1.0,
        "p_better_adjusted": unknown,
        "p_not_safe": 1.0,
        "mde": unknown,
        "fallen": True,
    }
    return Evidence(**{**values, **changes})


def verdict(query_text: Any) -> Verdict:
    """A trade-off with a lost query."""
    lost = {
        "query_id": "q1",
        "query": "how?",
        "suite": "broad",
        "stratum": "travel",
        "measure": "recall@10",
        "difference": -1.0,
        "expected": ["d1"],
        "rank_before": 1,
        "rank_now": None,
        "retrieved_before": ["d1"],
        "retrieved_now": [],
        "expected_answers": ["so"],
        "answer_before": "so",
        "answer_now": None,
    }
    return Verdict(
        verdict_id="v1",
        cycle_id="c1",
        target="docs",
        name=VerdictName.TRADE_OFF,
        summary="worse",
        advice="roll back",
        evidence=(evidence(), evidence(stratum="travel"), evidence(axis=Axis.COMPOSITIONAL, suite="compositional")),
        run_ids=("r2",),
        baseline_run_ids=("r1",),
        policy=replace(Policy(), query_text=query_text),
        policy_digest="p",
        seed=1,
        method="m",
        decided_at=NOW,
        lost_queries=({**lost, "titles": {"d1": "Title"}},),
        insights={"broad": {"headroom": {"n_queries": 3}}},
    )


def incident(**changes: Any) -> Incident:
    """An open regression."""
    values: dict[str, Any] = {
        "incident_id": "i1",
        "dedup_key": "k",
        "target": "docs",
        "subject": "docs",
        "opened_at": NOW,
        "status": IncidentStatus.OPEN,
        "verdict_name": "trade_off",
        "summary": "worse",
        "axes": ("broad",),
        "fallen": (("broad", "overall", "recall@10"),),
        "fired_at": NOW,
        "policy": "default",
    }
    return Incident(**{**values, **changes})


def alerts() -> list[tuple[str, Alert]]:
    """One alert of each state and kind."""
    change = Change(baseline="v6", candidate="v7", since=NOW, declared=True, declared_by="ci", cause="model changed")
    firing = {
        f"firing, texts {text}": alert_of(
            incident(), AlertState.FIRING, ON_CALL, at=NOW, facts=evidence_of(verdict(text), AlertState.FIRING, change)
        )
        for text in ("show", "hash", "withhold")
    }
    facts = firing["firing, texts show"].payload["data"]
    later = NOW + timedelta(hours=1)
    acknowledged = lifecycle.acknowledge(incident(), ON_CALL, by="ada", at=later, facts=facts)[1]
    dismissed = lifecycle.dismiss(incident(), ON_CALL, by="ada", reason="a test", at=later, facts=facts)[1]
    resolved = incident(status=IncidentStatus.RESOLVED, resolution=Resolution.ROLLED_BACK, resolved_at=later)
    silent = incident(kind=IncidentKind.NO_DATA, subject="hourly", axes=(), fallen=(), verdict_name="no_data")
    others = {
        "acknowledged": acknowledged[0],
        "dismissed": dismissed[0],
        "reminder": alert_of(incident(), AlertState.REMINDER, ON_CALL, at=later, facts={**facts, "open_s": 3_600.0}),
        "resolved": alert_of(resolved, AlertState.RESOLVED, OnCall(), at=later, facts={}),
        "no data": alert_of(silent, AlertState.FIRING, ON_CALL, at=NOW, facts={"advice": "fix", "next_command": "x"}),
        "test": build_test_alert("hook", AlertState.FIRING, NOW),
        "test resolved": build_test_alert("hook", AlertState.RESOLVED, NOW),
    }
    return [*firing.items(), *others.items()]


@pytest.mark.parametrize(("name", "alert"), alerts(), ids=[name for name, _ in alerts()])
def test_every_message_fits_the_published_schema(name: str, alert: Alert) -> None:
    """Each state of an incident, with and without evidence, texts and links, is described by the schema."""
    is_test = "test" in alert.payload["data"]  # sent at once, not through the outbox that adds the link
    sent = alert if is_test else with_acknowledge_link(alert, LINKS)
    assert problems(dict(sent.payload)) == [], name


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.parent.name)
def test_every_published_example_fits_the_schema(path: Any) -> None:
    """The examples of the documentation are messages of this version."""
    assert problems(json.loads(path.read_text())) == []


def test_the_schema_refuses_what_is_not_sent() -> None:
    """A key that was renamed, left out or added is found."""
    message = json.loads(json.dumps(dict(alerts()[0][1].payload)))
    data = message["data"]
    assert problems({**message, "data": {**data, "structure": None}}) != []
    assert problems({**message, "data": {key: value for key, value in data.items() if key != "gain"}}) != []
    assert problems({**message, "type": "incident.opened"}) != []
    assert len(EXAMPLES) >= 4
    assert {f"incident.{state}" for state in AlertState} == set(webhook_schema()["properties"]["type"]["enum"]), (
        "a state of alerts is missing in the schema"
    )
