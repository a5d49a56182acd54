"""What `suite lint` finds, one planted mistake at a time, and what it leaves alone."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from monitor.cli.suite_lint import lint_suites
from monitor.evaluation.passages.quotes import normalise
from monitor.model.passages import Passage
from monitor.model.suites import Axis, Pair, Query, Suite
from monitor.suites.linting import Finding, Severity, lint
from monitor.suites.reading import Document
from monitor.suites.similarity import Neighbourhood, jaccard, near_duplicates, shingles

NUMBERS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]


def a_question(number: int, text: str = "", **kind: object) -> Query:
    """A query about its own document, in a cluster of two."""
    stated = {"stratum": "s", "cluster": f"c{number // 2}", "grades": {f"d{number}": 1}, **kind}
    return Query(query_id=f"q{number}", text=text or f"question{number} word{number} thing{number}", **stated)


def a_document(number: int) -> Document:
    """A document that shares no run of words with another."""
    return Document(f"d{number}", "", " ".join(f"{word}-{number}" for word in NUMBERS))


QUERIES = tuple(map(a_question, range(60)))
DOCUMENTS = {f"d{number}": a_document(number) for number in range(60)}


def found(
    *extra: Query,
    documents: Mapping[str, Document] | None = DOCUMENTS,
    queries: tuple[Query, ...] = QUERIES,
    **kind: object,
) -> list[Finding]:
    """What is found in a good suite with these queries instead of, or after, its own."""
    by_id = {query.query_id: query for query in (*queries, *extra)}
    suite = Suite(**{"name": "s", "version": "1", "axis": Axis.BROAD, "queries": tuple(by_id.values()), **kind})
    return list(lint(suite, None if documents is None else lambda: documents.values()))


def rules(findings: list[Finding]) -> list[tuple[str, str, str]]:
    """Severity, rule and place of each."""
    return [(str(each.severity), each.rule, each.where) for each in findings]


def test_a_good_suite_is_clean():
    """Nothing is found where nothing is wrong."""
    assert found() == []


def test_every_finding_says_what_to_do():
    """Text and remedy are never empty."""
    findings = found(a_question(3, "question7 word7 thing7"), documents={}, version="0")
    assert findings
    assert all(each.text and each.remedy and each.where for each in findings)


def test_the_same_question_judged_alike_counts_twice():
    """Queries that differ in case and punctuation only are duplicates."""
    twin = a_question(1, "Question0, word0: THING0?", grades={"d0": 1})
    assert rules(found(twin)) == [("warning", "duplicate-query", "q1")]


def test_the_same_question_judged_otherwise_is_an_error():
    """No ranking can satisfy two judgements of one question."""
    assert rules(found(a_question(1, QUERIES[0].text))) == [("error", "contradicting-queries", "q1")]


def test_nearly_the_same_question_in_another_cluster_is_told():
    """One word of seven differs, and the clusters say that the two are independent."""
    one, other = a_question(0, "how do I return a parcel today"), a_question(9, "how do I return my parcel today")
    assert rules(found(one, other)) == [("warning", "near-duplicate-query", "q9")]


def test_nearly_the_same_question_in_the_same_cluster_is_left_alone():
    """A cluster says already that its queries stand and fall together; mirrored pairs live from it."""
    one, other = a_question(0, "tenants may keep a dog here now"), a_question(1, "tenants may not keep a dog here now")
    assert found(one, other) == []


def test_questions_that_share_half_their_words_are_no_duplicates():
    """The threshold is high: a common opening is not a copy."""
    one, other = (
        a_question(0, "how do I return a broken kettle"),
        a_question(9, "how do I return the wrong parcel soon"),
    )
    assert found(one, other) == []


def test_a_question_that_stands_in_its_document_is_told():
    """Word for word, whatever the punctuation: matching words would be enough."""
    leaked = a_question(4, "Three 4 four, 4 five 4")
    assert rules(found(leaked)) == [("warning", "leaked-answer", "q4")]
    assert rules(found(replace(leaked, style="quoted"))) == []


def test_a_keyword_in_its_document_is_no_leak():
    """People do search by keywords."""
    assert found(a_question(4, "three 4 four")) == []


def test_a_question_in_a_document_that_is_not_relevant_is_no_leak():
    """Only where the right answer can be found by matching words is anything given away."""
    assert found(a_question(4, "three 5 four 5 five")) == []


def near_copy(number: int, doc_id: str = "copy") -> Document:
    """A document with its last word changed."""
    original = DOCUMENTS[f"d{number}"]
    return Document(doc_id, "", original.text.rsplit(" ", 1)[0] + " changed")


def test_a_near_copy_that_nobody_judged_is_a_hole():
    """A retriever that returns the copy instead would be called wrong."""
    holes = found(documents=DOCUMENTS | {"copy": near_copy(5)})
    assert rules(holes) == [("warning", "hole", "copy")]
    assert "d5" in holes[0].text
    assert "q5" in holes[0].text


@pytest.mark.parametrize("grade", [0, 1])
def test_a_judged_near_copy_is_no_hole(grade):
    """A judgement of 0 says that somebody looked."""
    judged = a_question(5, grades={"d5": 1, "copy": grade})
    assert found(judged, documents=DOCUMENTS | {"copy": near_copy(5)}) == []


def test_a_near_copy_of_a_document_that_answers_nothing_is_no_hole():
    """Only neighbours of relevant documents matter."""
    extra = {"x": Document("x", "", near_copy(5).text.replace("5", "x"))}
    assert found(documents=DOCUMENTS | extra | {"y": Document("y", "", extra["x"].text)}) == []


def test_a_judged_document_without_text_is_an_error():
    """No retriever can find it."""
    empty = DOCUMENTS | {"d7": Document("d7", "", " …")}
    assert rules(found(documents=empty)) == [("error", "unreachable-document", "d7")]


def test_a_title_is_text():
    """A retriever indexes titles as well."""
    assert found(documents=DOCUMENTS | {"d7": Document("d7", "All about the moon", "")}) == []


def test_a_judged_document_that_is_not_there_is_an_error():
    """The documents are the suite's own, so it will never be found."""
    without = {doc_id: each for doc_id, each in DOCUMENTS.items() if doc_id != "d7"}
    assert rules(found(documents=without)) == [("error", "unreachable-document", "d7")]


@pytest.mark.parametrize(
    ("passage", "expected"),
    [
        (Passage(1, "d8", quote="three-8 four-8"), []),
        (Passage(1, "d8", 0, 5, "three-8 four-8"), [("warning", "lost-passage", "q8")]),
        (Passage(1, "d8", quote="somebody else's words"), [("error", "lost-passage", "q8")]),
        (Passage(1, quote="eleven-8 twelve-8"), []),
        (Passage(1, quote="eleven-8 thirteen-8"), [("error", "lost-passage", "q8")]),
    ],
)
def test_quotes_are_looked_for_in_the_documents(passage, expected):
    """A quote elsewhere can be anchored again; one that stands nowhere is lost."""
    assert rules(found(a_question(8, grades={}, passages=(passage,)))) == expected


def test_an_unjudged_query_is_told():
    """It is skipped in every run and measures nothing."""
    assert rules(found(a_question(3, grades={"d3": 0}))) == [("warning", "unjudged-query", "q3")]


def test_few_clusters_are_told_by_stratum():
    """Fewer than twenty clusters make a poor test, and it is said of which stratum."""
    few = tuple(a_question(number, stratum="few") for number in range(38))
    assert rules(found(queries=few)) == [("warning", "few-clusters", "few")]


def test_few_pairs_are_told_on_the_compositional_axis():
    """Fewer than eighty pairs show too little; the broad axis has none."""
    pairs = tuple(Pair(query.query_id, f"d{number}", "d0") for number, query in enumerate(QUERIES) if number)
    assert rules(found(axis=Axis.COMPOSITIONAL, pairs=pairs)) == [("warning", "few-pairs", "s")]


def test_a_stratum_with_more_than_half_of_the_queries_is_told():
    """It would decide the whole suite; of two strata one always has half."""
    strata = ["a"] * 130 + ["b"] * 60 + ["c"] * 60
    queries = tuple(a_question(number, stratum=stratum) for number, stratum in enumerate(strata))
    told = rules(found(queries=queries, documents=None))
    assert [each for each in told if each[1] == "unbalanced-strata"] == [("warning", "unbalanced-strata", "a")]


def test_independence_that_nobody_stated_is_noted():
    """Every query a cluster of its own may be right, but it is an assumption."""
    alone = tuple(a_question(number, cluster=f"c{number}") for number in range(60))
    assert rules(found(queries=alone)) == [("note", "independence-assumed", "queries.jsonl")]


def test_a_suite_without_version_is_told():
    """Nobody could say later by which one a number was measured."""
    assert rules(found(version="0")) == [("warning", "no-version", "suite.yaml")]


def test_a_suite_without_documents_says_what_was_not_looked_for():
    """A production corpus stays where it is, and silence would look like a clean bill."""
    assert rules(found(documents=None)) == [("note", "no-corpus", "corpus.jsonl")]


def test_near_duplicates_are_those_of_an_exhaustive_search():
    """On the built-in queries, banding misses none of the pairs that comparing everything with everything finds."""
    rows = (Path("probes") / "compositional" / "queries.jsonl").read_text(encoding="utf-8").splitlines()
    texts = list(dict.fromkeys(normalise(json.loads(row)["text"]) for row in rows[:300]))
    sets = [set(text.split()) for text in texts]
    expected = {
        (first, second)
        for second in range(len(sets))
        for first in range(second)
        if len(sets[first] & sets[second]) >= 0.7 * len(sets[first] | sets[second])
    }
    pairs = {(each.first, each.second) for each in near_duplicates(texts, size=1, at_least=0.7, bands=16)}
    assert len(expected) > 20
    assert pairs == expected


def test_a_neighbourhood_tells_how_alike():
    """The similarity is the exact share of common runs of words."""
    neighbourhood = Neighbourhood(["a b c d e f g h", "something else entirely here now"], size=1, bands=8)
    assert list(neighbourhood.near(["a b c d e f g x"], at_least=0.7)) == [(0, 0, 7 / 9)]


def test_runs_of_words_never_reach_into_the_next_text():
    """Two texts have the same shingles whatever stands between them."""
    together = shingles(["a b c d", "x y", "a b c d"], 3)
    assert together.of(0) == together.of(2)
    assert jaccard(together.of(0), together.of(1)) == 0.0


def test_the_command_fails_only_for_errors(tmp_path):
    """Exit code 1 for an error, 0 for a warning, and the counts of each suite."""
    (tmp_path / "qrels").mkdir()
    (tmp_path / "qrels" / "test.tsv").write_text("q1\td1\t1\n")
    (tmp_path / "queries.jsonl").write_text('{"_id": "q1", "text": "who?"}\n')
    warned = asyncio.run(lint_suites([str(tmp_path)]))
    assert warned.exit_code == 0
    assert warned.data["suites"][0]["warnings"] > 0
    (tmp_path / "corpus.jsonl").write_text('{"_id": "d1", "text": ""}\n')
    assert asyncio.run(lint_suites([str(tmp_path)])).exit_code == 1
    assert {each["severity"] for each in warned.data["suites"][0]["findings"]} <= set(map(str, Severity))
