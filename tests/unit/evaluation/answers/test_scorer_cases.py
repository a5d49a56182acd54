"""Tricky answers with the score that a careful reader gives."""

import json
from pathlib import Path
from typing import Any

import pytest

from monitor.evaluation.answers.citations import inline_citations
from monitor.evaluation.answers.measurements import measure_answers
from monitor.evaluation.answers.polarity import polarity
from monitor.evaluation.answers.quantities import numeric_equality
from monitor.model.answers import Answer, Reply
from monitor.model.runs import Outcome
from monitor.model.suites import Axis, Query, Suite

CASES = [json.loads(line) for line in Path(__file__).with_name("scorer_cases.jsonl").read_text("utf-8").splitlines()]
SCORERS = {"numeric": numeric_equality, "polarity": polarity}


DOCS = Path(__file__).parents[4] / "docs" / "answers.md"


def is_right(case: dict) -> bool:
    """Whether the scorer gives the labelled result."""
    if case["scorer"] == "citations":
        return list(inline_citations(case["answer"], case["doc_ids"])) == case["expected"]
    return SCORERS[case["scorer"]](case["answer"], case["references"]) == case["expected"]


@pytest.mark.parametrize("case", [case for case in CASES if not case["held_out"]], ids=lambda case: case["answer"])
def test_a_tricky_answer_has_its_score(case: dict):
    """Every case of the half that the rules were written with has the labelled score."""
    assert is_right(case)


@pytest.mark.parametrize(("held_out", "n_right", "n_cases"), [(False, 75, 75), (True, 72, 75)])
def test_the_published_share_holds(held_out: bool, n_right: int, n_cases: int):
    """The scorers are right as often as the documentation states, on both halves."""
    results = [is_right(case) for case in CASES if case["held_out"] is held_out]
    assert (sum(results), len(results)) == (n_right, n_cases)
    assert f"{n_right} of {n_cases}" in DOCS.read_text("utf-8")


def test_citations_in_the_text_are_measured_where_the_answerer_names_none():
    """A run whose texts cite has citation measures; an answer without a citation has a recall of 0."""
    texts = {"a": "Five days [2].", "b": "Five days (right).", "c": "Five days."}
    queries = tuple(
        Query(
            query_id=query_id,
            text="How long?",
            stratum="all",
            cluster=query_id,
            grades={"right": 1},
            answers=("5 days",),
        )
        for query_id in texts
    )
    suite = Suite(name="suite", version="1", axis=Axis.BROAD, digest="suite", queries=queries)

    def outcome(query_id: str, **sources: Any) -> Outcome:
        answer = Answer(text=texts[query_id], doc_ids=("other", "right"), **sources)
        return Outcome(query_id=query_id, reply=Reply(answer=answer))

    measured, _ = measure_answers(suite, {query_id: outcome(query_id) for query_id in texts})
    assert list(measured["citation_recall"].values) == [1.0, 1.0, 0.0]
    reported, _ = measure_answers(suite, {query_id: outcome(query_id, citations=("other",)) for query_id in texts})
    assert list(reported["citation_recall"].values) == [0.0, 0.0, 0.0]


def test_texts_without_any_citation_have_no_citation_measure():
    """An answerer that neither reports nor writes citations is not given a recall of 0."""
    query = Query(query_id="a", text="How long?", stratum="all", cluster="a", grades={"right": 1}, answers=("5 days",))
    suite = Suite(name="suite", version="1", axis=Axis.BROAD, digest="suite", queries=(query,))
    answer = Answer(text="Five days.", doc_ids=("right",))
    measured, _ = measure_answers(suite, {"a": Outcome(query_id="a", reply=Reply(answer=answer))})
    assert "citation_recall" not in measured
