"""Formats for importing and exporting suites: one module and one line each."""

from __future__ import annotations

from pathlib import Path

from monitor.errors import SuiteError
from monitor.suites.formats import beir, cases, quepid, ragas, rank_eval, smart, squad, table, trec
from monitor.suites.formats.collection import Format

FORMATS: dict[str, Format] = {
    module.FORMAT.name: module.FORMAT for module in (beir, trec, cases, squad, ragas, rank_eval, quepid, smart, table)
}


def find(name: str) -> Format:
    """The format with a name. Raises SuiteError with the known names."""
    if name not in FORMATS:
        raise SuiteError("--format", f"unknown format {name}; known formats: {', '.join(FORMATS)}")
    return FORMATS[name]


def guess(source: Path) -> Format:
    """The only format that recognises a source. Raises SuiteError with the known names if there is not exactly one."""
    candidates = [candidate for candidate in FORMATS.values() if candidate.recognises(source)]
    if not source.exists():
        raise SuiteError(str(source), "no such file or folder")
    if len(candidates) != 1:
        raise SuiteError(str(source), f"its format is ambiguous; set --format to one of {', '.join(FORMATS)}")
    return candidates[0]
