"""Cheaper or wrongly served forms of the models: fewer dimensions, one bit each, fewer layers, another pooling.

The list was fixed before any of it was measured; the page gives the reason for each.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.validity.evaluation_sets import Encode, Vectors
from benchmarks.validity.models import Cached, Model, identity_of, transformer, untouched_weights
from monitor.adapters.retrievers.local import BUNDLED_MODEL, load_model

DIMENSIONS = (128, 64, 32)
STATIC_DIMENSIONS = 64
LAYERS = (4, 3)


def compressed(base: Encode, static: Model) -> Iterator[Model]:
    """Vectors cut to their first dimensions or to one bit for each: no text is embedded again."""
    for count in DIMENSIONS:
        yield Model(f"first {count} dimensions", "compressed", _first(base, count))
    yield Model("one bit per dimension", "compressed", lambda texts: bits(base(texts)))
    yield Model(f"static, first {STATIC_DIMENSIONS} dimensions", "static", _first(static.encode, STATIC_DIMENSIONS))


def pruned(folder: Path) -> Iterator[Model]:
    """The untouched model without its last layers."""
    for count in LAYERS:
        yield Model(f"first {count} of 6 layers", "pruned", _variant(f"{count} layers", folder, layers=count))


def wrongly_pooled(folder: Path) -> Model:
    """The untouched model, with the vector of the first token instead of the mean that it was trained with."""
    return Model("CLS pooling", "pooling", _variant("cls pooling", folder, pooling="cls"))


def bits(vectors: Vectors) -> Vectors:
    """The signs of the vectors with unit length: the cosine then counts equal bits."""
    return np.asarray(np.where(vectors > 0, 1, -1) / np.sqrt(vectors.shape[1]), dtype=np.float32)


def first_dimensions(vectors: Vectors, count: int) -> Vectors:
    """The vectors without their last dimensions, of unit length again."""
    shortened = vectors[:, :count]
    return np.asarray(shortened / np.linalg.norm(shortened, axis=1, keepdims=True), dtype=np.float32)


def _first(encode: Encode, count: int) -> Encode:
    return lambda texts: first_dimensions(encode(texts), count)


def _variant(name: str, folder: Path, *, layers: int | None = None, pooling: str = "mean") -> Encode:
    def load() -> Encode:
        model: Any = load_model(BUNDLED_MODEL)
        network = model[0].auto_model.encoder
        network.layer = network.layer[:layers]
        model[1].pooling_mode = pooling
        return transformer(model)

    return Cached(f"{identity_of(untouched_weights())} {name}", folder, load)
