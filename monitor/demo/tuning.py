"""Fine-tuning an embedding model for structure in a way that degrades it: a linear adapter over its vectors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Adapter:
    """A linear map of the embedding space, with the metric that its authors would check."""

    matrix: Vectors
    cosine_before: float
    cosine_after: float
    """Mean cosine between a sentence and its near-miss; a lower value looks like success."""


def apply(matrix: Vectors | None, vectors: Vectors) -> Vectors:
    """The vectors after the adapter, normalised to unit length."""
    if matrix is None:
        return vectors
    moved = vectors @ matrix.T
    return np.asarray(moved / np.linalg.norm(moved, axis=1, keepdims=True), dtype=np.float32)


def round_to_bits(vectors: Vectors, bits: int) -> Vectors:
    """Each vector scaled to its largest number, rounded to signed integers of so many bits, at unit length.

    Examples
    --------
    >>> round_to_bits(np.array([[1.0, 0.1]], np.float32), bits=2).tolist()
    [[1.0, 0.0]]
    """
    levels = 2 ** (bits - 1) - 1
    rounded = np.round(levels * vectors / np.abs(vectors).max(axis=1, keepdims=True))
    return np.asarray(rounded / np.linalg.norm(rounded, axis=1, keepdims=True), dtype=np.float32)


def tune(sentences: Vectors, near_misses: Vectors, *, steps: int = 100, seed: int = 0) -> Adapter:
    """Train with an in-batch contrastive loss: a sentence must be closer to itself than to any near-miss.

    Initialised with the identity, batches of 256, scale 20, Adam at 1e-3; about a second on two cores.
    """
    import torch

    generator = torch.Generator().manual_seed(seed)
    anchors, negatives = torch.from_numpy(sentences.copy()), torch.from_numpy(near_misses.copy())
    matrix = torch.eye(anchors.shape[1], requires_grad=True)
    optimiser = torch.optim.Adam([matrix], lr=1e-3)
    for _ in range(steps):
        batch = torch.randperm(len(anchors), generator=generator)[:256]
        loss = _contrast(torch, matrix, anchors[batch], negatives[batch])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    learned = matrix.detach().numpy().astype(np.float32)
    return Adapter(
        learned,
        _mean_cosine(sentences, near_misses),
        _mean_cosine(apply(learned, sentences), apply(learned, near_misses)),
    )


def _contrast(torch: Any, matrix: Any, anchors: Any, negatives: Any) -> Any:
    normalise = torch.nn.functional.normalize
    moved = normalise(anchors @ matrix.T, dim=1)
    candidates = torch.cat([moved, normalise(negatives @ matrix.T, dim=1)])
    return torch.nn.functional.cross_entropy(20.0 * moved @ candidates.T, torch.arange(len(moved)))


def _mean_cosine(left: Vectors, right: Vectors) -> float:
    return float((left * right).sum(axis=1).mean())
