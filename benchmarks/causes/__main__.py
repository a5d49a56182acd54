"""Test whether causes are named correctly: ``python -m benchmarks.causes [--quick] [--write]``."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from benchmarks.causes.corpus import load
from benchmarks.causes.page import page
from benchmarks.causes.trials import CHANGES, Bench, Trial, null_cycle, paragraphs, trial

PAGE = Path(__file__).resolve().parents[2] / "docs" / "causes.md"
CACHE = Path(tempfile.gettempdir()) / "recallwatch-causes"
SEED = 4_000_000
TRIALS, NULLS = (100, 10), (1_000, 50)
"""For each cause, and cycles in which nothing changes; in full and with --quick."""


def main() -> None:
    """Parse the command line, run the trials, print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.causes", description="Whether causes are named right.")
    parser.add_argument("--quick", action="store_true", help="few trials: too few to rely on")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.parent.name}/{PAGE.name}")
    parser.add_argument("--cache", type=Path, default=CACHE, help="folder for vectors that are computed once")
    options = parser.parse_args()
    bench, quick = Bench(load(options.cache)), int(options.quick)
    started = time.perf_counter()
    trials = [trial(bench, cause, SEED + seed) for cause in CHANGES for seed in _counted(range(TRIALS[quick]), cause)]
    nulls = [null_cycle(bench, SEED + seed) for seed in _counted(range(NULLS[quick]), "null cycles")]
    print(f"{len(trials) + len(nulls)} trials in {time.perf_counter() - started:.0f} s", file=sys.stderr)
    text = page(trials, nulls, paragraphs(bench), seed=SEED, quick=options.quick)
    if options.write:
        PAGE.write_text(text, encoding="utf-8")
    print(text)
    raise SystemExit(bool(_raised(nulls)))


def _counted(seeds: Sequence[int], what: str) -> Iterable[int]:
    print(what, file=sys.stderr, flush=True)
    return seeds


def _raised(nulls: Sequence[Trial]) -> int:
    return sum(each.name.is_swap for null in nulls for each in null.causes)


if __name__ == "__main__":
    main()
