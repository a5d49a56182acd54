"""Collections of SMART, as Glasgow publishes them: `cran.qry` with `cranqrel`, `CISI.QRY` with `CISI.REL`, and others.

    .I 001                               1 184 2          query, document, grade
    .W                                   1 0 184 1        or query, 0, document, grade
    what similarity laws must …          1 28 0 0.000000  or query, document and two numbers that are always zero

The judgements of Cranfield count the queries from 1, whatever number follows `.I`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from monitor.errors import SuiteError
from monitor.model.suites import Qrel
from monitor.suites.formats import corpora, smart_records
from monitor.suites.formats.collection import Collection, CollectionBuilder, Format, Sources, Topic, whole_number
from monitor.suites.formats.source_files import beginning, published_lines


def read(sources: Sources) -> Collection:
    """Read queries, judgements and, with a corpus, documents."""
    if sources.qrels is None:
        raise SuiteError(str(sources.source), "queries of SMART need judgements; set them with --qrels")
    builder = CollectionBuilder(sources.source, ignore_unknown=sources.ignore_unknown)
    if sources.corpus:
        corpora.add_corpus(builder, sources.corpus)
    queries = [
        (where, number, sections.get("W", "")) for where, number, sections in smart_records.records(sources.source)
    ]
    qrels = list(_qrels(sources.qrels))
    if _counts_from_one({qrel.query_id for _, qrel in qrels}, [number for _, number, _ in queries]):
        queries = [(where, str(position), text) for position, (where, _, text) in enumerate(queries, 1)]
    for where, number, text in queries:
        builder.add_topic(Topic(query_id=number, text=text), where)
    for where, qrel in qrels:
        builder.judge(qrel, where, may_repeat=True)
    return builder.finish()


def _counts_from_one(judged: set[str], numbers: list[str]) -> bool:
    """Whether the judgements name queries by position: an id is no number of a query, and all are positions."""
    positions = {str(position) for position in range(1, len(numbers) + 1)}
    return not judged <= {*numbers} and judged <= positions


def _qrels(path: Path) -> Iterator[tuple[str, Qrel]]:
    for where, line in published_lines(path):
        columns = line.split()
        if len(columns) not in (2, 3, 4) or not all(column.isdigit() for column in columns[:2]):
            raise SuiteError(where, "must be a query, a document and a grade")
        query_id = str(int(columns[0]))
        if len(columns) == 4 and columns[1] == "0" and columns[2].isdigit():
            yield where, Qrel(query_id, str(int(columns[2])), whole_number(columns[3], where))
        else:  # two or four columns: every line is a relevant document
            grade = whole_number(columns[2], where) if len(columns) == 3 else 1
            yield where, Qrel(query_id, str(int(columns[1])), grade)


def _recognises(path: Path) -> bool:
    return path.is_file() and beginning(path).startswith(".I ")


FORMAT = Format(name="smart", read=read, recognises=_recognises, takes_qrels=True, takes_corpus=True)
