"""One section of the study's page, written without computing the others."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from benchmarks.study.table import Table, markdown

PAGE = Path(__file__).resolve().parents[2] / "docs" / "statistics-study.md"


def write_section(tables: Sequence[Table], *, mark: str) -> None:
    """Put the tables in the place of those whose headings hold ``mark``, keeping the rest of the page."""
    parts = re.split(r"(?m)^(?=## )", PAGE.read_text(encoding="utf-8"))
    old = [number for number, part in enumerate(parts) if mark in part.partition("\n")[0]]
    kept = [part for number, part in enumerate(parts) if number not in old]
    section = "\n".join(map(markdown, tables)) + "\n"
    PAGE.write_text("".join([*kept[: old[0]], section, *kept[old[0] :]]), encoding="utf-8")
