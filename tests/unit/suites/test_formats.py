"""Suites come from other tools and go back to them: nothing that a format can hold is lost, nothing is half written."""

import asyncio
import json
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.adapters.stores.postgres.store import PostgresStore
from monitor.cli.suite_export import export_run, export_suite
from monitor.cli.suite_import import SuiteHead, import_suite
from monitor.errors import Reason, SuiteError
from monitor.model.runs import Failure, Outcome, Ranking, RunStatus
from monitor.model.suites import Qrel
from monitor.suites import formats
from monitor.suites.formats import FORMATS, beir, trec_run
from monitor.suites.formats.collection import Answer, Collection, Destination, Document, Sources, Span, Topic
from monitor.suites.formats.placement import placed_at
from monitor.suites.reading import read_suite
from tests.builders import a_query, a_run, a_suite
from tests.conftest import command
from tests.properties import examples

SQUAD = {
    "version": "v2.0",
    "data": [
        {
            "title": "City parking",
            "paragraphs": [
                {
                    "context": "Parking is free on Sundays.",
                    "qas": [
                        {
                            "id": "s1",
                            "question": "When is it free?",
                            "answers": [{"text": "Sundays", "answer_start": 19}],
                        },
                        {"id": "s2", "question": "Who built it?", "answers": [], "is_impossible": True},
                    ],
                },
                {"context": "Trams run all night.", "qas": []},
            ],
        }
    ],
}
RAGAS = [
    {
        "user_input": "When is it free?",
        "reference_contexts": ["Parking is free on Sundays."],
        "retrieved_contexts": ["Trams run all night.", "Parking is free on Sundays."],
        "reference": "On Sundays",
        "response": "Never",
    },
    {"user_input": [{"content": "Hello", "type": "human"}], "reference": "two turns"},
]
RANK_EVAL = {
    "requests": [
        {
            "id": "free parking",
            "request": {"query": {"bool": {"must": [{"match": {"text": {"query": "parking sundays"}}}]}}},
            "ratings": [
                {"_index": "city", "_id": "d2", "rating": 0},
                {"_index": "city", "_id": "d1", "rating": 3},
            ],
        },
        {"id": "all", "request": {"query": {"match_all": {}}}, "ratings": []},
        {"id": "trams", "template_id": "t", "params": {"text": "night trams", "size": 3}, "ratings": []},
    ],
    "metric": {"precision": {"k": 20}},
}
CASES = (
    '{"query": "When is it free?", "relevant": ["d1", "d2"]}\n'
    '{"id": "c2", "query": "Trams?", "relevant": {"d3": 2, "d1": 0}, "stratum": "trams", "answers": ["at night"]}\n'
)
TOPICS = """<top>
<num> Number: 301
<title> parking on sundays
<desc> Description:
Find rules that say
when parking is free.
<narr> Narrative:
City rules only.
</top>

<top>
<num> 302 </num>
<title> night trams </title>
</top>
"""
QRELS = "301 0 d2 0\n301 0 d1 2\n302 0 d3 1\n"
CSV = 'query,docid,rating\n"parking, sundays",d1,3.0\nno rating yet\nnight trams,d3,1\n"parking, sundays",d2,0\n'


def sample(folder: Path, name: str) -> Path:
    """A small source in the format of a name."""
    contents = {
        "squad": json.dumps(SQUAD),
        "ragas": json.dumps(RAGAS, indent=1),
        "elasticsearch": json.dumps(RANK_EVAL),
        "jsonl": CASES,
        "csv": CSV,
    }
    source = folder / f"source.{'csv' if name == 'csv' else 'txt'}"
    if name in contents:
        source.write_text(contents[name], encoding="utf-8")
    elif name == "trec":
        source.mkdir()
        (source / "topics.txt").write_text(TOPICS, encoding="utf-8")
        (source / "qrels.txt").write_text(QRELS, encoding="utf-8")
    else:
        documents = (Document("d1", "Parking is free.", "Sundays"), Document("d2", ""))
        topic = Topic(
            query_id="q1",
            text="Free?",
            stratum="rules",
            cluster="parking",
            answers=(Answer("yes"), Answer("free", Span("d1", 11, 15))),
            metadata={"style": 1},
        )
        pairs = ({"query_id": "q1", "satisfying_id": "d1", "violating_id": "d2"},)
        passages = ({"query_id": "q1", "quote": "Parking is free"},)
        qrels = (Qrel("q1", "d2", 0), Qrel("q1", "d1", 2))
        head = {"name": "city", "version": "1.10", "axis": "compositional"}
        beir.write(
            Collection(topics=(topic,), qrels=qrels, documents=documents, pairs=pairs, passages=passages, head=head),
            Destination(source),
        )
    return source


def imports(source: Path, folder: Path, format_name: str | None = None, **wishes: str) -> dict[str, object]:
    """What the import says as JSON."""
    return asyncio.run(import_suite(Sources(source), folder, format_name, SuiteHead(**wishes))).data


def exports(suite: Path, path: Path, name: str, index: str = "documents") -> dict[str, object]:
    """What the export says as JSON."""
    return asyncio.run(export_suite(str(suite), path, name, index)).data


def content(folder: Path) -> dict[str, bytes]:
    """Every file of a suite but suite.yaml, whose name and source are those of the folder."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "suite.yaml")
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


WRITTEN = [name for name, each in FORMATS.items() if each.write]
"""Formats that are read and written."""


@pytest.mark.parametrize("name", WRITTEN)
def test_a_source_imported_exported_and_imported_again_is_the_same_suite(name, tmp_path):
    """Queries, answers, documents and judgements are the same to the byte, in their order."""
    first, again = tmp_path / "first", tmp_path / "again"
    imports(sample(tmp_path, name), first)
    exports(first, tmp_path / "exported.csv", name)
    imports(tmp_path / "exported.csv", again)
    assert content(again) == content(first)
    assert {"queries.jsonl", "qrels/test.tsv"} <= content(first).keys()


@pytest.mark.parametrize("name", WRITTEN)
def test_the_format_of_a_source_is_seen_and_said(name, tmp_path):
    """Without --format, the content of each sample tells its format, and the answer says that it was guessed."""
    told = imports(sample(tmp_path, name), tmp_path / "suite")
    assert (told["format"], told["guessed"]) == (name, True)


def test_xquad_keeps_its_judgements_to_the_byte(xquad, tmp_path):
    """A public data set that is imported and exported has the identical qrels file, and the same digest."""
    imports(xquad, tmp_path / "suite")
    exports(tmp_path / "suite", tmp_path / "out", "beir")
    assert (tmp_path / "out/qrels/test.tsv").read_bytes() == (xquad / "qrels/test.tsv").read_bytes()
    assert read_suite(tmp_path / "out").digest == read_suite(xquad).digest


@pytest.mark.parametrize("name", ["trec", "jsonl", "squad", "elasticsearch"])
def test_xquad_keeps_its_judgements_through_every_format_with_ids(name, xquad, tmp_path):
    """Exported and imported again, the qrels file is identical also where the format is not ours."""
    exports(xquad, tmp_path / "exported", name)
    imports(tmp_path / "exported", tmp_path / "suite")
    assert (tmp_path / "suite/qrels/test.tsv").read_bytes() == (xquad / "qrels/test.tsv").read_bytes()


def test_squad_keeps_answers_with_their_places_and_counts_what_has_none(tmp_path):
    """A paragraph becomes a document, an answer keeps its span, an unanswerable question is skipped and counted."""
    told = imports(sample(tmp_path, "squad"), tmp_path / "suite")
    assert (told["documents"], told["queries"], told["judgements"], told["skipped"]) == (2, 1, 1, {"unanswerable": 1})
    (query,) = map(json.loads, (tmp_path / "suite/queries.jsonl").read_text().splitlines())
    span = {"doc_id": "City_parking-0", "start": 19, "end": 26}
    assert query["metadata"] == {"answers": ["Sundays"], "answer_spans": [span]}


def test_an_answer_that_stands_twice_keeps_its_place():
    """SQuAD says which of two equal words is the answer; an answer without a place is found at the first."""
    document = Document("d", "free, free")
    answers = (Answer("free", Span("d", 6, 10)), Answer("free"))
    found = through(
        "squad",
        Collection(
            topics=(Topic(query_id="q", text="Free?", answers=answers),),
            qrels=(Qrel("q", "d", 1),),
            documents=(document,),
        ),
    )
    assert [each.span for each in found.topics[0].answers] == [Span("d", 6, 10), Span("d", 0, 4)]


def test_a_request_of_an_older_wording_is_not_written_again():
    """Whoever rewords a query wants that asked, not what Elasticsearch was asked before."""
    kept = {"rank_eval": {"request": {"query": {"match": {"text": "old"}}}}}
    collection = Collection(topics=(Topic(query_id="q", text="new", metadata=kept),), qrels=(Qrel("q", "d", 1),))
    assert [topic.text for topic in through("elasticsearch", collection).topics] == ["new"]


def test_ragas_contexts_are_documents_by_their_content(tmp_path):
    """The same text is one document, however often it was retrieved, and only reference contexts are relevant."""
    told = imports(sample(tmp_path, "ragas"), tmp_path / "suite")
    assert (told["documents"], told["judgements"], told["skipped"]) == (2, 1, {"several turns": 1})
    (query,) = read_suite(tmp_path / "suite").queries
    assert query.answers == ("On Sundays",)
    exports(tmp_path / "suite", tmp_path / "out.jsonl", "ragas")
    assert json.loads((tmp_path / "out.jsonl").read_text()) == RAGAS[0]


def test_rank_eval_asks_for_the_text_of_the_query_and_keeps_the_request(tmp_path):
    """The text is found in nested clauses and template parameters; requests without one are counted."""
    told = imports(sample(tmp_path, "elasticsearch"), tmp_path / "suite")
    assert told["skipped"] == {"request without a text": 1}
    assert [query.text for query in read_suite(tmp_path / "suite").queries] == ["parking sundays", "night trams"]
    exports(tmp_path / "suite", tmp_path / "out.json", "elasticsearch")
    written = json.loads((tmp_path / "out.json").read_text())["requests"]
    assert written[0] == RANK_EVAL["requests"][0]
    assert written[1]["request"] == {"query": {"multi_match": {"query": "night trams"}}}


def test_a_suite_of_ours_names_the_index_that_it_is_told(tmp_path):
    """Elasticsearch matches a rating by index and id, so that the index can be said."""
    exports(sample(tmp_path, "beir"), tmp_path / "out.json", "elasticsearch", index="city-2")
    ratings = json.loads((tmp_path / "out.json").read_text())["requests"][0]["ratings"]
    assert [(each["_index"], each["_id"], each["rating"]) for each in ratings] == [
        ("city-2", "d2", 0),
        ("city-2", "d1", 2),
    ]


def test_trec_topics_keep_description_and_narrative(tmp_path):
    """What is asked is the title; what else a topic says stays with the query."""
    imports(sample(tmp_path, "trec"), tmp_path / "suite")
    rows = [json.loads(line) for line in (tmp_path / "suite/queries.jsonl").read_text().splitlines()]
    assert [(row["_id"], row["text"]) for row in rows] == [("301", "parking on sundays"), ("302", "night trams")]
    told = {"description": "Find rules that say when parking is free.", "narrative": "City rules only."}
    assert rows[0]["metadata"] == told


def test_trec_topics_may_be_lines_with_their_judgements_elsewhere(tmp_path):
    """A file of id and text with --qrels beside it is read as well."""
    (tmp_path / "topics.tsv").write_text("301\tparking on sundays\n302\tnight trams\n")
    (tmp_path / "judged.txt").write_text(QRELS)
    sources = Sources(tmp_path / "topics.tsv", qrels=tmp_path / "judged.txt")
    told = asyncio.run(import_suite(sources, tmp_path / "suite", "trec", SuiteHead())).data
    assert (told["queries"], told["judgements"]) == (2, 3)


def test_csv_lets_a_query_be_unrated_and_a_rating_be_written_as_a_decimal(tmp_path):
    """Quepid writes 3 as 3.0, and a query without a rating as its text alone."""
    imports(sample(tmp_path, "csv"), tmp_path / "suite")
    grades = {query.text: dict(query.grades) for query in read_suite(tmp_path / "suite").queries}
    assert grades == {"parking, sundays": {"d1": 3, "d2": 0}, "no rating yet": {}, "night trams": {"d3": 1}}


def test_an_export_says_what_the_format_cannot_hold(tmp_path):
    """Nothing gets lost silently: each part that stays behind is counted."""
    told = exports(sample(tmp_path, "beir"), tmp_path / "out.csv", "csv")
    left_out = {"documents": 2, "answers": 2, "strata": 1, "clusters": 1, "metadata": 1, "pairs": 1, "passages": 1}
    assert told["left_out"] == left_out


def test_queries_in_the_same_words_become_one_in_csv(tmp_path):
    """CSV tells queries apart by their text: what is merged is counted."""
    (tmp_path / "cases").write_text(
        '{"id": "a", "query": "Free?", "relevant": ["d1"]}\n{"id": "b", "query": "Free?", "relevant": ["d1", "d2"]}\n'
    )
    imports(tmp_path / "cases", tmp_path / "suite")
    told = exports(tmp_path / "suite", tmp_path / "out.csv", "csv")
    assert told["left_out"] == {"queries with a repeated text": 1, "repeated judgements": 1}
    assert (tmp_path / "out.csv").read_bytes() == b"query,docid,rating\r\nFree?,d1,1\r\nFree?,d2,1\r\n"


def test_what_the_person_says_about_a_suite_is_written_down(tmp_path):
    """Name and axis go to suite.yaml, the stratum to the queries that have none of their own."""
    imports(sample(tmp_path, "jsonl"), tmp_path / "suite", name="city", axis="compositional", stratum="rules")
    suite = read_suite(tmp_path / "suite")
    assert (suite.name, suite.axis, suite.strata) == ("city", "compositional", ("rules", "trams"))


def test_a_corpus_that_is_named_is_taken_and_judgements_are_held_against_it(tmp_path):
    """With --corpus the suite brings its documents, and a judgement of any other is refused by file and line."""
    (tmp_path / "corpus.jsonl").write_text('{"_id": "d1", "text": "Parking is free."}\n{"_id": "d2", "text": "No."}\n')
    sources = Sources(sample(tmp_path, "jsonl"), corpus=tmp_path / "corpus.jsonl")
    with pytest.raises(
        SuiteError, match=r"source\.txt:2: unknown document d3; to leave such judgements out, set --ignore-unknown$"
    ):
        asyncio.run(import_suite(sources, tmp_path / "suite", None, SuiteHead()))


BAD = {
    "jsonl": [
        ('{"query": "a", "relevant": ["d"]}\n{"query": "b"}', ":2: relevant is missing"),
        ('{"query": "a", "relevant": ["d"]}\n{"query": "a", "relevant": []}', ":2: duplicate query id q-ca97"),
        ('{"query": "a", "relevant": ["d", "d"]}', ":1: document d is judged twice for query q-"),
        ('{"query": "a", "relevant": {"d": -1}}', ":1: relevant.d must be a whole number, 0 or more"),
        ('{"query": "a", "relevant": {"d": 1.5}}', ":1: relevant.d must be a whole number, 0 or more"),
        ('{"query": "a", "relevant": {"d": 1000000}}', ":1: grade 1000000 must be a whole number from 0 to 999999"),
        ('{"query": "a", "relevant": {"d\\n": -1}}', ':1: relevant."d\\n" must be a whole number'),
        ('{"query": "a", "relevant": [1]}', ":1: relevant[0] must be a string in quotes, not 1"),
        ('{"query": "a", "relevant": ["d"], "grade": 1}', ":1: grade is an unknown key; known keys:"),
        ('{"query": "a", "relevant": ["d\\t"]}', ":1: the document id 'd\\t' has a tab"),
        ('{"query": "a", "relevant": ["d"], "stratum": []}', ":1: metadata.stratum must be a string"),
        ("\xff", ":1: not UTF-8 at byte 1"),
        ("not json", ":1: not JSON"),
        ('{"query": "a", "relevant": []}', ": no query has a relevant document"),
    ],
    "squad": [
        ('{"data": [{"paragraphs": [\n{"qas": []}]}]}', ":2: data[0].paragraphs[0].context is missing"),
        (
            '{"data": [{"paragraphs": [{"context": "ab",\n"qas": [{"id": 7,\n"question": "?"}]}]}]}',
            ":2: data[0].paragraphs",
        ),
        (
            '{"data": [{"paragraphs": [{"context": "ab", "qas": [{"id": "s", "question": "?", "answers": [\n'
            '{"text": "b", "answer_start": 2}]}]}]}]}',
            ":2: data[0].paragraphs[0].qas[0].answers[0].answer_start is 2, where the paragraph of 2 characters",
        ),
        ('{"data": [\n', ":2: not JSON"),
        ('{"a": 1}', ":1: data is missing"),
        ("[]", ":1: the file must be an object"),
    ],
    "ragas": [
        ('[{"user_input": "a"},\n{"user_input": 3}]', ":2: [1].user_input must be a string"),
        ('{"user_input": "a", "retrieved_contexts": ["c"]}', ": no query has a relevant document"),
        ('{"user_input": "a", "reference_contexts": "c"}', ":1: reference_contexts must be a list"),
    ],
    "elasticsearch": [
        (
            '{"requests": [\n{"id": "a", "params": {"x": "1", "y": "2"}, "ratings": []}]}',
            ":2: requests[0] has several",
        ),
        (
            '{"requests": [{"id": "a", "params": {"x": "1"}, "ratings": [{"_id": "d", "rating": 1},\n'
            '{"_id": "d2", "rating": -1}]}]}',
            ":2: requests[0].ratings[1].rating must be a whole number, 0 or more",
        ),
        ('{"requests": [{"id": "a", "params": {"x": "1"}}]}', ":1: requests[0].ratings is missing"),
    ],
    "csv": [
        ("", ":1: the first line must be query,docid,rating"),
        ("query,rating\na,1", ":1: the first line must be query,docid,rating"),
        ('query,docid,rating\n"a\nb",d1,1\nc,d1,1.5', ":4: grade '1.5' must be a whole number"),
        ("query,docid,rating\na,d1,-1.5", ":2: grade '-1.5' must be a whole number"),
        ("query,docid,rating\na,d1,1\na,d1,2", ":3: document d1 is judged twice for query q-"),
        ("query,docid,rating\na,d1", ":2: must have 3 columns (query, docid, rating), not 2"),
        ('query,docid,rating\na,d1,1\n"a', ":3: not CSV: unexpected end of data"),
        ("query,docid,rating\na,,1", ":2: the document id is empty"),
    ],
}


@pytest.mark.parametrize(("name", "text", "told"), [(name, *case) for name, cases in BAD.items() for case in cases])
def test_a_mistake_is_told_by_file_and_line_and_nothing_is_written(name, text, told, tmp_path):
    """One line says where the mistake is and what is wrong; the folder does not appear."""
    source = tmp_path / "source"
    source.write_bytes(text.encode("latin-1"))
    with pytest.raises(SuiteError) as refused:
        imports(source, tmp_path / "suite", name)
    assert str(refused.value).startswith(f"{source}{told}")
    assert len(str(refused.value).splitlines()) == 1
    assert list(tmp_path.iterdir()) == [source]


@pytest.mark.parametrize(
    ("topics", "qrels", "told"),
    [
        ("<top>\n<num> 1\n<top>", "", "topics.txt:3: a topic starts before the topic at "),
        ("<top>\n<num> 1\n<title> a", "", "topics.txt:1: the topic does not end"),
        ("<top>\n<title> a\n</top>", "", "topics.txt:1: the topic has no <num>"),
        ("<num> 1", "", "topics.txt:1: is outside of <top>"),
        ("<top> <num> 1", "", "topics.txt:1: the topic does not end: </top> is missing"),
        ("1 a", "", "topics.txt:1: must be <top>, or an id, a tab and a text"),
        ("1\ta", "1 0 d", "qrels.txt:1: must have 4 columns (query, iteration, document, grade), not 3"),
        ("1\ta", "1 0 d 1\n2 0 d 1", "qrels.txt:2: unknown query 2"),
        ("1\ta", "1 0 d x", "qrels.txt:1: grade 'x' must be a whole number"),
    ],
)
def test_a_mistake_in_topics_or_qrels_is_told_by_file_and_line(topics, qrels, told, tmp_path):
    """Which of the two files is wrong, and where."""
    folder = tmp_path / "trec"
    folder.mkdir()
    (folder / "topics.txt").write_text(topics)
    (folder / "qrels.txt").write_text(qrels)
    with pytest.raises(SuiteError) as refused:
        imports(folder, tmp_path / "suite")
    assert str(refused.value).startswith(f"{folder}/{told}")
    assert list(tmp_path.iterdir()) == [folder]


def test_a_byte_order_mark_and_crlf_are_understood(tmp_path):
    """Files of other systems are read like any other."""
    (tmp_path / "cases").write_bytes(b"\xef\xbb\xbf" + CASES.replace("\n", "\r\n").encode())
    (tmp_path / "plain").write_text(CASES)
    imports(tmp_path / "cases", tmp_path / "a", "jsonl")
    imports(tmp_path / "plain", tmp_path / "b", "jsonl")
    assert content(tmp_path / "a") == content(tmp_path / "b")


def test_what_cannot_be_probed_is_not_imported(tmp_path):
    """A stratum without a relevant document is refused under the name of the source, and nothing is written."""
    source = tmp_path / "cases"
    source.write_text(CASES.replace('{"d3": 2, "d1": 0}', "[]"))
    with pytest.raises(
        SuiteError, match=r"/cases: cannot become a suite: .*: no query of stratum trams has a relevant"
    ):
        imports(source, tmp_path / "suite")
    assert list(tmp_path.iterdir()) == [source]


@pytest.mark.parametrize("query_id", ["q 1", "q\u00a01"])
def test_an_id_that_trec_cannot_hold_is_refused_by_its_name(query_id, tmp_path):
    """Columns are told apart by spaces: an id with one would break the file, and nothing is written."""
    (tmp_path / "cases").write_text(json.dumps({"id": query_id, "query": "a", "relevant": ["d"]}))
    imports(tmp_path / "cases", tmp_path / "suite", "jsonl")
    with pytest.raises(SuiteError) as refused:
        exports(tmp_path / "suite", tmp_path / "out", "trec")
    assert str(refused.value).startswith(f"query {query_id!r}: TREC cannot represent it")
    assert {path.name for path in tmp_path.iterdir()} == {"cases", "suite"}


def test_what_exists_is_never_overwritten(tmp_path):
    """Neither import nor export touches a file or folder that is there already."""
    source = sample(tmp_path, "jsonl")
    for write in (
        lambda: imports(source, source),
        lambda: (imports(source, tmp_path / "s"), exports(tmp_path / "s", source, "csv")),
    ):
        with pytest.raises(SuiteError, match="exists already; nothing was written"):
            write()
    assert source.read_text() == CASES


def test_a_write_that_breaks_off_leaves_nothing(tmp_path):
    """Whatever happens half way, there is neither the folder nor a piece of it."""

    def break_off() -> None:
        with placed_at(tmp_path / "suite") as unfinished:
            unfinished.mkdir()
            (unfinished / "queries.jsonl").write_text("{")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        break_off()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_appears_meanwhile_is_left_alone(tmp_path):
    """Who comes second gives way."""

    def come_second() -> None:
        with placed_at(tmp_path / "suite") as unfinished:
            unfinished.write_text("mine")
            (tmp_path / "suite").write_text("theirs")

    with pytest.raises(SuiteError, match="exists already"):
        come_second()
    assert [path.read_text() for path in tmp_path.iterdir()] == ["theirs"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("free text\n", "its format is ambiguous; set --format to one of beir, trec"),
        (None, "no such file or folder"),
    ],
)
def test_a_format_is_not_guessed_where_it_is_not_certain(text, told, tmp_path):
    """What could be anything is asked for, not tried."""
    if text:
        (tmp_path / "source").write_text(text)
    with pytest.raises(SuiteError, match=told):
        formats.guess(tmp_path / "source")


def test_an_unknown_format_is_refused_with_those_there_are():
    """A misspelt format is answered with the list."""
    with pytest.raises(SuiteError, match="unknown format beer; known formats: beir, trec, jsonl"):
        formats.find("beer")


def test_a_file_that_a_format_has_no_use_for_is_refused(tmp_path):
    """SQuAD brings documents and judgements: others beside it would be silently ignored."""
    for sources, told in (
        (Sources(sample(tmp_path, "squad"), qrels=tmp_path), "--qrels: the format squad contains its own judgements"),
        (Sources(sample(tmp_path, "squad"), corpus=tmp_path), "--corpus: the format squad contains its own documents"),
    ):
        with pytest.raises(SuiteError, match=told):
            asyncio.run(import_suite(sources, tmp_path / "suite", "squad", SuiteHead()))


OUTCOMES = (
    Outcome(query_id="q1", ranking=Ranking(doc_ids=("d2", "d1"), scores=(0.25, 0.1 + 0.2))),
    Outcome(query_id="q2", failure=Failure(Reason.TIMEOUT, "5 s")),
    Outcome(query_id="q3", ranking=Ranking(doc_ids=("d3", "d1", "d2"))),
)


def test_a_run_written_as_trec_is_read_back_in_its_order(tmp_path):
    """Rank is position, also where scores contradict it; a failure has no line; scores keep every digit."""
    trec_run.write_run(OUTCOMES, tmp_path / "run.txt", "nightly")
    assert (tmp_path / "run.txt").read_text().splitlines()[1] == "q1 Q0 d1 2 0.30000000000000004 nightly"
    rankings = trec_run.read_rankings(tmp_path / "run.txt")
    assert rankings == {"q1": OUTCOMES[0].ranking, "q3": Ranking(doc_ids=("d3", "d1", "d2"), scores=(3.0, 2.0, 1.0))}


def test_a_run_in_any_order_of_lines_is_read_by_its_ranks(tmp_path):
    """The lines of a query may be mixed; ranks may begin at 0 or 1."""
    (tmp_path / "run.txt").write_text("q Q0 b 1 0.5 t\nother Q0 x 0 1 t\nq Q0 a 0 0.9 t\n")
    read = trec_run.read_rankings(tmp_path / "run.txt")
    assert read == {
        "q": Ranking(doc_ids=("a", "b"), scores=(0.9, 0.5)),
        "other": Ranking(doc_ids=("x",), scores=(1.0,)),
    }


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("q Q0 a 2 0.9", "must have 6 columns (query, Q0, document, rank, score, tag), not 5"),
        ("q Q0 a 2 0.9 t", "document a is ranked twice for query q"),
        ("q Q0 b first 0.9 t", "rank 'first' must be a whole number"),
        ("q Q0 b 2 nan t", "score 'nan' must be a number"),
    ],
)
def test_a_mistake_in_a_run_is_told_by_file_and_line(line, told, tmp_path):
    """A run that says two things at once is refused."""
    (tmp_path / "run.txt").write_text(f"q Q0 a 1 1.0 t\n{line}\n")
    with pytest.raises(SuiteError) as refused:
        trec_run.read_rankings(tmp_path / "run.txt")
    assert str(refused.value) == f"{tmp_path / 'run.txt'}:2: {told}"


@pytest.mark.slow
def test_a_stored_run_is_written_with_its_id_as_tag(tmp_path, postgres_url):
    """The rankings come from the store as they were kept, and the tag says which run they are of."""
    suite = a_suite(*(a_query(outcome.query_id) for outcome in OUTCOMES))
    (tmp_path / "recallwatch.yaml").write_text(f"storage: {{url: '{postgres_url}'}}\n", encoding="utf-8")

    async def keep() -> None:
        store = PostgresStore(postgres_url)
        await store.open()
        await store.save_suite(suite)
        await store.start_run(replace(a_run(suite, {}, run_id="r1"), status=RunStatus.RUNNING))
        await store.save_outcomes("r1", OUTCOMES)
        await store.close()

    asyncio.run(keep())
    told = asyncio.run(export_run(tmp_path / "recallwatch.yaml", "r1", tmp_path / "run.txt")).data
    assert (told["queries"], told["hits"], told["failures"]) == (2, 5, 1)
    trec_run.write_run(OUTCOMES, tmp_path / "expected.txt", "r1")
    assert (tmp_path / "run.txt").read_text() == (tmp_path / "expected.txt").read_text()


@pytest.mark.slow
def test_the_commands_say_in_one_line_what_is_wrong(tmp_path):
    """The exit code is 2, standard output is empty and nothing is written."""
    (tmp_path / "cases.jsonl").write_text('{"query": "a", "relevant": ["d"]}\n{"query": 1, "relevant": ["d"]}\n')
    done = command("suite", "import", "cases.jsonl", "suite", cwd=tmp_path, check=2)
    assert done.stderr == "recallwatch: cases.jsonl:2: query must be a string in quotes, not 1\n"
    assert (done.stdout, [path.name for path in tmp_path.iterdir()]) == ("", ["cases.jsonl"])


@pytest.mark.slow
def test_the_commands_work_as_they_are_documented(tmp_path):
    """Import and export by the command line, counts as JSON."""
    sample(tmp_path, "csv")
    done = command("suite", "import", "source.csv", "suite", "--stratum", "search", "--json", cwd=tmp_path)
    told = json.loads(done.stdout)
    assert (told["format"], told["queries"], told["judgements"], told["skipped"]) == ("csv", 3, 3, {})
    done = command("suite", "export", "suite", "out", "--format", "trec", "--json", cwd=tmp_path)
    assert json.loads(done.stdout)["left_out"] == {"strata": 1}
    assert (tmp_path / "out/qrels.txt").read_text().splitlines()[0].endswith(" 0 d1 3")


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1).filter(str.strip)
WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc", "Z"], exclude_characters="\ufeff"), min_size=1)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(st.characters(codec="utf-8")), st.lists, max_leaves=3
)
OURS = {"stratum", "cluster", "answers", "answer_spans", "ragas", "rank_eval", "retrieved_doc_ids"}
METADATA = st.dictionaries(WORDS.filter(lambda key: key not in OURS), JSON, max_size=2)


@st.composite
def collections(draw: st.DrawFn) -> Collection:
    """Whatever a suite may hold: strange texts, equal texts, ungrouped judgements, answers with and without places."""
    ids = st.lists(WORDS, min_size=1, max_size=4, unique=True)
    documents = [Document(each, draw(TEXTS), draw(st.just("") | WORDS), draw(METADATA)) for each in draw(ids)]
    labels = st.just("") | WORDS

    def answer() -> Answer:
        document = draw(st.sampled_from(documents))
        start = draw(st.integers(0, len(document.text) - 1))
        text = document.text[start : draw(st.integers(start + 1, len(document.text)))]
        is_placed = text.strip() and draw(st.booleans())
        return Answer(text, Span(document.doc_id, start, start + len(text))) if is_placed else Answer(draw(TEXTS))

    topics = [
        Topic(
            query_id=each,
            text=draw(TEXTS),
            stratum=draw(labels),
            cluster=draw(labels),
            answers=tuple(answer() for _ in range(draw(st.integers(0, 2)))),
            metadata=draw(METADATA),
        )
        for each in draw(ids)
    ]
    judged = st.tuples(st.sampled_from(topics), st.sampled_from(documents))
    chosen = draw(st.lists(judged, min_size=1, unique_by=lambda each: (each[0].query_id, each[1].doc_id)))
    qrels = [Qrel(topic.query_id, document.doc_id, draw(st.integers(0, 3))) for topic, document in chosen]
    qrels[0] = qrels[0]._replace(grade=1)
    return Collection(topics=tuple(topics), qrels=tuple(qrels), documents=tuple(documents))


def through(name: str, collection: Collection) -> Collection:
    """The collection, written and read in one format; name and source say nothing about it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "exported.csv")
        FORMATS[name].write(collection, Destination(path))
        return replace(FORMATS[name].read(Sources(path)), head={})


@pytest.mark.parametrize("name", WRITTEN)
@examples(30)
@given(collection=collections())
def test_what_a_format_has_held_once_it_always_holds(name, collection):
    """Import, export, import: queries, judgements, answers and documents are equal, and in the same order."""
    imported_once = through(name, collection)
    assert through(name, imported_once) == imported_once


SAMPLES = {"squad": SQUAD, "ragas": RAGAS, "elasticsearch": RANK_EVAL}


@pytest.mark.parametrize("name", SAMPLES)
@examples(150)
@given(data=st.data())
def test_whatever_stands_in_a_json_file_the_answer_is_a_suite_or_one_line(name, data):
    """Any value of a good file replaced by any other: it is read, or refused with a place, and nothing else happens."""
    content = json.loads(json.dumps(SAMPLES[name]))
    node, step = content, data.draw(st.sampled_from(steps_of(content)))
    while isinstance(node[step], dict | list) and node[step] and data.draw(st.booleans()):
        node = node[step]
        step = data.draw(st.sampled_from(steps_of(node)))
    node[step] = data.draw(JSON | st.dictionaries(WORDS, JSON, max_size=2))
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "source")
        source.write_text(json.dumps(content), encoding="utf-8")
        try:
            FORMATS[name].read(Sources(source))
        except SuiteError as error:
            told = error
        else:
            return
        assert told.where.startswith(str(source))
        assert len(str(told).splitlines()) == 1


def steps_of(node: dict[str, object] | list[object]) -> list[object]:
    """The keys of an object, or the indices of a list."""
    return list(node) if isinstance(node, dict) else list(range(len(node)))


@pytest.mark.parametrize("name", ["squad", "elasticsearch"])
def test_a_file_that_is_nested_without_end_is_refused(name, tmp_path):
    """A thousand brackets are no reason to break down."""
    deep = '{"a": ' * 900 + "1" + "}" * 900
    (tmp_path / "source").write_text(f'{{"requests": [{{"request": {deep}}}], "data": [{{"title": {deep}}}]}}')
    with pytest.raises(SuiteError, match=r"source:1: "):
        imports(tmp_path / "source", tmp_path / "suite", name)


def test_metadata_that_is_nested_too_deeply_is_refused(tmp_path):
    """What can be read but not written is told, and nothing is written."""
    deep = "[" * 300 + "]" * 300
    (tmp_path / "source").write_text(f'{{"query": "a", "relevant": ["d"], "metadata": {{"deep": {deep}}}}}')
    with pytest.raises(SuiteError, match=r"cannot be written as JSON"):
        imports(tmp_path / "source", tmp_path / "suite", "jsonl")
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def grouped(collection: Collection) -> list[Qrel]:
    """The judgements by query, as formats have them that write judgements under their query."""
    judged = collection.qrels_by_query()
    return [qrel for topic in collection.topics for qrel in judged[topic.query_id]]


@examples(30)
@given(collection=collections())
def test_a_beir_folder_holds_everything(collection):
    """Written and read, nothing at all has changed."""
    assert through("beir", collection) == collection


@examples(30)
@given(collection=collections())
def test_cases_hold_everything_but_documents(collection):
    """Written and read, every query is equal, with its answers, their places and its judgements."""
    found = through("jsonl", collection)
    assert (found.topics, list(found.qrels)) == (collection.topics, grouped(collection))


@examples(30)
@given(collection=collections())
def test_trec_holds_every_judgement_in_its_order(collection):
    """Written and read, ids and judgements are equal, also where the judgements of a query stand apart."""
    found = through("trec", collection)
    assert found.qrels == collection.qrels
    assert [topic.query_id for topic in found.topics] == [topic.query_id for topic in collection.topics]


@examples(30)
@given(collection=collections())
def test_rank_eval_holds_texts_and_judgements(collection):
    """Written and read, ids, texts and judgements are equal."""
    found = through("elasticsearch", collection)
    assert list(found.qrels) == grouped(collection)
    assert [each.text for each in found.topics] == [each.text for each in collection.topics]


@examples(30)
@given(collection=collections())
def test_csv_holds_the_rating_of_every_text(collection):
    """Written and read, each text has its documents and ratings; of two ratings in the same words the first counts."""
    texts = {topic.query_id: topic.text for topic in collection.topics}
    wanted: dict[tuple[str, str], int] = {}
    for qrel in collection.qrels:
        wanted.setdefault((texts[qrel.query_id], qrel.doc_id), qrel.grade)
    found = through("csv", collection)
    assert [topic.text for topic in found.topics] == list(dict.fromkeys(topic.text for topic in collection.topics))
    texts = {topic.query_id: topic.text for topic in found.topics}
    assert [(texts[each.query_id], each.doc_id, each.grade) for each in found.qrels] == [
        (*key, grade) for key, grade in wanted.items()
    ]


@examples(30)
@given(collection=collections())
def test_squad_holds_the_best_document_and_the_answers_that_it_gives(collection):
    """Written and read, each question has its most relevant paragraph, and no answer that is not in it."""
    found = through("squad", collection)
    judged = {each.query_id: each for each in collection.topics}
    assert found.documents == tuple(replace(each, metadata={}) for each in collection.documents or ())
    for qrel in found.qrels:
        grades = {each.doc_id: each.grade for each in collection.qrels_by_query()[qrel.query_id]}
        assert grades[qrel.doc_id] == max(grades.values()) > 0
    for topic in found.topics:
        assert {each.text for each in topic.answers} <= {each.text for each in judged[topic.query_id].answers}


@examples(30)
@given(collection=collections())
def test_ragas_holds_the_texts_of_the_relevant_documents(collection):
    """Written and read, each question has the texts that are relevant to it, and its first answer."""
    found = through("ragas", collection)
    assert relevant_texts(found) == relevant_texts(collection)
    assert [each.answers for each in found.topics] == [
        tuple(Answer(answer.text) for answer in each.answers[:1]) for each in collection.topics
    ]


def relevant_texts(collection: Collection) -> list[tuple[str, set[str]]]:
    """Each question with the texts of its relevant documents."""
    texts = {document.doc_id: document.text for document in collection.documents or ()}
    judged = collection.qrels_by_query()
    return [
        (each.text, {texts[qrel.doc_id] for qrel in judged[each.query_id] if qrel.grade}) for each in collection.topics
    ]
