"""Run the validity study: ``python -m benchmarks.validity [--quick] [--write] [--threads N]``."""

from __future__ import annotations

import argparse
import itertools
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.public_data import public_data
from benchmarks.timing import say
from benchmarks.validity.compression import compressed, pruned, wrongly_pooled
from benchmarks.validity.evaluation_sets import Encode
from benchmarks.validity.finetuning import Recipe
from benchmarks.validity.models import Model, adapter_texts, adapters, fine_tuned, int8_twin, static, untouched
from benchmarks.validity.page import page, text
from benchmarks.validity.scatter import scatter
from benchmarks.validity.scores import read_evaluation_sets
from benchmarks.validity.study import refuse_leaks, study
from monitor.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]
SETS = ("xquad-en", "pubmedqa", "sugarcrepe-pp")
PAGE, PICTURE = ROOT / "docs" / "validity.md", ROOT / "docs" / "validity.svg"
STEPS, SEEDS = (10, 30, 60, 100, 300, 1_000), (1, 2)
RECIPES = (Recipe(), Recipe(steps=(10, 200), seed=4))
"""The second recipe repeats the training with other step counts and other sentences."""


def models(base: Encode, folder: Path, *, threads: int, quick: bool) -> Iterator[Model]:
    """All swaps of the study; only a few with ``quick``."""
    weak = static(folder)
    yield int8_twin(folder, threads)
    if quick:
        yield from adapters(base, (10, 100), SEEDS[:1])
    else:
        yield from adapters(base, STEPS, SEEDS)
        for recipe in RECIPES:
            yield from fine_tuned(recipe, folder)
        yield from pruned(folder)
        yield wrongly_pooled(folder)
    yield weak
    yield from compressed(base, weak)


def main() -> None:
    """Parse the command line, run the study and print it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.validity", description="Suites against public data.")
    parser.add_argument("--quick", action="store_true", help="few swaps, an eighth of the triplets")
    parser.add_argument("--write", action="store_true", help=f"also write docs/{PAGE.name} and docs/{PICTURE.name}")
    parser.add_argument("--threads", type=int, default=1, help="more threads than idle processors make it slower")
    options = parser.parse_args()
    if options.quick and options.write:
        parser.error("--write needs the whole study")
    try:
        data = public_data(SETS)
    except ConfigError as error:
        parser.error(str(error))

    import torch

    torch.set_num_threads(options.threads)
    started = time.perf_counter()
    folder = Path(tempfile.gettempdir()) / "recallwatch-validity"
    folder.mkdir(exist_ok=True)
    say(f"vectors and weights are cached in {folder}")
    evaluation_sets = read_evaluation_sets(ROOT / "probes", data, every_triplet=8 if options.quick else 1)
    refuse_leaks(evaluation_sets, itertools.chain(adapter_texts(SEEDS), *(recipe.texts for recipe in RECIPES)))
    base = untouched(folder)
    findings = study(evaluation_sets, base, models(base, folder, threads=options.threads, quick=options.quick))
    say(f"done in {time.perf_counter() - started:.0f} s")
    if options.write:
        PAGE.write_text(page(findings), encoding="utf-8")
        PICTURE.write_text(scatter(findings), encoding="utf-8")
    print(text(findings))


if __name__ == "__main__":
    main()
