"""The formats that suites are imported from and exported to: one file each, and one line here."""

from __future__ import annotations

from pathlib import Path

from monitor.errors import SuiteError
from monitor.suites.formats import beir, cases, quepid, ragas, rank_eval, squad, trec
from monitor.suites.formats.collection import Format

FORMATS: dict[str, Format] = {
    module.FORMAT.name: module.FORMAT for module in (beir, trec, cases, squad, ragas, rank_eval, quepid)
}


def find(name: str) -> Format:
    """The format of a name. Raises SuiteError listing those there are."""
    if name not in FORMATS:
        raise SuiteError("--format", f"no format is called {name}; there are: {', '.join(FORMATS)}")
    return FORMATS[name]


def guess(source: Path) -> Format:
    """The format of a source, where it can be no other. Raises SuiteError listing those there are."""
    found = [each for each in FORMATS.values() if each.recognises(source)]
    if not source.exists():
        raise SuiteError(str(source), "no such file or folder")
    if len(found) != 1:
        raise SuiteError(str(source), f"its format is not certain; say --format and one of {', '.join(FORMATS)}")
    return found[0]
