"""One query in two runs."""

from io import StringIO

import pytest
from rich.console import Console

from monitor.cli.diff import find_query
from monitor.errors import StoreError
from monitor.model.suites import Axis, Pair
from monitor.reports.query_diff import diff_text, query_diff
from tests.builders import a_query, a_run, a_suite

SUITE = a_suite(
    a_query("q1", {"a": 1}), a_query("q10", {"b": 1}), pairs=[Pair("q1", "a", "v")], axis=Axis.COMPOSITIONAL
)
BEFORE, AFTER = (a_run(SUITE, {"q1": ranking, "q10": "b"}).outcomes[0] for ranking in ("axv", "vya"))
DIFF = query_diff(SUITE, SUITE.queries[0], BEFORE, AFTER)


def test_each_document_has_its_rank_in_both_runs():
    """A document that moved has two ranks; one that is new or gone has one; judgements stand beside."""
    moves = {move["doc_id"]: (move["rank_before"], move["rank_now"]) for move in DIFF["moves"]}
    assert moves == {"v": (3, 1), "y": (None, 2), "a": (1, 3), "x": (2, None)}
    assert [move["doc_id"] for move in DIFF["moves"] if move["is_violating"]] == ["v"]
    assert [move["doc_id"] for move in DIFF["moves"] if move["grade"]] == ["a"]


def test_the_table_marks_what_moved_what_is_new_and_what_is_gone():
    """Both rankings stand side by side within 80 columns."""
    file = StringIO()
    Console(width=80, file=file).print(*diff_text(DIFF))
    rows = [line.split() for line in file.getvalue().splitlines() if line.strip()[:1].isdigit()]
    assert rows == [
        ["1", "✓", "a", "✗", "v", "↑2"],
        ["2", "x", "gone", "y", "new"],
        ["3", "✗", "v", "✓", "a", "↓2"],
    ]


def test_a_relevant_document_that_is_not_returned_is_named():
    """A document that is judged relevant and came back in neither place is a finding of its own."""
    lost = query_diff(SUITE, SUITE.queries[1], BEFORE, AFTER)
    assert lost["missing"] == ["b"]


def test_a_query_is_found_by_its_id_its_beginning_or_a_part_of_its_text():
    """The exact id comes first; more than one match is refused with the ids."""
    assert find_query(SUITE, "q1").query_id == "q1"
    assert find_query(SUITE, "q10").query_id == "q10"
    assert find_query(SUITE, SUITE.queries[1].text.upper()).query_id in ("q10", "q1")
    with pytest.raises(StoreError, match="matches 2 queries: q1, q10"):
        find_query(SUITE, "q")
    with pytest.raises(StoreError, match='has no query "nothing"'):
        find_query(SUITE, "nothing")
