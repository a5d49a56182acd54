"""`recallwatch suite import`: make a suite from the files of another tool."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from monitor.cli.terminal import AsJson, finish, perform
from monitor.errors import SuiteError

if TYPE_CHECKING:
    from monitor.cli.result import Result
    from monitor.suites.formats.collection import Collection, Format, Sources

FORMATS = "beir, trec, jsonl, squad, ragas, elasticsearch or csv"
IMPORTED = "beir, trec, smart, jsonl, squad, ragas, elasticsearch, csv or table"


def suite_import(
    source: Annotated[Path, typer.Argument(help="A file or folder of another tool.")],
    folder: Annotated[Path, typer.Argument(metavar="DEST", help="The suite to write; must not exist.")],
    format_name: Annotated[
        str | None, typer.Option("--format", help=f"{IMPORTED}; by default recognised from the source.")
    ] = None,
    axis: Annotated[
        Literal["broad", "compositional"] | None,
        typer.Option(help="The axis; by default that of the source, or broad."),
    ] = None,
    stratum: Annotated[str, typer.Option(help="The stratum of queries that have none.")] = "",
    name: Annotated[str, typer.Option(help="The name; by default that of the source or of DEST.")] = "",
    qrels: Annotated[Path | None, typer.Option(help="The judgements, if they are a separate file.")] = None,
    corpus: Annotated[
        Path | None,
        typer.Option(help="The documents: JSON Lines, CSV, TSV, Parquet, TREC, SMART, or a folder of such files."),
    ] = None,
    columns: Annotated[
        str, typer.Option("--map", help="Columns of a table, such as query=question,relevant=doc_ids.")
    ] = "",
    ignore_unknown: Annotated[
        bool,
        typer.Option(
            "--ignore-unknown",
            help="Leave out judgements of unknown queries and documents, and queries without a relevant document.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make a suite from the files of another tool."""
    from monitor.suites.formats.collection import Sources
    from monitor.suites.formats.table import parse_mapping

    head = SuiteHead(name, axis, stratum)
    sources = Sources(source, qrels, corpus, parse_mapping(columns), ignore_unknown)
    finish(perform(import_suite(sources, folder, format_name, head)), as_json)


@dataclass(frozen=True, slots=True)
class SuiteHead:
    """The name, axis and stratum that the user gives; empty values come from the source."""

    name: str = ""
    axis: str | None = None
    stratum: str = ""


async def import_suite(sources: Sources, folder: Path, format_name: str | None, head: SuiteHead) -> Result:
    """Make a suite from the files of another tool."""
    from monitor.cli.collection_report import report_collection
    from monitor.suites import formats
    from monitor.suites.formats import beir
    from monitor.suites.formats.collection import Destination
    from monitor.suites.formats.placement import placed_at

    requested_format = format_name or ("table" if sources.columns else "")
    source_format = formats.find(requested_format) if requested_format else formats.guess(sources.source)
    _refuse_needless_sources(source_format, sources)
    collection = _with_head(source_format.read(sources), source_format, sources.source, folder, head)
    with placed_at(folder) as unfinished:
        beir.write(collection, Destination(unfinished))
        _check(unfinished, sources.source)
    data = {
        "format": source_format.name,
        "guessed": not requested_format,
        "source": str(sources.source),
        "suite": str(folder),
    }
    origin = source_format.name if requested_format else f"{source_format.name}, recognised from its content"
    headline = f"{folder}: suite {collection.head['name']}, imported from {sources.source} ({origin})"
    return report_collection(headline, collection, data, {"skipped": collection.skipped})


def _refuse_needless_sources(source_format: Format, sources: Sources) -> None:
    if sources.qrels and not source_format.takes_qrels:
        raise SuiteError("--qrels", f"the format {source_format.name} contains its own judgements")
    if sources.corpus and not source_format.takes_corpus:
        raise SuiteError("--corpus", f"the format {source_format.name} contains its own documents")
    if sources.columns and not source_format.takes_columns:
        raise SuiteError("--map", f"the format {source_format.name} has its own columns; use --format table")


def _with_head(
    collection: Collection, source_format: Format, source: Path, folder: Path, head: SuiteHead
) -> Collection:
    default = {"name": folder.name, "version": "1", "source": f"{source_format.name}: {source.name}"}
    fields = dict(collection.head) or default
    if head.name:
        fields["name"] = head.name
    fields["axis"] = str(head.axis or fields.get("axis", "broad"))
    topics = tuple(replace(topic, stratum=topic.stratum or head.stratum) for topic in collection.topics)
    return replace(collection, topics=topics, head=fields)


def _check(unfinished: Path, source: Path) -> None:
    """Refuse a result that cannot be read as a suite; the error names the source."""
    import os

    from monitor.suites.reading import read_suite

    try:
        read_suite(unfinished)
    except SuiteError as error:
        file = os.path.relpath(error.where, unfinished)
        raise SuiteError(str(source), f"cannot become a suite: {file}: {error.problem}") from error
