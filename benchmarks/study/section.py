"""One section of the study's page, written without computing the others."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from benchmarks.study.table import Table, markdown

PAGE = Path(__file__).resolve().parents[2] / "docs" / "statistics-study.md"


def write_section(tables: Sequence[Table], *, mark: str, after: str = "") -> None:
    """Replace the sections whose headings hold ``mark`` by the tables, and keep the rest of the page.

    The first time they follow the section whose heading holds ``after``. Raises ValueError without either.
    """
    parts = re.split(r"(?m)^(?=## )", PAGE.read_text(encoding="utf-8"))
    old = [number for number, part in enumerate(parts) if mark in part.partition("\n")[0]]
    kept = [part for number, part in enumerate(parts) if number not in old]
    before = [number + 1 for number, part in enumerate(kept) if after and after in part.partition("\n")[0]]
    if not old and not before:
        raise ValueError(f"no heading of {PAGE.name} holds {mark!r} or {after!r}")
    place = (old or before)[0]
    section = "\n".join(map(markdown, tables)) + "\n"
    PAGE.write_text("".join([*kept[:place], section, *kept[place:]]), encoding="utf-8")
