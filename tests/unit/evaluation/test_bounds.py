"""Every measure has an upper bound over all judgements of the unjudged hits."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.evaluation.bounds import judged_shares, upper_bounds
from monitor.evaluation.measures import MEASURES, parse
from monitor.evaluation.retrieval import evaluate, locate
from monitor.model.measures import Needs
from monitor.model.suites import Pair
from monitor.reports.terminal import run_to_dict
from tests.builders import a_measured, a_query, a_suite
from tests.properties import examples

NAMES = (
    "recall@2", "recall@4", "mrr@3", "ndcg@2", "ndcg@4", "success@3", "precision@2", "precision@4", "ap", "rprec",
)  # fmt: skip


def highest(doc_ids: list[str], grades: dict[str, int], name: str) -> float:
    """The highest value over every judgement of the unjudged hits within the cutoff."""
    _, k = parse(name)
    unjudged = [doc_id for doc_id in doc_ids[:k] if doc_id not in grades]
    cases = itertools.chain.from_iterable(itertools.combinations(unjudged, n) for n in range(len(unjudged) + 1))
    best = max(grades.values())
    every = [(tuple(doc_ids), grades | dict.fromkeys(case, best)) for case in cases]
    return float(evaluate(locate(every), name).max())


@given(
    st.lists(st.sampled_from("abcdefg"), unique=True, max_size=6),
    st.dictionaries(st.sampled_from("abcxy"), st.integers(0, 3), min_size=1, max_size=4).filter(
        lambda grades: any(grades.values())
    ),
    st.sampled_from(NAMES),
)
@examples(600)
def test_the_upper_bound_is_the_highest_value_of_all_judgements(doc_ids, grades, name):
    """No judgement of the unjudged hits gives more, and one gives as much."""
    measured = a_measured(a_suite(a_query("q1", grades)), {"q1": doc_ids}, measures=(name,))
    (upper,) = upper_bounds(measured)[name].values
    assert upper == pytest.approx(highest(doc_ids, grades, name), abs=1e-12)
    assert upper >= measured.measurements[name].values[0] - 1e-12


def test_where_everything_is_judged_there_is_nothing_to_gain():
    """With a judgement for each hit both bounds are the value itself."""
    measured = a_measured(a_suite(a_query("q1", {"a": 1, "b": 0, "c": 2})), {"q1": "abc"})
    for name, upper in upper_bounds(measured).items():
        assert np.allclose(upper.values, measured.measurements[name].values, atol=1e-12)


def test_every_measure_has_an_upper_bound():
    """A new rank measure does not come without one; judged@k itself does not depend on the missing judgements."""
    ranked = {name for name, measure in MEASURES.items() if measure.needs is Needs.RANKINGS}
    assert {name for name, measure in MEASURES.items() if measure.upper_bound} == ranked - {"judged"}


def test_pairs_need_no_bound():
    """Which of two documents came first is known, whatever else is judged."""
    suite = a_suite(a_query("q1", {"x": 1}), pairs=[Pair("q1", "x", "y")])
    assert "pair_accuracy" not in upper_bounds(a_measured(suite, {"q1": "xy"}))


def test_bounds_and_judged_shares_are_told_for_each_stratum():
    """The JSON of a run has both bounds of each measure and the judged share, for each stratum and for the whole."""
    suite = a_suite(a_query("q1", {"a": 1}, stratum="north"), a_query("q2", {"b": 1}, stratum="south"))
    measured = a_measured(suite, {"q1": "a", "q2": "xb"}, measures=("mrr@10",))
    told = run_to_dict(measured)
    assert told["bounds"] == {
        "overall": {"mrr@10": {"lower": 0.75, "upper": 1.0}},
        "north": {"mrr@10": {"lower": 1.0, "upper": 1.0}},
        "south": {"mrr@10": {"lower": 0.5, "upper": 1.0}},
    }
    assert told["judged_shares"] == {"overall": 0.75, "north": 1.0, "south": 0.5}
    assert judged_shares(measured).mean == measured.judged_share
