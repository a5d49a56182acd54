"""Review of generated queries: a person accepts or rejects each one, and the accepted ones become a suite.

`review.tsv` beside `queries.jsonl` has one line per query; the reviewer writes yes or no into the column `accept`. A
suite with this file counts as unreviewed.
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
    """One query as the reviewer sees it."""

    query_id: str
    stratum: str
    query: str
    relevant: str
    not_relevant: str


def write(folder: Path, lines: Iterable[Line]) -> None:
    """Write the file for the reviewer to fill in."""
    rows = ("\t".join(map(_in_one_line, (line.query_id, "", *line[1:]))) for line in lines)
    write_lines(folder / FILE, [HEADER, *rows])


def unreviewed(folder: Path) -> Iterator[Finding]:
    """The lint finding for a suite without review."""
    if os.path.lexists(folder / FILE):
        problem = "the queries are generated and not yet reviewed"
        remedy = f"fill in the column accept of {FILE}, then run recallwatch suite review"
        yield Finding(severity=Severity.WARNING, rule="unreviewed", where=FILE, text=problem, remedy=remedy)


def read(path: Path) -> dict[str, bool]:
    """The decision for each query. Raises SuiteError for a line without yes or no."""
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
            raise SuiteError(where, f"duplicate line for query {query_id}")
        decisions[query_id] = decision
    return decisions


def keep_accepted(folder: Path, review: Path, unfinished: Path) -> tuple[int, int]:
    """Write the suite of accepted queries. Returns the number accepted and the number rejected."""
    decisions = read(review)
    queries = [(where, row, str(row.get("_id"))) for where, row in read_lines(folder / "queries.jsonl")]
    _refuse_unmatched(decisions, {query_id for _, _, query_id in queries}, review)
    accepted = {query_id for query_id, is_accepted in decisions.items() if is_accepted}
    if not accepted:
        raise SuiteError(str(review), "no query is accepted; a suite needs at least one")
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
        header, *judgements = (line for _, line in read_text(qrels))
        accepted_lines = [line for line in judgements if line.split("\t")[0] in accepted]
        if accepted_lines or not os.path.lexists(folder / "passages.jsonl"):
            write_lines(unfinished / "qrels" / "test.tsv", [header, *accepted_lines])
    for name in ("passages.jsonl", "pairs.jsonl"):
        if os.path.lexists(folder / name):
            rows = [row for _, row in read_lines(folder / name) if row.get("query_id") in accepted]
            for row in rows:
                if row.get("mirror") not in accepted:  # the mirror was rejected
                    row.pop("mirror", None)
            if rows:
                write_rows(unfinished / name, rows)


def _refuse_unmatched(decisions: dict[str, bool], query_ids: set[str], review: Path) -> None:
    for query_id in decisions.keys() - query_ids:
        raise SuiteError(str(review), f"unknown query {query_id}: it is not in queries.jsonl")
    for query_id in sorted(query_ids - decisions.keys()):
        raise SuiteError(str(review), f"query {query_id} has no line: write yes or no for every query")


def _in_one_line(text: str) -> str:
    return " ".join(text.split())
