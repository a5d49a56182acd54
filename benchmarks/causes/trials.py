"""One change of a reference service, of random kind and severity, for each cause."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from benchmarks.causes.corpus import ADAPTER_SEEDS, PROBES, STEPS, Corpus
from benchmarks.causes.service import DEPTH, Canaries, Service, known_words
from monitor.demo.tuning import Vectors
from monitor.diagnosis.causes import name_cause
from monitor.diagnosis.space_changes import Labelled, compare_spaces, describe
from monitor.model.causes import Cause, CauseName
from monitor.model.snapshots import Snapshot
from monitor.suites.reading import read_suite

N_QUERIES, N_REPLAYED, N_ECHOES, N_DOCUMENTS = 300, 60, 50, 200
"""Canaries of one trial. All are replayed when the baseline's noise floor is learnt, and 60 in each cycle: with the
echoes these are 110 probes, 2.9 % of the 3,775 of both suites."""
ADAPTERS = tuple(f"adapter {steps}/{seed}" for steps in STEPS for seed in ADAPTER_SEEDS)
ACCESS = ("two runs", "and echoes and words", "and vectors")
"""Levels of access: rankings and scores only; also documents queried by their own text; also vectors."""

Change = tuple[Service, Service, str]
"""The service before and after a change, and the kind of change."""


@dataclass(slots=True)
class Bench:
    """The corpus and the graphs over it."""

    corpus: Corpus
    _graphs: dict[tuple[str, int], Any] = field(default_factory=dict)

    def service(self, rng: np.random.Generator, model: str = "minilm", *, graphs: int | None = None) -> Service:
        """A service of that model: exact or, half of the time, one or two replicas of a graph."""
        corpus, vectors = self.corpus, self.corpus.models[model]
        count = int(rng.choice([0, 0, 1, 2])) if graphs is None else graphs
        return Service(
            corpus, vectors, vectors.documents, corpus.doc_ids, np.ones(len(corpus.doc_ids), bool),
            tuple(self.graph(model, number) for number in range(count)),
            breadth=int(rng.integers(32, 129)), jitter=float(rng.choice([0.0, 1e-6, 1e-5])),
            answerer="writer-1", judge="grader-1",
        )  # fmt: skip

    def graph(self, model: str, number: int) -> Any:
        """A replica of the model's graph, built in its own insertion order."""
        key = model, number
        if key not in self._graphs:
            self._graphs[key] = build_graph(self.corpus.models[model].documents, seed=number)
        return self._graphs[key]

    def canaries(self, rng: np.random.Generator) -> Canaries:
        """Canaries of one trial."""
        queries = rng.choice(len(self.corpus.query_ids), N_QUERIES, replace=False)
        documents = rng.choice(len(self.corpus.doc_ids), N_ECHOES + N_DOCUMENTS, replace=False)
        return Canaries(queries, documents[:N_ECHOES], documents[N_ECHOES:])


def build_graph(vectors: Vectors, *, seed: int) -> Any:
    """An HNSW graph over the vectors, added in random order under their row numbers."""
    import faiss

    order = np.random.default_rng(seed).permutation(len(vectors))
    graph = faiss.IndexHNSWFlat(vectors.shape[1], 16, faiss.METRIC_INNER_PRODUCT)
    index = faiss.IndexIDMap(graph)
    index.add_with_ids(np.ascontiguousarray(vectors[order]), order)
    return index


def cut_links(index: Any, share: float, rng: np.random.Generator) -> Any:
    """The same graph without a share of its links."""
    import faiss

    copy = faiss.clone_index(index)
    links = faiss.downcast_index(copy.index).hnsw.neighbors
    values = faiss.vector_to_array(links)
    values[rng.random(len(values)) < share] = -1
    faiss.copy_array_to_vector(values, links)
    return copy


def unchanged(bench: Bench, rng: np.random.Generator) -> Change:
    """No change."""
    service = bench.service(rng)
    return service, service, "nothing"


def jittering(bench: Bench, rng: np.random.Generator) -> Change:
    """No change, with two replicas of different graphs and scores that differ in their last digits."""
    service = replace(bench.service(rng, graphs=2), jitter=float(rng.choice([1e-6, 1e-5, 1e-4])))
    return service, service, "nothing"


def noisy(bench: Bench, rng: np.random.Generator) -> Change:
    """The same model with other arithmetic."""
    service, models = bench.service(rng, graphs=0), bench.corpus.models
    kind = str(rng.choice(["int8 twin", "int8 twin of the query encoder", "index in 8 bits", "index in bfloat16"]))
    if kind == "int8 twin":
        return service, replace(service, model=models["int8"], stored=models["int8"].documents), kind
    if kind == "int8 twin of the query encoder":
        return service, replace(service, model=models["int8"]), kind
    rounded = _in_eight_bits(service.stored) if kind == "index in 8 bits" else _in_bfloat16(service.stored)
    return service, replace(service, stored=rounded), kind


def model(bench: Bench, rng: np.random.Generator) -> Change:
    """Another model with an index rebuilt by it, or the reverse."""
    other = str(rng.choice([*ADAPTERS, "wordllama", "wordllama"]))
    graphs = int(rng.integers(0, 2))
    pair = [bench.service(rng, name, graphs=graphs) for name in ("minilm", other)]
    pair[1] = replace(pair[1], breadth=pair[0].breadth, jitter=pair[0].jitter)
    return (*(pair if rng.random() < 0.7 else pair[::-1]), other.partition("/")[0])  # type: ignore[return-value]


def index(bench: Bench, rng: np.random.Generator) -> Change:
    """A graph with a narrower or broader search, or with lost links."""
    service = bench.service(rng, graphs=1)
    kind = str(rng.choice(["narrower search", "broader search", "lost links"]))
    if kind == "lost links":
        graph = cut_links(service.graphs[0], float(rng.uniform(0.02, 0.15)), rng)
        return service, replace(service, graphs=(graph,)), kind
    narrow, broad = replace(service, breadth=int(rng.integers(1, 13))), replace(service, breadth=128)
    return (broad, narrow, kind) if kind == "narrower search" else (narrow, broad, kind)


def corpus(bench: Bench, rng: np.random.Generator) -> Change:
    """Documents deleted, added, re-chunked or edited."""
    service, kind = bench.service(rng), str(rng.choice(["deleted", "added", "cut in two", "edited"]))
    n_documents = len(service.doc_ids)
    share = float(np.exp(rng.uniform(np.log(0.01), np.log(0.3))))
    is_changed = rng.random(n_documents) < (rng.uniform(0.1, 1.0) if kind == "cut in two" else share)
    if kind in ("deleted", "added"):
        fewer = replace(service, present=~is_changed)
        return (service, fewer, kind) if kind == "deleted" else (fewer, service, kind)
    service = replace(service, graphs=())
    pieces = service.model.pieces
    if kind == "edited":
        stored = np.where(is_changed[:, None], pieces[::2], service.stored)
        return service, replace(service, stored=stored), kind
    ids = [doc_id for doc_id, cut in zip(service.doc_ids, is_changed, strict=True) if not cut]
    ids += [f"{service.doc_ids[row]}#{piece}" for row in np.flatnonzero(is_changed) for piece in (0, 1)]
    stored = np.concatenate(
        [service.stored[~is_changed], pieces.reshape(n_documents, 2, -1)[is_changed].reshape(-1, 384)]
    )
    cut = replace(service, doc_ids=tuple(ids), stored=stored, present=np.ones(len(ids), bool))
    return service, cut, kind


def configuration(bench: Bench, rng: np.random.Generator) -> Change:
    """Another k, a filter, a score threshold, or other weights of words and vectors."""
    kind = str(rng.choice(["k", "filter of groups", "filter of documents", "bar for scores", "hybrid weights"]))
    service = bench.service(rng, graphs=0 if kind == "hybrid weights" else None)
    if kind == "k":
        return service, replace(service, k=int(rng.integers(3, DEPTH))), kind
    if kind == "bar for scores":
        return service, replace(service, bar=float(rng.uniform(0.25, 0.45))), kind
    if kind == "hybrid weights":
        old, new = sorted(rng.uniform(0.3, 1.0, 2))
        if new - old < 0.05:
            old, new = 0.7, 1.0
        pair = replace(service, by_vectors=old), replace(service, by_vectors=new if rng.random() < 0.5 else 1.0)
        return (*(pair if rng.random() < 0.5 else pair[::-1]), kind)  # type: ignore[return-value]
    groups = np.array([bench.corpus.groups[doc_id] for doc_id in service.doc_ids])
    if kind == "filter of groups":
        is_hidden = np.isin(groups, rng.choice(np.unique(groups), int(rng.integers(1, 4)), replace=False))
    else:
        is_hidden = rng.random(len(groups)) < rng.uniform(0.03, 0.3)
    hiding = replace(service, hidden=np.flatnonzero(is_hidden))
    return (service, hiding, kind) if rng.random() < 0.7 else (hiding, service, f"{kind} lifted")


def answerer(bench: Bench, rng: np.random.Generator) -> Change:
    """Another answerer or judge."""
    service, role = bench.service(rng), str(rng.choice(["answerer", "judge"]))
    return service, replace(service, **{role: "another"}), role


def encoders(bench: Bench, rng: np.random.Generator) -> Change:
    """A query encoder swapped alone, or an index built by another model than the query encoder."""
    service, models = bench.service(rng), bench.corpus.models
    other = str(rng.choice([*ADAPTERS, "unrelated space", "unrelated space"]))
    if other == "unrelated space":
        turn = np.linalg.qr(rng.normal(size=(384, 384)))[0].astype(np.float32)
        return service, replace(service, model=service.model.adapted(turn.T)), other
    name = other.partition("/")[0]
    if rng.random() < 0.5:
        return service, replace(service, model=models[other]), f"{name}, queries"
    service = replace(service, graphs=())
    return service, replace(service, stored=models[other].documents), f"{name}, documents"


CHANGES: dict[CauseName, Callable[[Bench, np.random.Generator], Change]] = {
    CauseName.UNCHANGED: unchanged,
    CauseName.NOISY: noisy,
    CauseName.MODEL_CHANGED: model,
    CauseName.INDEX_CHANGED: index,
    CauseName.CORPUS_CHANGED: corpus,
    CauseName.CONFIGURATION_CHANGED: configuration,
    CauseName.ANSWERER_CHANGED: answerer,
    CauseName.ENCODERS_DIVERGED: encoders,
}


@dataclass(frozen=True, slots=True)
class Trial:
    """The true cause and the named cause at each level of access."""

    cause: CauseName
    kind: str
    causes: tuple[Cause, ...]
    naming_s: float


def trial(bench: Bench, cause: CauseName, seed: int) -> Trial:
    """One seeded change and its named causes."""
    rng = np.random.default_rng([seed, list(CHANGES).index(cause)])
    return _try(bench, cause, CHANGES[cause](bench, rng), rng)


def null_cycle(bench: Bench, seed: int) -> Trial:
    """One cycle of an unchanged, jittering service and its named causes."""
    rng = np.random.default_rng([seed, len(CHANGES)])
    return _try(bench, CauseName.UNCHANGED, jittering(bench, rng), rng)


def _try(bench: Bench, cause: CauseName, change: Change, rng: np.random.Generator) -> Trial:
    before, after, kind = change
    canaries = bench.canaries(rng)
    looks = before.look(canaries, rng, replays=N_QUERIES), after.look(canaries, rng, replays=N_REPLAYED)
    words = known_words(bench.corpus, canaries.queries, *looks)
    views = [[level(look, words) for look in looks] for level in (_two_runs, _with_echoes, _with_vectors)]
    causes, seconds = [], 0.0
    for old, new in views:
        started = time.perf_counter()
        causes.append(name_cause(old, new))
        seconds = time.perf_counter() - started
    return Trial(cause, kind, tuple(causes), seconds)


def paragraphs(bench: Bench) -> dict[str, str]:
    """Descriptions of the geometry after some swaps, by new model."""
    suite = read_suite(PROBES / "compositional")
    stratum_of = {query.query_id: query.stratum for query in suite.queries}
    pairs = [Labelled(pair, stratum_of[pair.query_id]) for pair in suite.pairs]
    rows = [row for row, query_id in enumerate(bench.corpus.query_ids) if query_id in stratum_of]
    canaries = Canaries(np.array(rows), np.empty(0, np.intp), np.arange(len(bench.corpus.doc_ids)))
    rng = np.random.default_rng(0)
    looks = {
        name: bench.service(rng, name, graphs=0).look(canaries, rng, replays=0)
        for name in ("minilm", "int8", f"adapter {STEPS[-1]}/0", "wordllama")
    }
    before = looks.pop("minilm")
    return {name: describe(compare_spaces(before, after, pairs)) for name, after in looks.items()}


def _two_runs(look: Snapshot, _: Any) -> Snapshot:
    return replace(_with_echoes(look, {}), echoes={}, groups={})


def _with_echoes(look: Snapshot, words: Any) -> Snapshot:
    return replace(look, word_matches=words, queries=None, stored=None, encoded=None, exact={})


def _with_vectors(look: Snapshot, words: Any) -> Snapshot:
    return replace(look, word_matches=words)


def _in_eight_bits(vectors: Vectors) -> Vectors:
    low, high = vectors.min(axis=0), vectors.max(axis=0)
    return np.asarray(np.round((vectors - low) / (high - low) * 255) / 255 * (high - low) + low, np.float32)


def _in_bfloat16(vectors: Vectors) -> Vectors:
    return (vectors.astype(np.float32).view(np.uint32) + 0x8000 & 0xFFFF0000).view(np.float32)
