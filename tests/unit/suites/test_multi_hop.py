"""The built-in suite of chains, and suites that share the corpus of a neighbour."""

import json
import re
import shutil
from pathlib import Path

import pytest

from monitor.errors import SuiteError
from monitor.evaluation.chains import BEFORE, chains_of
from monitor.suites.chains import with_gold_hops
from monitor.suites.linting import lint
from monitor.suites.locating import suite_folder
from monitor.suites.reading import has_corpus, read_corpus, read_suite

FOLDER = suite_folder("builtin:multi-hop")


def words(text: str) -> str:
    """The words of a text, lower case, with one space between them."""
    return " " + " ".join(re.findall(r"[^\W_]+", text.lower())) + " "


def test_the_suite_has_chains_of_two_and_three_hops():
    """At least 150 chains, and every query is a hop of one."""
    suite = read_suite(FOLDER)
    chains = chains_of({query.query_id: query.follows for query in suite.queries})
    assert len(chains) >= 150
    assert {len(chain) for chain in chains} == {2, 3}
    assert sum(map(len, chains)) == len(suite.queries)
    assert all((BEFORE in query.text) == bool(query.follows) for query in suite.queries)


def test_every_answer_is_in_the_document_of_its_hop():
    """A reference that its document does not contain could not be found by any reader."""
    texts = {each.doc_id: words(each.full_text) for each in read_corpus(FOLDER)}
    for query in read_suite(FOLDER).queries:
        (doc_id,) = query.grades
        assert any(words(answer) in texts[doc_id] for answer in query.answers), query


def test_no_chain_can_skip_a_hop():
    """A follow-up query does not contain the answer of the previous hop; only the gold question does."""
    suite = with_gold_hops(read_suite(FOLDER))
    by_id = {query.query_id: query for query in suite.queries}
    for query in suite.queries:
        if query.follows:
            reference = by_id[query.follows].answers[0]
            assert words(reference) not in words(query.text), query
            assert words(reference) in words(by_id[f"{query.query_id}+gold"].text)


def test_the_suite_has_no_lint_problem():
    """Neither errors nor warnings."""
    assert list(lint(read_suite(FOLDER), lambda: read_corpus(FOLDER))) == []


def test_a_suite_may_use_the_corpus_of_its_neighbour(tmp_path: Path):
    """The key corpus names a folder beside the suite, and no other place."""
    shutil.copytree(FOLDER, tmp_path / "chains")
    (tmp_path / "texts").mkdir()
    document = {"_id": "d1", "title": "", "text": "a document"}
    (tmp_path / "texts" / "corpus.jsonl").write_text(json.dumps(document) + "\n")
    suite_file = tmp_path / "chains" / "suite.yaml"
    suite_file.write_text("corpus: texts\n")
    assert has_corpus(tmp_path / "chains")
    assert [each.doc_id for each in read_corpus(tmp_path / "chains")] == ["d1"]
    suite_file.write_text("corpus: ../../secrets\n")
    with pytest.raises(SuiteError, match="must be the name of a folder beside this one"):
        has_corpus(tmp_path / "chains")
