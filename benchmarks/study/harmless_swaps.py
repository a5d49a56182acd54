"""Ten swaps that take nothing from users: other arithmetic, another index, another layout of the same texts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import faiss
import numpy as np
from numpy.typing import NDArray

from benchmarks.study.served import Search, ServedSpace, Space, exact, space_of
from benchmarks.study.structural_tuning import embed_examples, tune_for_nothing
from benchmarks.study.structure import CACHE
from benchmarks.validity.evaluation_sets import Encode, EvaluationSet, Vectors
from benchmarks.validity.models import int8_twin
from monitor.adapters.retrievers.local import build_index
from monitor.demo.tuning import apply
from monitor.suites.locating import built_in_probes
from monitor.suites.reading import read_corpus

NEIGHBOURS, EFFORT_TO_BUILD, EFFORT_TO_SEARCH = 32, 200, 256
COPIED = 20
"""Every so many documents of the broad suite were indexed twice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Swap:
    """What a target served before, and what it serves now."""

    name: str
    before: ServedSpace
    after: ServedSpace


def harmless_swaps(sets: Sequence[EvaluationSet], base: Encode) -> Iterator[Swap]:
    """The ten swaps."""
    space = space_of(sets, base)
    baseline = ServedSpace(space=space)
    yield Swap(name="int8 twin", before=baseline, after=ServedSpace(space=space_of(sets, int8_twin(CACHE, 1).encode)))
    yield Swap(name="bfloat16 vectors", before=baseline, after=ServedSpace(space=space.mapped(bfloat16)))
    halves = replace(space, documents=float16(space.documents))
    yield Swap(name="float16 index", before=baseline, after=ServedSpace(space=halves))
    graphs = [ServedSpace(space=space, search=hnsw(seed)) for seed in (0, 1)]
    yield Swap(name="HNSW rebuilt", before=graphs[0], after=graphs[1])
    yield Swap(name="another replica", before=baseline, after=ServedSpace(space=space, search=replica))
    yield Swap(name="scores rescaled", before=baseline, after=ServedSpace(space=space, search=rescaled))
    chunks = base(in_markdown())
    yield Swap(name="texts stored as Markdown", before=baseline, after=ServedSpace(space=_with_chunks(space, chunks)))
    yield Swap(name="duplicates removed", before=ServedSpace(space=_with_copies(space, chunks)), after=baseline)
    examples = embed_examples(base)
    for seed in (0, 1):
        matrix = tune_for_nothing(examples, seed=seed)
        adapted = ServedSpace(space=space.mapped(lambda vectors, matrix=matrix: apply(matrix, vectors)))
        yield Swap(name=f"null tuning, seed {seed}", before=baseline, after=adapted)


def hnsw(seed: int) -> Search:
    """Search in a graph of neighbours built in an order of its own, at generous effort."""

    def search(documents: Vectors, queries: Vectors, depth: int) -> tuple[Vectors, NDArray[np.intp]]:
        order = np.random.default_rng(seed).permutation(len(documents))
        graph = faiss.IndexHNSWFlat(documents.shape[1], NEIGHBOURS, faiss.METRIC_INNER_PRODUCT)
        graph.hnsw.efConstruction, graph.hnsw.efSearch = EFFORT_TO_BUILD, EFFORT_TO_SEARCH
        threads = faiss.omp_get_max_threads()
        faiss.omp_set_num_threads(1)  # with more, the graph depends on their timing
        graph.add(documents[order])
        faiss.omp_set_num_threads(threads)
        scores, rows = graph.search(queries, depth)
        return scores, order[rows]

    return search


def replica(documents: Vectors, queries: Vectors, depth: int) -> tuple[Vectors, NDArray[np.intp]]:
    """Exact search by another process: documents in reverse order, which turns ties, and one query at a time."""
    last = len(documents) - 1
    index = build_index(np.ascontiguousarray(documents[::-1]))
    results = [index.search(query[None, :], depth) for query in queries]
    return np.concatenate([scores for scores, _ in results]), last - np.concatenate([rows for _, rows in results])


def rescaled(documents: Vectors, queries: Vectors, depth: int) -> tuple[Vectors, NDArray[np.intp]]:
    """Exact search that returns the cosine as a percentage: 0 for opposite vectors, 100 for equal ones."""
    scores, rows = exact(documents, queries, depth)
    return np.asarray(50.0 * (1.0 + scores), np.float32), rows


def _with_chunks(space: Space, chunks: Vectors) -> Space:
    """The space with other vectors of the documents of the broad suite, which come first."""
    return replace(space, documents=np.concatenate([chunks, space.documents[len(chunks) :]]))


def _with_copies(space: Space, chunks: Vectors) -> Space:
    """The space with a second copy of some documents, under ids of their own that no judgement knows."""
    numbers = range(0, len(chunks), COPIED)
    return replace(
        space,
        doc_ids=(*space.doc_ids, *(f"{space.doc_ids[number]}-copy" for number in numbers)),
        documents=np.concatenate([space.documents, chunks[numbers]]),
    )


def bfloat16(vectors: Vectors) -> Vectors:
    """The vectors rounded to bfloat16, which has eight bits of precision."""
    import torch

    return np.asarray(torch.from_numpy(vectors).to(torch.bfloat16).to(torch.float32).numpy(), np.float32)


def float16(vectors: Vectors) -> Vectors:
    """The vectors rounded to float16."""
    return vectors.astype(np.float16).astype(np.float32)


def in_markdown() -> tuple[str, ...]:
    """The documents of the broad suite as a chunker that writes Markdown would store them: the same words and ids."""
    return tuple(f"# {each.title}\n\n{each.text}\n" for each in read_corpus(built_in_probes() / "broad"))
