"""Run the benchmarks and show how they compare: ``python -m benchmarks [--json] [--write] [subject …]``."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from rich.console import Console

from benchmarks.result import Result, dump, load
from benchmarks.table import page, table

SUBJECTS = (
    "measures",
    "labelling",
    "storing",
    "probing",
    "cycle",
    "deciding",
    "delivering",
    "scraping",
    "linting",
    "answering",
    "fleet",
    "fingerprinting",
)
PAGE = Path(__file__).resolve().parent.parent / "docs" / "benchmarks.md"


def run(subject: str) -> list[Result]:
    """The results of one subject, from a process of its own: none inherits another's memory or threads."""
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{subject}"], stdout=subprocess.PIPE, text=True, check=True
    )
    return load(done.stdout)


def main() -> None:
    """Parse the command line, run, show."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Ratios against peers, from one run.")
    parser.add_argument("subject", nargs="*", help=f"any of {', '.join(SUBJECTS)}; all of them if none is named")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--write", action="store_true", help=f"also write docs/{PAGE.name}; needs all subjects")
    stated = parser.parse_args()
    if unknown := set(stated.subject) - set(SUBJECTS):
        parser.error(f"no subject is called {', '.join(sorted(unknown))}; there are: {', '.join(SUBJECTS)}")
    if stated.write and stated.subject:
        parser.error("--write needs all subjects: a page of numbers from several runs would mislead")
    results = [result for subject in stated.subject or SUBJECTS for result in run(subject)]
    if stated.write:
        PAGE.write_text(page(results), encoding="utf-8")
    if stated.json:
        print(dump(results))
    else:
        Console(width=None if sys.stdout.isatty() else 170).print(table(results))


if __name__ == "__main__":
    main()
