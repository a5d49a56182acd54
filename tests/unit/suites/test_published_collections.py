"""Importers take collections as they are published, with their quirks."""

import asyncio
import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.ipc
import pyarrow.parquet
import pytest

from monitor.cli.suite_import import SuiteHead, import_suite
from monitor.errors import SuiteError
from monitor.suites.formats.collection import Sources
from monitor.suites.formats.table import parse_mapping
from monitor.suites.reading import read_corpus, read_suite


def imported(sources: Sources, folder: Path, format_name: str | None = None) -> tuple[dict[str, Any], dict[str, Any]]:
    """The result of an import as JSON, and the grades of each query by its text."""
    data = asyncio.run(import_suite(sources, folder, format_name, SuiteHead())).data
    return data, {query.text: dict(query.grades) for query in read_suite(folder).queries}


def written(path: Path, content: str | bytes) -> Path:
    """A file with this content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


TOPICS = {
    "ad hoc, TREC 1": """
<top>
<head> Tipster Topic Description
<num> Number:  051
<dom> Domain:  International Economics
<title> Topic:  Airbus Subsidies
<desc> Description:
Document will discuss government assistance to Airbus.
<narr> Narrative:
A relevant document will cite subsidies &amp; loans.
<con> Concept(s):
1. Airbus Industrie
<fac> Factor(s):
</top>
""",
    "robust, title on its own line": """
<top>

<num> Number: 51
<title>

Airbus Subsidies
<desc> Description:
Document will discuss
government assistance to Airbus.
<narr> Narrative:
A relevant document will cite subsidies & loans.
</top>
""",
    "one line": "<top><num> Number: 51 <title> Airbus Subsidies <desc> Description: "
    "Document will discuss government assistance to Airbus. <narr> Narrative: "
    "A relevant document will cite subsidies &amp; loans. </top>",
    "XML of TREC-COVID": """<?xml version="1.0" encoding="UTF-8"?>
<topics task="COVIDSearch Test Collection" batch="5">
  <!-- round 5 -->
  <topic number="51">
    <query>Airbus Subsidies</query>
    <question>Document will discuss government assistance to Airbus.</question>
    <narrative>A relevant document will cite subsidies &amp; loans.</narrative>
  </topic>
</topics>
""",
    "XML of CLEF": """<topics><topic lang="en">
<identifier>51</identifier><title>Airbus Subsidies</title>
<description>Document will discuss government assistance to Airbus.</description>
<narrative>A relevant document will cite subsidies &amp; loans.</narrative></topic></topics>
""",
    "Web track": """<topic number="51" type="faceted">
<query>Airbus Subsidies</query>
<description>Document will discuss government assistance to Airbus.</description>
<narrative>A relevant document will cite subsidies &amp; loans.</narrative>
<subtopic number="1" type="inf">Which loans?</subtopic>
</topic>
""",
}


@pytest.mark.parametrize("shape", TOPICS)
def test_topics_of_trec_are_read_in_every_shape(shape, tmp_path):
    """SGML and XML, on many lines or one, with attributes or labels: the same query, description and narrative."""
    topics = written(tmp_path / "topics", TOPICS[shape])
    qrels = written(tmp_path / "qrels", "51 0 FT911-3 1\n51 0 AP-2 0\n51 0 WSJ-9 -2\n")
    data, grades = imported(Sources(topics, qrels), tmp_path / "suite")
    assert grades == {"Airbus Subsidies": {"FT911-3": 1, "AP-2": 0, "WSJ-9": 0}}
    assert data["format"] == "trec"
    row = json.loads((tmp_path / "suite/queries.jsonl").read_text())
    assert row["_id"] == "51"
    assert row["metadata"] == {
        "description": "Document will discuss government assistance to Airbus.",
        "narrative": "A relevant document will cite subsidies & loans.",
    }


def test_a_topic_that_is_only_text_is_its_query(tmp_path):
    """The clinical trials track writes the case as the text of the topic."""
    topics = written(tmp_path / "t.xml", '<topics><topic number="7">A 58-year-old\n woman.</topic></topics>')
    _, grades = imported(Sources(topics, written(tmp_path / "q", "7 0 NCT01 2\n")), tmp_path / "suite")
    assert grades == {"A 58-year-old woman.": {"NCT01": 2}}


@pytest.mark.parametrize("line", ["wt09-1:obama family tree", "wt09-1\tobama family tree"])
def test_topics_may_be_lines(line, tmp_path):
    """Tabs and colons separate id and text."""
    topics, qrels = written(tmp_path / "t", f"{line}\n"), written(tmp_path / "q", "wt09-1 0 d1 1\n")
    _, grades = imported(Sources(topics, qrels), tmp_path / "suite", "trec")
    assert grades == {"obama family tree": {"d1": 1}}


def test_documents_of_trec_are_a_corpus(tmp_path):
    """Folders of compressed files with several documents each, in Latin-1, with and without headlines."""
    first = """<DOC>
<DOCNO> FT911-3 </DOCNO>
<PROFILE>_AN-BEOA7AAIFT</PROFILE>
<HEADLINE>
FT  14 MAY 91 / Caf\xe9 subsidies
</HEADLINE>
<TEXT>
Airbus &amp; friends.
</TEXT>
</DOC>
<DOC><DOCNO>AP-2</DOCNO><TEXT>One.</TEXT><TEXT>Two.</TEXT></DOC>
"""
    written(tmp_path / "docs/ft/a.gz", gzip.compress(first.encode("latin-1")))
    written(tmp_path / "docs/b", "<DOC>\n<DOCNO>WSJ-9</DOCNO>\n<HL>Head</HL>\n<TEXT>\n<p>Para</p>\n</TEXT>\n</DOC>\n")
    topics = written(tmp_path / "t", "51\tairbus\n")
    qrels = written(tmp_path / "q", "51 0 FT911-3 1\n51 0 WSJ-9 1\n")
    imported(Sources(topics, qrels, tmp_path / "docs"), tmp_path / "suite", "trec")
    documents = {each.doc_id: (each.title, each.text) for each in read_corpus(tmp_path / "suite")}
    assert documents == {
        "WSJ-9": ("Head", "Para"),
        "FT911-3": ("FT 14 MAY 91 / Café subsidies", "Airbus & friends."),
        "AP-2": ("", "One. Two."),
    }


def test_unknown_queries_and_documents_can_be_ignored(tmp_path):
    """Qrels without topics and topics without qrels are errors that name the option, or are counted."""
    topics = written(tmp_path / "t", "1\tone\n2\ttwo\n3\tthree\n")
    qrels = written(tmp_path / "q", "1 0 d1 1\n1 0 gone 1\n2 0 d1 0\n99 0 d1 1\n")
    corpus = written(tmp_path / "corpus.tsv", "d1\tthe text\n")
    with pytest.raises(SuiteError, match=r"q:2: unknown document gone; .* set --ignore-unknown"):
        imported(Sources(topics, qrels, corpus), tmp_path / "suite", "trec")
    data, grades = imported(Sources(topics, qrels, corpus, ignore_unknown=True), tmp_path / "suite", "trec")
    assert grades == {"one": {"d1": 1}}
    assert data["skipped"] == {
        "judgement of an unknown document": 1,
        "judgement of an unknown query": 1,
        "query without a relevant document": 2,
    }


BEIR_HEADERS = [
    "query-id\tcorpus-id\tscore",
    "query_id\tdoc_id\trelevance",
    "qid\tpid\tlabel",
    "",
    "qid\tQ0\tdocid\trel",
]


@pytest.mark.parametrize("header", BEIR_HEADERS)
def test_beir_qrels_may_have_any_header_or_none(header, tmp_path):
    """The first line is a header if its final column is no number."""
    folder = tmp_path / "beir"
    written(folder / "queries.jsonl", '{"_id": "1", "text": "one", "metadata": {}}\n')
    row = "1\t0\td1\t2\n1\t0\td2\t-1\n" if "Q0" in header else "1\td1\t2\n1\td2\t-1\n1\td1\t2\n"
    written(folder / "qrels/test.tsv", f"{header}\n{row}")
    _, grades = imported(Sources(folder), tmp_path / "suite")
    assert grades == {"one": {"d1": 2, "d2": 0}}


@pytest.mark.parametrize("shape", ["parquet of MTEB", "parquet of Nano", "arrow of save_to_disk", "compressed"])
def test_layouts_of_hugging_face_are_read(shape, tmp_path):
    """Corpus, queries and judgements in folders of Parquet or Arrow, with their names of columns and splits."""
    folder = tmp_path / "hub"
    corpus = [{"_id": "d1", "title": "T", "text": "first"}, {"_id": "d2", "title": "", "text": "second"}]
    queries = [{"_id": "1", "text": "one"}]
    qrels: list[dict[str, Any]] = [{"query-id": "1", "corpus-id": "d2", "score": 1}]
    if shape == "compressed":
        for name, rows in (("corpus", corpus), ("queries", queries)):
            written(folder / f"{name}.jsonl.gz", gzip.compress("\n".join(map(json.dumps, rows)).encode()))
        written(folder / "qrels/test.tsv.gz", gzip.compress(b"query-id\tcorpus-id\tscore\n1\td2\t1\n"))
    elif shape == "arrow of save_to_disk":
        for name, rows in (("corpus/corpus", corpus), ("queries/queries", queries), ("default/test", qrels)):
            path = folder / name / "data-00000-of-00001.arrow"
            path.parent.mkdir(parents=True)
            table = pyarrow.Table.from_pylist(rows)
            with pyarrow.ipc.new_stream(path, table.schema) as stream:
                stream.write_table(table)
    else:
        split = "train" if shape == "parquet of Nano" else "test"
        judged = [{key: row[key] for key in ("query-id", "corpus-id")} for row in qrels] if split == "train" else qrels
        for name, rows in (("corpus", corpus), ("queries", queries), ("qrels", judged)):
            path = folder / name / f"{split}-00000-of-00001.parquet"
            path.parent.mkdir(parents=True)
            pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    data, grades = imported(Sources(folder), tmp_path / "suite")
    assert grades == {"one": {"d2": 1}}
    assert (data["format"], data["documents"]) == ("beir", 2)


CRANFIELD_QUERIES = """.I 001
.W
what similarity laws must be obeyed
when constructing aeroelastic models .
.I 002
.W
what are the structural problems
.I 004
.W
what problems of heat conduction
"""


def test_cranfield_counts_its_queries_by_position(tmp_path):
    """The judgements of Cranfield name query 3, which is the third and stands under .I 004; -1 is not relevant."""
    queries = written(tmp_path / "cran.qry", CRANFIELD_QUERIES)
    qrels = written(tmp_path / "cranqrel", "1 184 2\n1 29 -1\n2 12 3\n3 5 1 \n")
    corpus = written(
        tmp_path / "cran.all.1400",
        "".join(
            f".I {n}\n.T\ntitle {n} .\n.A\nbrenckman,m.\n.B\nj. ae. scs.\n.W\ntext {n}\nmore\n"
            for n in (5, 12, 29, 184)
        ),
    )
    data, grades = imported(Sources(queries, qrels, corpus), tmp_path / "suite")
    assert data["format"] == "smart"
    assert grades == {
        "what similarity laws must be obeyed when constructing aeroelastic models .": {"184": 2, "29": 0},
        "what are the structural problems": {"12": 3},
        "what problems of heat conduction": {"5": 1},
    }
    assert next(each.full_text for each in read_corpus(tmp_path / "suite")) == "title 5 . text 5 more"


@pytest.mark.parametrize(
    "line",
    ["     1     28\t0\t0.000000", "1 0 28 1", "01 0028  0 0", "1 28 1"],
    ids=["CISI", "MED", "CACM", "Cranfield"],
)
def test_the_judgements_of_each_smart_collection_are_read(line, tmp_path):
    """CISI, MED, CACM and Cranfield have columns of their own; a line is a relevant document."""
    queries = written(tmp_path / "X.QRY", ".I 1\n.W\nWhat problems?\n")
    _, grades = imported(Sources(queries, written(tmp_path / "X.REL", f"{line}\n")), tmp_path / "suite")
    assert grades == {"What problems?": {"28": 1}}


ROWS = [{"question": "Free?", "doc_ids": ["d1", "d2"], "meta": {"topic": "rules"}, "gold": "yes"},
        {"question": "When?", "doc_ids": ["d3"], "meta": {"topic": "times"}, "gold": "at night"}]  # fmt: skip


@pytest.mark.parametrize("suffix", ["jsonl", "json", "parquet", "csv", "tsv"])
def test_a_table_is_read_by_its_columns(suffix, tmp_path):
    """Lists in JSON, Parquet or a cell of CSV, and nested columns, are named by --map."""
    path = tmp_path / f"golden.{suffix}"
    if suffix == "parquet":
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(ROWS), path)
    elif suffix in ("csv", "tsv"):
        separator = "," if suffix == "csv" else "\t"
        cells = ["\"['d1', 'd2']\"", "d3"] if suffix == "csv" else ["d1|d2", "d3"]
        lines = [separator.join((str(row["question"]), cell, str(row["meta"]["topic"]), str(row["gold"])))  # type: ignore[index]
                 for row, cell in zip(ROWS, cells, strict=True)]  # fmt: skip
        written(path, "\n".join([separator.join(("question", "doc_ids", "topic", "gold")), *lines]))
    else:
        written(path, json.dumps(ROWS) if suffix == "json" else "\n".join(map(json.dumps, ROWS)))
    topic = "topic" if suffix in ("csv", "tsv") else "meta.topic"
    columns = parse_mapping(f"query=question,relevant=doc_ids,stratum={topic},answers=gold")
    data, grades = imported(Sources(path, columns=columns), tmp_path / "suite")
    assert grades == {"Free?": {"d1": 1, "d2": 1}, "When?": {"d3": 1}}
    assert data["format"] == "table"
    suite = read_suite(tmp_path / "suite")
    assert suite.strata == ("rules", "times")
    assert suite.queries[1].answers == ("at night",)


def test_rows_of_one_document_are_merged(tmp_path):
    """One judgement in each row: rows with the same query are one query, and their grades are read."""
    path = written(tmp_path / "j.csv", "q,doc,score\nFree?,d1,2\nFree?,d2,0.0\n")
    columns = parse_mapping("query=q,relevant=doc,grade=score")
    assert imported(Sources(path, columns=columns), tmp_path / "suite")[1] == {"Free?": {"d1": 2, "d2": 0}}


@pytest.mark.parametrize(
    ("mapping", "problem"),
    [
        ("query=question", "--map: relevant is missing"),
        ("query=q,relevant=doc_ids", "no row has the column q for query; columns: question, doc_ids, meta, gold"),
        ("question", "--map: 'question' must be key=column with one of the keys"),
    ],
)
def test_a_wrong_mapping_names_the_columns(mapping, problem, tmp_path):
    """The message says which columns there are."""
    path = written(tmp_path / "golden.jsonl", "\n".join(map(json.dumps, ROWS)))
    with pytest.raises(SuiteError) as refused:
        imported(Sources(path, columns=parse_mapping(mapping)), tmp_path / "suite", "table")
    assert problem in str(refused.value)


@pytest.mark.parametrize(
    "content",
    [
        "7\tthe text\n",
        "7\thttp://x\tA title\tthe text\n",
        '{"docid": 7, "contents": "the text"}\n',
        "docno,body\n7,the text\n",
    ],
    ids=["passages.tsv", "documents.tsv", "anserini.jsonl", "table.csv"],
)
def test_a_corpus_may_be_a_table_of_any_kind(content, tmp_path, request):
    """Lines, tables with headers and JSON are read by the usual names of ids and texts."""
    corpus = written(tmp_path / request.node.callspec.id, content)
    topics, qrels = written(tmp_path / "t", "1\tone\n"), written(tmp_path / "q", "1 0 7 1\n")
    imported(Sources(topics, qrels, corpus), tmp_path / "suite", "trec")
    (document,) = read_corpus(tmp_path / "suite")
    assert (document.doc_id, document.text) == ("7", "the text")
