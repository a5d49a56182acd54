"""The corpus of the reference services: the built-in suites and their documents, embedded once by each model."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.validity.evaluation_sets import Encode
from benchmarks.validity.models import int8_twin, static, untouched
from monitor.demo.near_misses import near_misses
from monitor.demo.tuning import Vectors, apply, tune
from monitor.diagnosis.bm25 import WordIndex
from monitor.suites.reading import read_corpus, read_suite

SUITES = ("broad", "compositional")
STEPS = (10, 20, 50, 100)
"""Training steps of the adapters, weakest first."""
ADAPTER_SEEDS = (0, 1)
PROBES = Path(__file__).resolve().parents[2] / "probes"


@dataclass(frozen=True, slots=True)
class Model:
    """Vectors of all texts by one model."""

    documents: Vectors
    pieces: Vectors
    """Two vectors for each document: for its first and its second half."""
    queries: Vectors

    def adapted(self, matrix: Vectors) -> Model:
        """The vectors after a linear adapter."""
        return Model(*(apply(matrix, each) for each in (self.documents, self.pieces, self.queries)))


@dataclass(frozen=True, slots=True)
class Corpus:
    """Documents and queries, in the order of the rows of each model's vectors."""

    doc_ids: tuple[str, ...]
    groups: Mapping[str, str]
    query_ids: tuple[str, ...]
    models: Mapping[str, Model]
    texts: tuple[str, ...]
    questions: tuple[str, ...]
    served_words: WordIndex
    """Word matching of the services: BM25 with the settings of Lucene."""
    known_words: WordIndex
    """Word matching of recallwatch, which does not know their settings: BM25 with other settings."""


def load(folder: Path) -> Corpus:
    """The corpus with its vectors; those of transformers are cached in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    documents = [document for name in SUITES for document in read_corpus(PROBES / name)]
    queries = [query for name in SUITES for query in read_suite(PROBES / name).queries]
    texts, questions = [each.full_text for each in documents], [each.text for each in queries]
    encoders = {"minilm": untouched(folder), "int8": int8_twin(folder, 1).encode, "wordllama": static(folder).encode}
    models = {
        name: Model(encode(texts), encode(_halves(texts)), encode(questions)) for name, encode in encoders.items()
    }
    models |= {name: models["minilm"].adapted(matrix) for name, matrix in _adapters(encoders["minilm"], folder)}
    return Corpus(
        tuple(each.doc_id for each in documents),
        {each.doc_id: each.doc_id.rpartition("-")[0] for each in documents},
        tuple(each.query_id for each in queries),
        models,
        tuple(texts),
        tuple(questions),
        WordIndex(texts, k1=1.2, b=0.75),
        WordIndex(texts, k1=0.9, b=0.4),
    )


def _halves(texts: Sequence[str]) -> list[str]:
    """Each text cut in two at the middle word."""
    halves = []
    for text in texts:
        words = text.split()
        middle = (len(words) + 1) // 2
        halves += [" ".join(words[:middle]), " ".join(words[middle:]) or text]
    return halves


def _adapters(encode: Encode, folder: Path) -> list[tuple[str, Vectors]]:
    """Adapters tuned on structural near-misses, by name; cached in the folder."""
    sentences, misses = zip(*near_misses(2_500, seed=0), strict=True)
    adapters = []
    for steps in STEPS:
        for seed in ADAPTER_SEEDS:
            key = hashlib.sha256(f"{steps} {seed}".encode()).hexdigest()[:16]
            path = folder / f"adapter-{key}.npy"
            if not path.exists():
                np.save(path, tune(encode(sentences), encode(misses), steps=steps, seed=seed).matrix)
            adapters.append((f"adapter {steps}/{seed}", np.load(path)))
    return adapters
