"""Run the benchmarks and print their results: ``python -m benchmarks [--json] [--write] [subject …]``."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from rich.console import Console

from benchmarks.growth.page import stored_part
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
    "unchanged",
    "fleet",
    "fingerprinting",
)
PAGE = Path(__file__).resolve().parent.parent / "docs" / "benchmarks.md"


def run(subject: str) -> list[Result]:
    """The results of one subject. It runs in a new process, so that memory and threads are not shared."""
    process = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{subject}"], stdout=subprocess.PIPE, text=True, check=True
    )
    return load(process.stdout)


def main() -> None:
    """Parse the command line, run the benchmarks, print the results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Ratios against peers, from one run.")
    parser.add_argument("subject", nargs="*", help=f"any of {', '.join(SUBJECTS)}; default: all")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--write", action="store_true", help=f"also write docs/{PAGE.name}; needs all subjects")
    options = parser.parse_args()
    if unknown := set(options.subject) - set(SUBJECTS):
        parser.error(f"unknown subject {', '.join(sorted(unknown))}; known subjects: {', '.join(SUBJECTS)}")
    if options.write and options.subject:
        parser.error("--write needs all subjects: a page of numbers from several runs would mislead")
    results = [result for subject in options.subject or SUBJECTS for result in run(subject)]
    if options.write:
        PAGE.write_text(page(results) + stored_part(), encoding="utf-8")
    if options.json:
        print(dump(results))
    else:
        Console(width=None if sys.stdout.isatty() else 170).print(table(results))


if __name__ == "__main__":
    main()
