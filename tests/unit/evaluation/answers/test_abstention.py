"""A caveat is part of an answer; an abstention has nothing else to offer."""

import json
from pathlib import Path

import pytest

from monitor.evaluation.answers.abstention import is_abstention
from monitor.evaluation.answers.measurements import SCORERS, measure_answers
from monitor.model.answers import Answer, Reply
from monitor.model.runs import Outcome
from monitor.model.suites import Axis, Query, Suite

CASES = [
    json.loads(line) for line in Path(__file__).with_name("abstention_cases.jsonl").read_text("utf-8").splitlines()
]
DOCS = Path(__file__).parents[4] / "docs" / "answers.md"
CAVEATS = [
    "14 days; the document does not mention weekends.",
    "14 days. The document does not mention exceptions.",
    "The document does not mention weekends. The period is 14 days.",
    "I'm not sure, but the contract says two weeks.",
]


@pytest.mark.parametrize("text", CAVEATS)
def test_a_right_answer_with_a_caveat_is_an_answer(text: str):
    """A caveat beside the right answer takes no score away from it."""
    assert not is_abstention(text, ["14 days"])
    assert SCORERS["answer_numeric"](text, ["14 days"]) == 1.0
    assert "14 days" not in text or SCORERS["answer_contains"](text, ["14 days"]) == 1.0


def test_measurements_pass_the_references():
    """The count of abstentions of a run and its scores see the reference of each query."""
    suite = Suite(
        name="suite",
        version="1",
        axis=Axis.BROAD,
        digest="suite",
        queries=tuple(
            Query(query_id=query_id, text="How long?", stratum="all", cluster=query_id, grades={}, answers=("14 days",))
            for query_id in "ab"
        ),
    )
    texts = {"a": CAVEATS[0], "b": "The document does not mention it."}
    outcomes = {
        query_id: Outcome(query_id=query_id, reply=Reply(answer=Answer(text=text))) for query_id, text in texts.items()
    }
    measured, replies = measure_answers(suite, outcomes)
    assert replies is not None
    assert replies.abstained == 1
    assert list(measured["answer_contains"].values) == [1.0, 0.0]


@pytest.mark.parametrize(("held_out", "n_cases"), [(False, 197), (True, 212)])
def test_the_labelled_cases_are_many(held_out: bool, n_cases: int):
    """Both halves have as many cases as the documentation states, with answers and abstentions."""
    labels = [case["abstains"] for case in CASES if case["held_out"] is held_out]
    assert len(labels) == n_cases
    assert min(sum(labels), n_cases - sum(labels)) > 90


def figures(*, held_out: bool) -> tuple[float, float]:
    """Precision and recall of the detector on one half of the cases."""
    pairs = [
        (is_abstention(case["answer"], case["references"]), case["abstains"])
        for case in CASES
        if case["held_out"] is held_out
    ]
    hits = pairs.count((True, True))
    return hits / (hits + pairs.count((True, False))), hits / (hits + pairs.count((False, True)))


@pytest.mark.parametrize(("held_out", "precision", "recall"), [(False, 1.0, 1.0), (True, 0.990, 0.981)])
def test_the_published_precision_and_recall_hold(held_out: bool, precision: float, recall: float):
    """The detector keeps the precision and recall that the documentation states, on both halves."""
    assert figures(held_out=held_out) == pytest.approx((precision, recall), abs=5e-4)
    assert f"| {precision:.3f} | {recall:.3f} |" in DOCS.read_text("utf-8")
