"""Linear adapters tuned on the training set of minimal pairs, and null adapters that move next to nothing.

Half of each batch are triplets of the training set: a text, itself, and its near-copy (the published method), or a
query, the text that satisfies it, and the near-copy. The other half are questions with their passages. In-batch softmax
over all positives and negatives.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.training.pairs import read_training_pairs, triplets
from benchmarks.validity.evaluation_sets import Encode, Vectors
from benchmarks.validity.questions import questions

N_QUESTIONS = 1_500
BATCH, SCALE = 256, 20.0
TUNING_RATE, NULL_RATE, NULL_STEPS = 1e-3, 1e-4, 10
"""Adam's rates. The null tuning has a tenth of the rate and ten steps without any negative."""


@dataclass(frozen=True, slots=True)
class Examples:
    """Training texts as vectors: triplets of the training set, and questions with their passages."""

    anchors: Vectors
    positives: Vectors
    negatives: Vectors
    questions: Vectors
    passages: Vectors

    @property
    def of_identity(self) -> Examples:
        """The published form: a sentence is its own positive, and its near-copy the negative."""
        return replace(self, anchors=self.positives)

    @property
    def digest(self) -> str:
        """Sixteen characters that change with any of the vectors or parameters."""
        content = hashlib.sha256(repr((BATCH, SCALE, TUNING_RATE)).encode())
        for vectors in (self.anchors, self.positives, self.negatives, self.questions, self.passages):
            content.update(vectors.tobytes())
        return content.hexdigest()[:16]


def embed_examples(encode: Encode, *, every: int = 1, n_questions: int = N_QUESTIONS) -> Examples:
    """The vectors of the training texts, with queries as anchors; of every n-th pair, and of so many questions."""
    anchors, positives, negatives = zip(*triplets(read_training_pairs()[::every]), strict=True)
    question_texts, passages = zip(*questions(n_questions, seed=0), strict=True)
    return Examples(*map(encode, (anchors, positives, negatives, question_texts, passages)))


def tune_for_structure(examples: Examples, *, steps: Sequence[int], seed: int, folder: Path) -> dict[int, Vectors]:
    """Linear maps of the embedding space, from the identity, after each of these steps; cached in a folder."""
    paths = {count: folder / f"structural-{examples.digest}-{seed}-{count}.npy" for count in steps}
    if not all(path.exists() for path in paths.values()):
        maps = _train(examples, steps=max(steps), seed=seed, rate=TUNING_RATE, has_negatives=True)
        for count, matrix in enumerate(maps, start=1):
            if count in paths:
                np.save(paths[count], matrix)
    return {count: np.asarray(np.load(path), np.float32) for count, path in paths.items()}


def tune_for_nothing(examples: Examples, *, seed: int) -> Vectors:
    """A linear map tuned on the same queries and questions without near-copies, at a tiny strength."""
    *_, matrix = _train(examples, steps=NULL_STEPS, seed=seed, rate=NULL_RATE, has_negatives=False)
    return matrix


def _train(examples: Examples, *, steps: int, seed: int, rate: float, has_negatives: bool) -> Iterator[Vectors]:
    """The map after each step."""
    import torch

    rng = np.random.default_rng(seed)
    matrix = torch.eye(examples.anchors.shape[1], requires_grad=True)
    optimiser = torch.optim.Adam([matrix], lr=rate)
    for _ in range(steps):
        pair_rows = rng.choice(len(examples.anchors), BATCH // 2, replace=False)
        question_rows = rng.choice(len(examples.questions), BATCH // 2, replace=False)
        anchors = _moved(torch, matrix, examples.anchors[pair_rows], examples.questions[question_rows])
        candidates = [_moved(torch, matrix, examples.positives[pair_rows], examples.passages[question_rows])]
        if has_negatives:
            candidates.append(_moved(torch, matrix, examples.negatives[pair_rows]))
        scores = SCALE * anchors @ torch.cat(candidates).T
        loss = torch.nn.functional.cross_entropy(scores, torch.arange(BATCH))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        yield np.array(matrix.detach().numpy(), np.float32)


def _moved(torch: Any, matrix: Any, *vectors: Vectors) -> Any:
    return torch.nn.functional.normalize(torch.from_numpy(np.concatenate(vectors)) @ matrix.T, dim=1)
