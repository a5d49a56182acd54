"""Per-query differences of real swaps, sampled as suites with strata.

all-MiniLM-L6-v2 with exact search over the built-in broad suite (12 strata) and, where ``RECALLWATCH_PUBLIC_DATA``
names their folder, xquad-en and pubmedqa, whose clusters are dealt to 12 strata at random. Vectors are cached in
``build/study``; the first run embeds some 7,000 texts, which takes minutes.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.study import real_swaps
from benchmarks.study.strata import N_STRATA, axis_of, stratum_of
from monitor.adapters.retrievers.local import BUNDLED_MODEL, load_model
from monitor.demo.near_misses import near_misses
from monitor.demo.tuning import Vectors, apply, tune
from monitor.model.measurements import Floats
from monitor.statistics.pairing import Paired
from monitor.suites.locating import built_in_probes
from monitor.suites.reading import read_corpus, read_suite

CACHE = Path(__file__).resolve().parents[2] / "build" / "study"
BROKEN = "first 32 dimensions"
"""The swap that takes the place of one stratum's results."""
_DIMENSIONS, _STEPS = (256, 128, 32), (30, 100)


@dataclass(frozen=True, slots=True)
class Population:
    """The queries of one suite before and after one swap, to sample clusters from."""

    before: Mapping[str, Floats]
    """Values per query by measure."""
    after: Mapping[str, Floats]
    clusters: Sequence[Sequence[NDArray[np.intp]]]
    """For each stratum, the queries of each cluster."""

    def relative_changes(self, measure: str) -> tuple[float, float, float]:
        """True relative changes of the axis, of the stratum that lost most and of the first; strata weigh alike."""
        before, after = (
            np.array([np.mean([values[rows].mean() for rows in stratum]) for stratum in self.clusters])
            for values in (self.before[measure], self.after[measure])
        )
        changes = after / before - 1.0
        return float(after.mean() / before.mean() - 1.0), float(changes.min()), float(changes[0])


def populations() -> dict[tuple[str, str], Population]:
    """A population for each suite and swap."""
    found: dict[tuple[str, str], Population] = {}
    folders = [built_in_probes() / "broad"]
    if public := os.environ.get("RECALLWATCH_PUBLIC_DATA"):
        folders += [Path(public) / name for name in real_swaps.SETS]
    matrices = _adapters()
    for folder in folders:
        suite, documents = read_suite(folder), list(read_corpus(folder))
        texts = [*(each.full_text for each in documents), *(query.text for query in suite.queries)]
        ids = tuple(each.doc_id for each in documents)
        of = real_swaps.Texts(suite, ids, slice(0, len(documents)), slice(len(documents), len(texts)))
        before = _cached(f"{folder.name}-float32", texts, _embed)
        values = _values(of, before)
        clusters = _clusters([(query.stratum, query.cluster) for query in suite.queries])
        for name, vectors in _candidates(folder.name, texts, before, matrices).items():
            found[folder.name, name] = Population(values, _values(of, vectors), clusters)
    return found


def sample(
    of: Population,
    n_clusters: int,
    rng: np.random.Generator,
    *,
    without_effect: bool = False,
    broken: Population | None = None,
) -> dict[str, tuple[list[Paired], Paired]]:
    """Strata and axis by measure, clusters drawn with replacement.

    ``without_effect`` exchanges before and after of each cluster by a coin, so that the true change is 0 and the
    differences are real. The first stratum is drawn from ``broken``, where there is one, as it is.
    """
    drawn = [_draw(stratum, n_clusters, rng) for stratum in of.clusters]
    coins = [rng.random(n_clusters) < (0.5 if without_effect else 0.0) for _ in drawn]
    result = {}
    for measure in of.before:
        strata = []
        for number, ((rows, cluster), exchanged) in enumerate(zip(drawn, coins, strict=True)):
            if broken and number == 0:
                before, after = broken.before[measure][rows], broken.after[measure][rows]
            else:
                before, after = of.before[measure][rows], of.after[measure][rows]
                before, after = np.where(exchanged[cluster], (after, before), (before, after))
            strata.append(stratum_of(f"stratum {number}", measure, before, after, cluster))
        result[measure] = strata, axis_of(strata)
    return result


def _draw(
    stratum: Sequence[NDArray[np.intp]], n_clusters: int, rng: np.random.Generator
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    chosen = [stratum[number] for number in rng.integers(len(stratum), size=n_clusters)]
    return np.concatenate(chosen), np.repeat(np.arange(n_clusters), [len(rows) for rows in chosen])


def _clusters(names: Sequence[tuple[str, str]]) -> list[list[NDArray[np.intp]]]:
    """The queries of each cluster by stratum; clusters of a suite without strata are dealt to twelve."""
    rows: dict[tuple[str, str], list[int]] = {}
    for number, name in enumerate(names):
        rows.setdefault(name, []).append(number)
    strata = dict.fromkeys(stratum for stratum, _ in rows)
    groups = [[np.array(of) for (stratum, _), of in rows.items() if stratum == name] for name in strata]
    if len(groups) > 1:
        return groups
    order = np.random.default_rng(0).permutation(len(groups[0]))
    return [[groups[0][number] for number in part] for part in np.array_split(order, N_STRATA)]


def _candidates(
    name: str, texts: Sequence[str], before: Vectors, matrices: Mapping[str, Vectors]
) -> dict[str, Vectors]:
    found = {
        "float16 vectors": before.astype(np.float16).astype(np.float32),
        real_swaps.INT8: _cached(f"{name}-int8", texts, lambda texts: real_swaps._int8(texts, before)[0]),
    }
    for count in _DIMENSIONS:
        kept = before[:, :count]
        found[f"first {count} dimensions"] = kept / np.linalg.norm(kept, axis=1, keepdims=True)
    return found | {swap: apply(matrix, before) for swap, matrix in matrices.items()}


def _adapters() -> dict[str, Vectors]:
    sentences, misses = zip(*near_misses(2_500, seed=0), strict=True)
    one, other = _cached("sentences", sentences, _embed), _cached("near-misses", misses, _embed)
    return {f"adapter, {steps} steps": tune(one, other, steps=steps, seed=0).matrix for steps in _STEPS}


def _values(of: real_swaps.Texts, vectors: Vectors) -> dict[str, Floats]:
    measured = real_swaps._measured(of, vectors, "run")
    return {name: each.values for name, each in measured.measurements.items()}


def _embed(texts: Sequence[str]) -> Vectors:
    return real_swaps._embed(load_model(BUNDLED_MODEL), texts)


def _cached(name: str, texts: Sequence[str], embed: Callable[[Sequence[str]], Vectors]) -> Vectors:
    """Vectors from ``build/study``, embedded the first time."""
    digest = hashlib.sha256("\x1f".join(texts).encode()).hexdigest()[:16]
    path = CACHE / f"{name}-{digest}.npy"
    if not path.is_file():
        CACHE.mkdir(parents=True, exist_ok=True)
        np.save(path, embed(texts))
    return np.asarray(np.load(path), dtype=np.float32)
