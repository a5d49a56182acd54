"""Documents in the forms in which corpora are published.

JSON Lines, CSV, TSV and Parquet with an id and a text under any usual name; TREC documents (`<DOC>`); SMART (`.I`);
lines of `id <tab> text`, or of `id <tab> url <tab> title <tab> text`. A folder is read with all files in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from monitor.errors import SuiteError
from monitor.suites.formats import smart_records, tagged
from monitor.suites.formats.collection import CollectionBuilder, Document
from monitor.suites.formats.json_values import Value
from monitor.suites.formats.source_files import (
    ROW_SUFFIXES,
    beginning,
    published_lines,
    published_rows,
    read_published,
)

_IDS = ("_id", "id", "docid", "doc_id", "docno", "pid", "corpus-id", "corpus_id", "document_id")
_TEXTS = ("text", "contents", "content", "body", "abstract", "passage")
_TITLES = ("title", "headline")
_DOC_TITLES = ("title", "headline", "head", "hl", "tl", "h3")
_DOC_TEXTS = ("text", "body", "abstract", "leadpara", "lp", "summary")


def add_corpus(builder: CollectionBuilder, path: Path) -> None:
    """Add all documents of a file or folder."""
    files = sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]
    if not files:
        raise SuiteError(str(path), "has no file")
    for file in files:
        for where, document in _reader(file)(file):
            builder.add_document(document, where)


def first_of(row: Value, names: tuple[str, ...]) -> Value:
    """The first of these members that is not missing, else the first."""
    members = [row[name] for name in names]
    return next((member for member in members if not member.is_missing()), members[0])


def id_text(value: Value) -> str:
    """An id, which may be a number in published tables."""
    return str(value.value) if type(value.value) is int else value.text()


def _reader(path: Path) -> Callable[[Path], Iterator[tuple[str, Document]]]:
    start = beginning(path)
    if path.name.removesuffix(".gz").endswith(ROW_SUFFIXES) and not _is_headless(path, start):
        return _rows
    if start.startswith(("{", "[")):
        return _rows
    if start[:4].upper() == "<DOC":
        return _trec_documents
    return _smart_documents if start.startswith(".I ") else _lines


def _is_headless(path: Path, start: str) -> bool:
    """Whether a TSV file has no header, as the collections of MS MARCO."""
    columns = start.partition("\n")[0].lower().split("\t")
    return path.name.removesuffix(".gz").endswith(".tsv") and not {*columns} & {*_IDS}


def _rows(path: Path) -> Iterator[tuple[str, Document]]:
    for row in published_rows(path):
        title, metadata = first_of(row, _TITLES), row["metadata"]
        yield (
            row.where,
            Document(
                id_text(first_of(row, _IDS)),
                first_of(row, _TEXTS).text(may_be_empty=True),
                "" if title.is_missing() else title.text(may_be_empty=True),
                {} if not isinstance(metadata.value, dict) else metadata.value,
            ),
        )


def _trec_documents(path: Path) -> Iterator[tuple[str, Document]]:
    names = ("docno", *_DOC_TITLES, *_DOC_TEXTS)
    for block in tagged.blocks(read_published(path), path, ("doc",), ("docs", "root", "xml")):
        values = tagged.fields(block.content, names)
        if "docno" not in values:
            raise SuiteError(block.where, "the document has no <DOCNO>")
        title = next((tagged.plain(values[name][0]) for name in _DOC_TITLES if name in values), "")
        texts = [text for name in _DOC_TEXTS for text in values.get(name, ())]
        yield block.where, Document(tagged.plain(values["docno"][0]), tagged.plain(" ".join(texts)), title)


def _smart_documents(path: Path) -> Iterator[tuple[str, Document]]:
    for where, number, sections in smart_records.records(path):
        yield where, Document(number, sections.get("W") or sections.get("K", ""), sections.get("T", ""))


def _lines(path: Path) -> Iterator[tuple[str, Document]]:
    for where, line in published_lines(path):
        doc_id, *columns = line.split("\t")
        if len(columns) not in (1, 2, 3):
            raise SuiteError(where, "must be an id, a tab and a text, or id, url, title and text")
        yield where, Document(doc_id.strip(), columns[-1].strip(), columns[-2].strip() if len(columns) > 1 else "")
