"""How many returned ids a suite knows."""

from dataclasses import replace

from monitor.evaluation.recognition import field_with_ids, known_ids, recognise
from monitor.model.passages import Passage, Sources
from monitor.model.runs import Outcome, Ranking
from monitor.model.suites import Pair
from tests.builders import a_query, a_suite, an_outcome

SUITE = a_suite(a_query("q1", {"d1": 1, "d2": 0}), a_query("q2", {"d3": 1}), pairs=[Pair("q2", "d3", "d4")])


def test_known_ids_are_those_that_judgements_pairs_and_passages_name():
    """An id judged as not relevant is known too."""
    query = replace(a_query("q3", {}), passages=(Passage(1, "d9", 0, 4), Passage(1, quote="words")))
    assert known_ids(a_suite(*SUITE.queries, query, pairs=SUITE.pairs)) == {"d1", "d2", "d3", "d4", "d9"}


def test_ids_of_another_index_are_foreign_and_both_sides_are_shown():
    """The description has the counts and an example of a returned and a known id."""
    recognition = recognise(SUITE, [an_outcome("q1", ["x1", "x2"]), an_outcome("q2", ["x3"])])
    assert recognition.is_foreign
    assert recognition.description == (
        "0 of 3 returned ids are known to the suite, for example x1; the suite has ids such as d1"
    )


def test_one_known_id_is_enough_to_be_no_foreign_index():
    """A poor retriever is not another index; its counts name the queries with a known id."""
    recognition = recognise(SUITE, [an_outcome("q1", ["x1", "d4"]), an_outcome("q2", ["x3"])])
    assert not recognition.is_foreign
    assert recognition.description == ("1 of 3 returned ids are known to the suite, in the results of 1 of 2 queries")


def test_failed_and_empty_results_are_not_foreign():
    """Without a returned id nothing is known about the index."""
    assert not recognise(SUITE, [an_outcome("q1", None), an_outcome("q2", [])]).is_foreign


def test_source_documents_count_where_the_target_reports_them():
    """Chunks with ids of their own are known by their documents."""
    ranking = Ranking(doc_ids=("c1", "c2"), sources=Sources(("d1", "x")))
    assert recognise(SUITE, [Outcome(query_id="q1", ranking=ranking)]).n_known == 1


def test_the_field_with_known_ids_is_named_by_its_path():
    """Nested fields and numbers are searched, and a field without known ids is not named."""
    hits = [{"id": "u-1", "payload": {"source": {"pk": 184}, "text": "184 words"}}, {"id": "u-2"}]
    assert field_with_ids(hits, {"184"}) == "payload.source.pk"
    assert field_with_ids(hits, {"9"}) == ""
    assert field_with_ids(["u-1"], {"u-1"}) == ""
