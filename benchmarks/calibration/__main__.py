"""Calibrate the broad suite: ``python -m benchmarks.calibration [--late-interaction] [--verdicts] [--write]``."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from benchmarks.calibration.page import Row, page, plot
from benchmarks.calibration.swaps import Swap, swaps
from benchmarks.calibration.tokens import token_vectors
from benchmarks.public_data import public_data
from benchmarks.systems.dense import Dense
from benchmarks.systems.system import System, measure_system
from benchmarks.timing import say
from benchmarks.validity.evaluation_sets import EvaluationSet, read_evaluation_set
from benchmarks.validity.models import untouched
from benchmarks.validity.study import SEED
from monitor.decision.verdict import weigh
from monitor.errors import ConfigError
from monitor.evaluation.scoring import stratum_means
from monitor.model.measurements import Measured
from monitor.model.policies import Policy
from monitor.model.results import SuiteResult
from monitor.suites.locating import built_in_probes

ROOT = Path(__file__).resolve().parents[2]
PUBLIC = ("xquad-en", "pubmedqa")
JUDGED = frozenset({"lexical", "hybrid", "reranker", "MaxSim", "quantisation"})
"""Families whose verdict on both built-in suites is published, too."""
LEADING = "ndcg@10"


def rows(sets: Sequence[EvaluationSet], base: System, every: Iterable[Swap], *, verdicts: bool) -> Iterator[Row]:
    """The changes under each swap. The sets are the broad suite, the public sets, and the compositional suite."""
    before = [measure_system(each, base) for each in (sets if verdicts else sets[:-1])]
    means = [_means(each) for each in before]
    public = tuple(each["overall"] for each in means[1:3])
    yield Row(name="(baseline)", family="", broad=means[0]["overall"], public=public, strata=means[0], verdict="")
    for swap in every:
        judged = verdicts and swap.family in JUDGED
        after = [measure_system(each, swap.system) for each in (sets if judged else sets[:-1])]
        now = [_means(each) for each in after]
        change = {name: value - means[0][name] for name, value in now[0].items()}
        public = tuple(new["overall"] - old["overall"] for new, old in zip(now[1:3], means[1:3], strict=True))
        verdict = _verdict((before[0], before[3]), (after[0], after[3])) if judged else ""
        say(
            f"{swap.name}: broad {100 * change['overall']:+.1f}, public {[f'{100 * x:+.1f}' for x in public]} {verdict}"
        )
        yield Row(
            name=swap.name,
            family=swap.family,
            broad=change["overall"],
            public=public,
            strata=change,
            verdict=verdict,
        )


def _means(measured: Measured) -> dict[str, float]:
    return {stratum: mean for stratum, name, mean in stratum_means(measured) if name == LEADING}


def _verdict(before: Sequence[Measured], after: Sequence[Measured]) -> str:
    results = [SuiteResult(measured=now, baseline=then) for then, now in zip(before, after, strict=True)]
    return str(weigh(results, Policy(), SEED, may_page=True, causes={}).judgement.name)


def main() -> None:
    """Parse the command line, measure, and print or write the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.calibration", description="The broad suite calibrated.")
    parser.add_argument("--late-interaction", action="store_true", help="also MaxSim, which embeds every token")
    parser.add_argument("--verdicts", action="store_true", help="also judge lexical, hybrid and reranked swaps")
    parser.add_argument("--write", action="store_true", help="write docs/calibration.md and docs/calibration.svg")
    parser.add_argument("--quick", action="store_true", help="without adapters, which embed 10,000 more sentences")
    options = parser.parse_args()
    try:
        data = public_data(PUBLIC)
    except ConfigError as error:
        parser.error(str(error))
    folder = Path(tempfile.gettempdir()) / "recallwatch-validity"
    folder.mkdir(exist_ok=True)
    base = untouched(folder)
    tokens = token_vectors() if options.late_interaction else None
    folders = [built_in_probes() / "broad", *(data / name for name in PUBLIC), built_in_probes() / "compositional"]
    sets = [read_evaluation_set(each) for each in folders]
    chosen = swaps(base, folder, tokens, with_adapters=not options.quick)
    table = list(rows(sets, Dense(base), chosen, verdicts=options.verdicts))
    if options.write:
        (ROOT / "docs" / "calibration.md").write_text(page(table), encoding="utf-8")
        (ROOT / "docs" / "calibration.svg").write_text(plot(table), encoding="utf-8")
    print(page(table))


if __name__ == "__main__":
    main()
