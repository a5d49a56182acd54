"""Records of the SMART collections (Cranfield, CISI, CACM, MED): `.I 1`, then sections such as `.T` and `.W`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from monitor.errors import SuiteError
from monitor.suites.formats.source_files import published_lines

_RECORD = re.compile(r"\.I\s+(\d+)\s*")
_SECTION = re.compile(r"\.([A-Z])(?:\s+(.*))?")


def records(path: Path) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Place, number without leading zeros, and sections of each record; white space is folded."""
    place, number, section = "", "", ""
    texts: dict[str, list[str]] = {}
    for where, line in published_lines(path):
        if match := _RECORD.fullmatch(line.strip()):
            if number:
                yield place, number, _folded(texts)
            place, number, section, texts = where, str(int(match[1])), "", {}
        elif not number:
            raise SuiteError(where, "is outside of a record; a record starts with .I and its number")
        elif match := _SECTION.fullmatch(line):
            section = match[1]
            texts.setdefault(section, []).append(match[2] or "")
        else:
            texts.setdefault(section, []).append(line)
    if number:
        yield place, number, _folded(texts)


def _folded(texts: dict[str, list[str]]) -> dict[str, str]:
    return {section: " ".join(" ".join(lines).split()) for section, lines in texts.items()}
