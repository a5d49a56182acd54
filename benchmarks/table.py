"""Print results as a terminal table, or as a page of the documentation."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.table import Table

from benchmarks.result import Result

HEADINGS = ("subject", "unit", "recallwatch", "peer", "its number", "ratio", "goal", "met", "its inputs built in")
_RIGHT = {"recallwatch", "its number", "ratio", "its inputs built in"}

PROSE = """\
# Benchmarks

Written by `python -m benchmarks --write`; `make bench` measures again and prints the same table. Every number is
from one run: {when}, {machine}, Python {python}.

{table}

Each time is the median of three after a warm-up. Rounds of recallwatch and its peer alternate. Absolute times
depend on the machine; compare the ratios.

- **Measures**: recall@5, recall@10, mrr@10, ndcg@10 and success@5, from rankings and judgements with string ids in
  memory. The benchmark stops unless the means equal those of pytrec_eval to 1e-12. The time that a peer needs to
  build its own inputs is in the last column and not part of the ratio. ranx was compiled before it was timed and
  uses all processors; recallwatch and pytrec_eval use one.
- **Labelling**: one to three judged passages for each query, matched in rankings of chunks of 400 characters,
  including the states of the labels: by the positions of the chunks, and by the words of their texts, which happens
  while probing.
- **Storing**: outcomes into an embedded PostgreSQL, in transactions of 10,000: 1,000,000 by the store, as blocks of
  references to rankings of which each occurs a hundred times; 100,000 by executemany into a table with a row for each
  outcome, with dictionaries that were built beforehand.
- **Probing**: a server in another process on the same machine answers at once with 100 hits; the clients share the
  processors with it. The peers run on the same event loop (uvloop) and only parse the answers; recallwatch also
  validates them and measures each latency. pyreqwest works in threads beside the loop and can use both processors.
- **Whole cycle**: 5,000 queries in five strata are replayed, stored in an embedded PostgreSQL, measured, tested for
  a swap, and compared with a baseline by 9,999 sign flips of 5,000 clusters; the time is divided by that of the
  replay alone. Peak memory is that of the process without PostgreSQL. The server answers at once; with a slower
  retriever the ratio approaches 1.
- **Deciding**: joint sign flips and step-down max-T of both tails over 20 strata and the whole, with every cluster
  changed in every measure; one p-value of 10,000 queries against SciPy's `permutation_test` with as many flips as
  recallwatch's default, after a comparison of their results; and `compare` and `judge` over 20 suites of five
  strata and four measures.
- **Delivering**: 10,000 alerts of as many incidents from the outbox of an embedded PostgreSQL to a webhook in the
  same process, which answers each signed message after 5 ms; then fifty alerts one by one, each from its commit to
  its arrival.
- **Scraping**: a daemon in its own process exports 200 targets × 30 strata × 6 measures, each with its baseline,
  difference, interval and detectable effect; the time until the last byte arrives, and the peak of the daemon's
  memory above that before its first cycle.
- **Fleet**: 200 targets of 20 queries, each on a schedule of 20 s, through the scheduler, the rate limit and an
  embedded PostgreSQL; five of them accept every query and never answer. The lag is the time from when a cycle was
  due to its start, also if the previous cycle was still running; the cycles of the five stuck targets are left out.
- **Fingerprinting**: the canaries of 1,000 queries are examined and stored, relative to a cycle without them:
  LanceDB with an index of 20,000 vectors, searched exactly for each canary, and an embedder that answers at once.
"""


def cells(result: Result) -> tuple[str, ...]:
    """One line of the table, as text."""
    return (
        result.subject,
        result.unit,
        _number(result.ours),
        result.peer,
        _number(result.theirs),
        f"{result.ratio:.2f} ×" if result.ratio is not None else "",
        result.goal_text,
        {None: "", True: "yes", False: "no"}[result.met],
        f"{result.building_s:.1f} s" if result.building_s is not None else "",
    )


def table(results: Sequence[Result]) -> Table:
    """The results for a terminal."""
    terminal_table = Table(title="recallwatch against its peers")
    for heading in HEADINGS:
        terminal_table.add_column(heading, justify="right" if heading in _RIGHT else "left")
    for result in results:
        terminal_table.add_row(*cells(result), style="red" if result.met is False else None)
    return terminal_table


def page(results: Sequence[Result]) -> str:
    """The results as a page of Markdown."""
    lines = [HEADINGS, tuple("--:" if each in _RIGHT else "---" for each in HEADINGS), *map(cells, results)]
    return PROSE.format(
        when=f"{datetime.now(UTC):%Y-%m-%d}",
        machine=f"{os.cpu_count()} processors ({_processor()})",
        python=platform.python_version(),
        table="\n".join(f"| {' | '.join(line)} |" for line in lines),
    )


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
