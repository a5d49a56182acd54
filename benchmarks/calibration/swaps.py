"""The swaps of the calibration: what replaces exact search with the untouched MiniLM. Fixed before any measurement."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.systems.dense import Dense, PartialSearch
from benchmarks.systems.fusion import ReciprocalRanks, WeightedSum
from benchmarks.systems.late_interaction import EncodeTokens, LateInteraction
from benchmarks.systems.lexical import Lexical
from benchmarks.systems.reranking import Reranked
from benchmarks.systems.system import System
from benchmarks.validity.compression import bits, first_dimensions
from benchmarks.validity.evaluation_sets import Encode, Vectors
from benchmarks.validity.models import adapters, static

DIMENSIONS = (256, 192, 128, 96, 64, 48, 32, 16)
WEIGHTS = (0.1, 0.2, 0.3, 0.5, 0.7, 0.9)
STEPS, SEEDS = (10, 30, 60, 100, 300), (1, 2)
CELLS = (1, 2, 4, 8)


@dataclass(frozen=True, slots=True)
class Swap:
    """A system in the place of exact dense search."""

    name: str
    family: str
    system: System


def swaps(base: Encode, folder: Path, tokens: EncodeTokens | None, *, with_adapters: bool = True) -> Iterator[Swap]:
    """Every swap; those with late interaction only if token vectors are given."""
    dense, words = Dense(base), Lexical()
    yield from _lexical_and_hybrid(dense, words)
    yield from _reranked(dense, words, tokens)
    for count in CELLS:
        yield Swap(f"search of {count} cells", "search effort", PartialSearch(base, count))
    for count in DIMENSIONS:
        yield Swap(f"first {count} dimensions", "truncation", Dense(_first(base, count)))
    yield Swap("one bit per dimension", "quantisation", Dense(lambda texts: bits(base(texts))))
    yield Swap("eight bits per dimension", "quantisation", Dense(lambda texts: eight_bits(base(texts))))
    weak = static(folder).encode
    yield Swap("static (wordllama)", "static", Dense(weak))
    yield Swap("static, first 64 dimensions", "static", Dense(_first(weak, 64)))
    yield Swap("RRF of static and BM25", "hybrid", ReciprocalRanks((Dense(weak), words)))
    yield Swap("static, reranked by MiniLM", "reranker", Reranked(Dense(weak), dense))
    yield Swap("prefix “query: ”", "prefix", Dense(base, prefix="query: "))
    for model in adapters(base, STEPS, SEEDS) if with_adapters else ():
        yield Swap(model.name, "adapter", Dense(model.encode))


def _lexical_and_hybrid(dense: Dense, words: Lexical) -> Iterator[Swap]:
    yield Swap("BM25", "lexical", words)
    yield Swap("BM25, k1 1.2, b 0.75", "lexical", Lexical(k1=1.2, b=0.75))
    for k in (10, 60):
        yield Swap(f"RRF of MiniLM and BM25, k {k}", "hybrid", ReciprocalRanks((dense, words), k))
    for weight in WEIGHTS:
        yield Swap(f"MiniLM and {weight:.0%} of BM25", "hybrid", WeightedSum(dense, words, weight))


def _reranked(dense: Dense, words: Lexical, tokens: EncodeTokens | None) -> Iterator[Swap]:
    for depth in (10, 50, 100):
        yield Swap(f"BM25, best {depth} reranked by MiniLM", "reranker", Reranked(words, dense, depth))
    yield Swap("MiniLM, best 20 reranked by BM25", "reranker", Reranked(dense, words, 20))
    if tokens:
        late = LateInteraction(dense, tokens)
        yield Swap("MiniLM, reranked by MaxSim", "MaxSim", late)
        yield Swap("MaxSim and 30% of BM25", "MaxSim", WeightedSum(Reranked(dense, late), words, 0.3))


def eight_bits(vectors: Vectors) -> Vectors:
    """Vectors rounded to 255 steps over their common range, of unit length again."""
    step = np.abs(vectors).max() / 127
    rounded = np.round(vectors / step) * step
    return np.asarray(rounded / np.linalg.norm(rounded, axis=1, keepdims=True), np.float32)


def _first(encode: Encode, count: int) -> Encode:
    return lambda texts: first_dimensions(encode(texts), count)
