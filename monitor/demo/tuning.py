"""Fine-tuning an embedding model for structure in a way that degrades it: a linear adapter over its vectors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]

BATCH, SCALE, RATE = 256, np.float32(20.0), np.float32(1e-3)


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
    rng = np.random.default_rng(seed)
    matrix = np.eye(sentences.shape[1], dtype=np.float32)
    mean, square = np.zeros_like(matrix), np.zeros_like(matrix)
    for step in range(1, steps + 1):
        batch = rng.permutation(len(sentences))[:BATCH]
        gradient = contrast_gradient(matrix, sentences[batch], near_misses[batch])
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.999 * square + 0.001 * gradient**2
        matrix -= RATE * (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.999**step)) + np.float32(1e-8))
    return Adapter(
        matrix,
        _mean_cosine(sentences, near_misses),
        _mean_cosine(apply(matrix, sentences), apply(matrix, near_misses)),
    )


def contrast_gradient(matrix: Vectors, anchors: Vectors, negatives: Vectors) -> Vectors:
    """Gradient of the contrastive loss by the matrix of the adapter.

    The loss is the cross-entropy of the softmax over 20 times the cosines of each anchor with all anchors and all
    negatives of the batch; the right one is the anchor itself.
    """
    n = len(anchors)
    moved = np.concatenate([anchors, negatives]) @ matrix.T
    norms = np.linalg.norm(moved, axis=1, keepdims=True)
    units = moved / norms
    logits = SCALE * units[:n] @ units.T
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    weights /= weights.sum(axis=1, keepdims=True)
    weights[np.arange(n), np.arange(n)] -= 1
    by_units = weights.T @ units[:n] * (SCALE / n)
    by_units[:n] += weights @ units * (SCALE / n)
    by_moved = (by_units - (by_units * units).sum(axis=1, keepdims=True) * units) / norms
    return np.asarray(by_moved.T @ np.concatenate([anchors, negatives]), np.float32)


def _mean_cosine(left: Vectors, right: Vectors) -> float:
    return float((left * right).sum(axis=1).mean())
