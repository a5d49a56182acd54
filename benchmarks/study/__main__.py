"""Simulate the decision procedure and show its tables: ``python -m benchmarks.study [--quick] [--write] [table …]``."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import platform
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.public_data import public_data
from benchmarks.study.table import Table, markdown
from benchmarks.study.tables import FIRST, TABLES, compute
from monitor.errors import ConfigError

PUBLIC = "real_swaps.real_swaps"
"""The table that needs public data."""
PAGE = Path(__file__).resolve().parents[2] / "docs" / "statistics-study.md"
PROSE = """\
# A study of the decision procedure

Written by `python -m benchmarks.study --write`{quick}, {when}, Python {python}. Every figure is simulated with the
functions that decide in production (`monitor.decision`), from fixed seeds; the specification's figure stands beside it.
The generator is `benchmarks/study/generator.py`: a document is found when the sum of a query's, a document's and a
deployment's own difficulty allows it; its parameters give the specification's σ_d / μ_b of 0.35 for recall@10 and 0.50
for MRR@10. Its other details are its own, so that figures near the specification's, not equal ones, are expected.

"""


def compute_all(names: Sequence[str], *, quick: bool) -> Iterator[tuple[str, list[Table]]]:
    """Yield each table as soon as it is computed."""
    planned = {name: TABLES[name][quick] for name in (*FIRST, *TABLES) if name in names and TABLES[name][quick]}
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # two processes share two processors
    started = time.monotonic()
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        waiting: dict[Future[list[Table]], str] = {
            pool.submit(compute, name, repetitions): name for name, repetitions in planned.items()
        }
        for n_done, future in enumerate(as_completed(waiting), start=1):
            seconds = time.monotonic() - started
            print(f"{n_done}/{len(waiting)} {waiting[future]} ({seconds:.0f} s)", file=sys.stderr, flush=True)
            yield waiting[future], future.result()


def page(results: Mapping[str, Sequence[Table]], *, quick: bool) -> str:
    """The tables as a page of Markdown, in the order of the specification."""
    head = PROSE.format(
        quick=" with `--quick`: too few repetitions to rely on" if quick else "",
        when=f"{datetime.now(UTC):%Y-%m-%d}",
        python=platform.python_version(),
    )
    return head + "\n".join(markdown(table) for name in TABLES for table in results.get(name, ()))


def main() -> None:
    """Parse the command line, simulate, show."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.study", description="Tables of the decision procedure.")
    parser.add_argument("table", nargs="*", help=f"any of {', '.join(TABLES)}; default: all")
    parser.add_argument("--quick", action="store_true", help="few repetitions, about a minute")
    parser.add_argument("--write", action="store_true", help=f"also write docs/{PAGE.name}; needs all tables")
    options = parser.parse_args()
    if unknown := set(options.table) - set(TABLES):
        parser.error(f"unknown table {', '.join(sorted(unknown))}; known tables: {', '.join(TABLES)}")
    if options.write and options.table:
        parser.error("--write needs all tables")
    names = options.table or list(TABLES)
    if PUBLIC in names and TABLES[PUBLIC][options.quick]:
        from benchmarks.study.real_swaps import SETS

        try:
            public_data(SETS)
        except ConfigError as error:
            parser.error(f"{error}; {PUBLIC} needs it")
    results: dict[str, list[Table]] = {}
    for name, tables in compute_all(names, quick=options.quick):
        results[name] = tables
        if options.write:  # after each table, so that an interrupted study keeps its results
            PAGE.write_text(page(results, quick=options.quick), encoding="utf-8")
    print(page(results, quick=options.quick))


if __name__ == "__main__":
    main()
