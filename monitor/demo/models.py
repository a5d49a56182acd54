"""The two embedding models of the demo: a real one with FAISS, and word statistics that need no further package."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from monitor.demo.tuning import Vectors
from monitor.demo.word_vectors import ExactIndex, WordVectors

Encode = Callable[[list[str]], Vectors]


@dataclass(frozen=True, slots=True)
class Model:
    """How texts become vectors, and how vectors are searched."""

    encode: Encode
    """Unit vectors of texts, shape (texts, size)."""
    build_index: Callable[[Vectors], Any]
    """An index with ``search(vectors, k)``, which gives scores and places, best first."""


def sentence_model() -> Model:
    """all-MiniLM-L6-v2 with exact search by FAISS; needs the extra ``local``."""
    from monitor.adapters.retrievers.local import BUNDLED_MODEL, build_index, load_model

    model = load_model(BUNDLED_MODEL)

    def encode(texts: list[str]) -> Vectors:
        vectors: Vectors = model.encode(texts, batch_size=64, normalize_embeddings=True, show_progress_bar=False)
        return vectors

    return Model(encode, build_index)


def word_model(corpus: Sequence[str]) -> Model:
    """Word statistics of a corpus with exact search by NumPy."""
    return Model(WordVectors(corpus).encode, ExactIndex)
