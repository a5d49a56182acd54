"""The files of a BEIR folder, as they are published: JSON Lines and TSV, compressed, or the layout of Hugging Face."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from monitor.errors import SuiteError
from monitor.model.suites import Qrel
from monitor.suites.formats import corpora
from monitor.suites.formats.collection import whole_number
from monitor.suites.formats.source_files import ROW_SUFFIXES, published_lines, published_rows

QUERY_IDS = ("_id", "id", "query-id", "query_id", "qid")
QUERY_TEXTS = ("text", "query", "question", "title")
_DOC_IDS = ("corpus-id", "corpus_id", "doc_id", "docid", "doc-id", "pid")
_GRADES = ("score", "relevance", "rel", "label", "grade")
_JUDGED = ("query-id", "query_id", "qid", "_id", "id")
_QRELS_FOLDERS = ("qrels", "default", "data")
_COLUMNAR = (".parquet", ".arrow")


def part(folder: Path, name: str) -> list[Path]:
    """The files of `corpus` or `queries`: one file beside the others, or all tables in a folder of that name."""
    files = [
        folder / f"{name}{suffix}{packed}"
        for suffix in ROW_SUFFIXES
        for packed in ("", ".gz")
        if (folder / f"{name}{suffix}{packed}").is_file()
    ]
    return files[:1] or sorted(path for suffix in ROW_SUFFIXES for path in (folder / name).glob(f"**/*{suffix}"))


def qrels(folder: Path, *, is_needed: bool) -> list[Path]:
    """The judgements of the split `test`, or of the only split. Raises SuiteError if there are only several others."""
    tables = [
        path
        for name in _QRELS_FOLDERS
        for suffix in (".tsv", ".tsv.gz", *_COLUMNAR)
        for path in sorted((folder / name).glob(f"**/*{suffix}"))
    ] + sorted(folder.glob("qrels.tsv"))
    splits = {path: _split(path, folder) for path in tables}
    paths = [path for path, split in splits.items() if split == "test"]
    if not paths and len({*splits.values()}) == 1 and tables and tables[0].suffix in _COLUMNAR:
        paths = tables
    if paths:
        return paths
    expected = folder / "qrels" / "test.tsv"
    if tables:
        names = ", ".join(sorted(path.name for path in tables))
        raise SuiteError(str(expected), f"no such file; found {names}: choose one with --qrels")
    return [expected] if is_needed else []


def read_qrels(path: Path) -> Iterator[tuple[str, Qrel]]:
    """Judgements with their places: three columns under any header or none, or the four columns of TREC."""
    if path.suffix in _COLUMNAR:
        yield from _columnar_qrels(path)
        return
    for index, (where, line) in enumerate(published_lines(path)):
        columns = line.split("\t") if "\t" in line else line.split()
        if index == 0 and len(columns) in (3, 4) and not _is_number(columns[-1]):
            continue  # a header, whatever its words
        if len(columns) == 4:
            columns = [columns[0], *columns[2:]]
        if len(columns) != 3:
            problem = f"must have 3 tab-separated columns (query-id, corpus-id, score), not {len(columns)}"
            raise SuiteError(where, problem)
        query_id, doc_id, grade = (column.strip() for column in columns)
        yield where, Qrel(query_id, doc_id, whole_number(grade, where))


def _columnar_qrels(path: Path) -> Iterator[tuple[str, Qrel]]:
    for row in published_rows(path):
        grade = corpora.first_of(row, _GRADES)
        query_id, doc_id = (corpora.id_text(corpora.first_of(row, names)) for names in (_JUDGED, _DOC_IDS))
        text = "1" if grade.is_missing() else f"{grade.value:g}"  # without grades all are relevant
        yield row.where, Qrel(query_id, doc_id, whole_number(text, row.where))


def _split(path: Path, folder: Path) -> str:
    """`test` of `test.tsv`, of `test-00000-of-00001.parquet` and of `test/data-00000-of-00001.arrow`."""
    parent = path.parent.relative_to(folder).parts
    if path.name.startswith("data-") and len(parent) > 1:
        return parent[-1]
    return path.name.partition(".")[0].partition("-")[0]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
