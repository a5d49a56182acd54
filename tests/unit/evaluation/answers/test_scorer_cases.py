"""Tricky answers with the score that a careful reader gives."""

import json
from pathlib import Path

import pytest

from monitor.evaluation.answers.citations import inline_citations
from monitor.evaluation.answers.polarity import polarity
from monitor.evaluation.answers.quantities import numeric_equality

CASES = [json.loads(line) for line in Path(__file__).with_name("scorer_cases.jsonl").read_text("utf-8").splitlines()]
SCORERS = {"numeric": numeric_equality, "polarity": polarity}


def is_right(case: dict) -> bool:
    """Whether the scorer gives the labelled result."""
    if case["scorer"] == "citations":
        return list(inline_citations(case["answer"], case["doc_ids"])) == case["expected"]
    return SCORERS[case["scorer"]](case["answer"], case["references"]) == case["expected"]


@pytest.mark.parametrize("case", [case for case in CASES if not case["held_out"]], ids=lambda case: case["answer"])
def test_a_tricky_answer_has_its_score(case: dict):
    """Every case of the half that the rules were written with has the labelled score."""
    assert is_right(case)
