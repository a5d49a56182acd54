"""The file in which a person accepts or rejects each generated query, and the suite of those that were accepted.

`review.tsv` beside `queries.jsonl` has one line a query; somebody writes yes or no into its column `accept`. As long as
the file is there, the suite is not reviewed.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from monitor.errors import SuiteError
from monitor.suites.formats.placement import write_lines, write_rows
from monitor.suites.lines import read_lines, read_text
from monitor.suites.linting import Finding, Severity

FILE = "review.tsv"
HEADER = "query_id\taccept\tstratum\tquery\trelevant\tnot_relevant"
_DECISIONS = {"yes": True, "no": False}


class Line(NamedTuple):
    """What a reviewer sees of one query."""

    query_id: str
    stratum: str
    query: str
    relevant: str
    not_relevant: str


def write(folder: Path, lines: Iterable[Line]) -> None:
    """Write the file that is to be filled in."""
    rows = ("\t".join(map(_in_one_line, (line.query_id, "", *line[1:]))) for line in lines)
    write_lines(folder / FILE, [HEADER, *rows])


def unreviewed(folder: Path) -> Iterator[Finding]:
    """What a lint says about a suite that nobody has reviewed."""
    if os.path.lexists(folder / FILE):
        told = "the queries were generated, and nobody has said yet which of them are good"
        remedy = f"fill in the column accept of {FILE}, then run recallwatch suite review"
        yield Finding(Severity.WARNING, "unreviewed", FILE, told, remedy)


def read(path: Path) -> dict[str, bool]:
    """Whether each query was accepted. Raises SuiteError where a line does not say yes or no."""
    decisions: dict[str, bool] = {}
    lines = read_text(path)
    where, header = next(lines, (str(path), ""))
    if header.split("\t")[:2] != HEADER.split("\t")[:2]:
        raise SuiteError(where, f"the first line must be the header: {HEADER.replace(chr(9), ' <tab> ')}")
    for where, line in lines:
        query_id, accept, *_ = *line.split("\t"), "", ""
        decision = _DECISIONS.get(accept.strip().lower())
        if decision is None:
            raise SuiteError(where, f"accept is {accept.strip()!r}; write yes or no")
        if query_id in decisions:
            raise SuiteError(where, f"query {query_id} has a line already")
        decisions[query_id] = decision
    return decisions


def keep_accepted(folder: Path, review: Path, unfinished: Path) -> tuple[int, int]:
    """Write the suite of the accepted queries. Returns how many were accepted and how many rejected."""
    decisions = read(review)
    queries = [(where, row, str(row.get("_id"))) for where, row in read_lines(folder / "queries.jsonl")]
    _refuse_unmatched(decisions, {query_id for _, _, query_id in queries}, review)
    accepted = {query_id for query_id, is_accepted in decisions.items() if is_accepted}
    if not accepted:
        raise SuiteError(str(review), "no query is accepted: there is no suite without queries")
    unfinished.mkdir()
    for name in ("suite.yaml", "corpus.jsonl"):
        if os.path.lexists(folder / name):
            shutil.copyfile(folder / name, unfinished / name)
    write_rows(unfinished / "queries.jsonl", (row for _, row, query_id in queries if query_id in accepted))
    _keep_judgements(folder, unfinished, accepted)
    return len(accepted), len(decisions) - len(accepted)


def _keep_judgements(folder: Path, unfinished: Path, accepted: set[str]) -> None:
    qrels = folder / "qrels" / "test.tsv"
    if os.path.lexists(qrels):
        (unfinished / "qrels").mkdir()
        header, *judged = (line for _, line in read_text(qrels))
        kept = [line for line in judged if line.split("\t")[0] in accepted]
        if kept or not os.path.lexists(folder / "passages.jsonl"):
            write_lines(unfinished / "qrels" / "test.tsv", [header, *kept])
    for name in ("passages.jsonl", "pairs.jsonl"):
        if os.path.lexists(folder / name):
            rows = [row for _, row in read_lines(folder / name) if row.get("query_id") in accepted]
            for row in rows:
                if row.get("mirror") not in accepted:  # a mirror that was rejected mirrors nothing
                    row.pop("mirror", None)
            if rows:
                write_rows(unfinished / name, rows)


def _refuse_unmatched(decisions: dict[str, bool], query_ids: set[str], review: Path) -> None:
    for query_id in decisions.keys() - query_ids:
        raise SuiteError(str(review), f"unknown query {query_id}: it is not in queries.jsonl")
    for query_id in sorted(query_ids - decisions.keys()):
        raise SuiteError(str(review), f"query {query_id} has no line: write yes or no for each")


def _in_one_line(text: str) -> str:
    return " ".join(text.split())
