"""One registry of measures: every name, alias, function and list comes from its entries."""

import inspect

import ir_measures
import pytest

from monitor.errors import ComparisonError
from monitor.evaluation import measures
from monitor.evaluation.measures import MEASURES, parse
from monitor.model.measures import Needs, default_gating
from monitor.model.policies import Policy
from monitor.model.suites import Axis
from tests.builders import a_measured, a_query, a_suite

IR_MEASURES = {
    "nDCG@10": "ndcg@10",
    "RR@10": "mrr@10",
    "R@10": "recall@10",
    "P@5": "precision@5",
    "AP": "ap",
    "Rprec": "rprec",
    "Judged@10": "judged@10",
    "Success@5": "success@5",
}


@pytest.mark.parametrize(("alias", "name"), IR_MEASURES.items())
def test_the_names_of_ir_measures_are_accepted(alias: str, name: str):
    """A name that ir_measures can parse is parsed to our canonical name."""
    assert str(ir_measures.parse_measure(alias)) == alias
    assert parse(alias).name == name
    assert parse(name).name == name


def test_no_two_measures_share_a_name_or_an_alias():
    """Every name belongs to one measure."""
    spellings = [spelling for measure in MEASURES.values() for spelling in (measure.name, *measure.aliases)]
    assert len(spellings) == len(set(spellings))


@pytest.mark.parametrize("name", ["ap@10", "answer_f1@1", "ndcg", "AP@5", "NDCG@", "recall@010", "rprec "])
def test_a_cutoff_too_many_or_too_few_is_refused(name: str):
    """A measure with a cutoff needs one; a measure without takes none."""
    with pytest.raises(ComparisonError, match="unknown measure"):
        parse(name)


@pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)
def test_every_entry_names_functions_that_exist(measure):
    """The functions are named as text, so this test resolves each of them."""
    assert inspect.isfunction(measures.function(measure))
    bound = measures.upper_bound(measure)
    assert bound is None or list(inspect.signature(bound).parameters)[:2] == ["relevance", "unjudged"]
    takes_cutoff = "k" in inspect.signature(measures.function(measure)).parameters
    assert takes_cutoff == measure.has_cutoff


def test_the_default_policy_gates_on_what_the_registry_says():
    """What was returned comes before its rank, the choice within a pair after it, and answers last."""
    assert Policy().gating == default_gating()
    assert default_gating() == {
        Axis.BROAD: ("ndcg@10", "mrr@10", "recall@5", "recall@10", "answer_f1"),
        Axis.COMPOSITIONAL: ("reach", "mrr@10", "structure", "answer_f1"),
    }


def test_the_lists_derive_from_the_registry():
    """The reported, leading and answer measures are the ones whose entries say so."""
    assert measures.REPORTED == ("recall@5", "recall@10", "mrr@10", "ndcg@10", "success@5")
    assert list(measures.LEADING.values()) == ["structure", "ndcg@10", "answer_f1", "answer_judged"]
    assert {name for name in MEASURES if MEASURES[name].needs.is_answer} == set(measures.ANSWER_MEASURES)
    assert measures.names(Needs.JUDGE) == ("answer_judged",)


def test_a_run_can_be_measured_by_every_rank_measure():
    """Each rank measure of the registry has one value in its range for each scored query."""
    names = [measure.at(5 if measure.has_cutoff else None) for measure in MEASURES.values()]
    ranked = [name for name in names if parse(name).measure.needs is Needs.RANKINGS]
    suite = a_suite(a_query("q1", {"a": 1, "b": 0}), a_query("q2", {"c": 2}))
    computed = a_measured(suite, {"q1": "xab", "q2": "c"}, measures=ranked).measurements
    assert list(computed) == ranked
    for name in ranked:
        lowest, highest = parse(name).measure.range
        assert all(lowest <= value <= highest for value in computed[name].values.tolist())


def test_the_table_has_one_row_for_each_measure():
    """`recallwatch measures` shows every measure with its aliases, axis, range, unit, needs and citation."""
    rows = {row["name"]: row for row in measures.table()}
    assert len(rows) == len(MEASURES)
    assert all(row.keys() == {*rows["ap"]} for row in rows.values())
    assert rows["ndcg@k"]["aliases"] == "nDCG@k, NDCG@k"
    assert rows["pair_accuracy"]["axis"] == "compositional"
    assert all(row["citation"] and row["summary"] for row in rows.values())
