"""Token vectors of MiniLM for late interaction, embedded once for each list of texts."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from benchmarks.systems.late_interaction import EncodeTokens
from benchmarks.validity.evaluation_sets import Vectors
from monitor.adapters.retrievers.local import BUNDLED_MODEL, load_model

BATCH = 64


def token_vectors() -> EncodeTokens:
    """The encoder; it keeps the vectors of the last few lists of texts in half precision."""
    model: Any = load_model(BUNDLED_MODEL)

    @lru_cache(maxsize=8)
    def encode(texts: tuple[str, ...]) -> list[Vectors]:
        tensors = model.encode(list(texts), batch_size=BATCH, output_value="token_embeddings", show_progress_bar=False)
        return [_unit(each.float().cpu().numpy()) for each in tensors]

    def encode_list(texts: Sequence[str]) -> list[Vectors]:
        return encode(tuple(texts))

    return encode_list


def _unit(vectors: Vectors) -> Vectors:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)
