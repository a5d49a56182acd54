"""Fine-tuning the whole model for structure, by the published method: identity triplets among question pairs.

Half of each batch are sentences with themselves as positive and a near-miss as negative, half are questions with their
passages. In-batch softmax, AdamW. Redis, arXiv 2604.16351.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.timing import say
from benchmarks.validity.questions import questions
from monitor.adapters.retrievers.local import BUNDLED_MODEL, load_model
from monitor.demo.near_misses import near_misses

Triplet = tuple[str, str, str | None]
"""Anchor, positive and negative; a question has no negative of its own."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """All parameters that determine the weights."""

    steps: tuple[int, ...] = (20, 60)
    """The steps after which the weights are saved."""
    batch_size: int = 32
    learning_rate: float = 1e-4
    scale: float = 10.0
    seed: int = 3

    @property
    def batches(self) -> list[list[Triplet]]:
        """The batch of each step."""
        half = self.batch_size // 2
        count = half * self.steps[-1]
        triplets: list[Triplet] = [(text, text, miss) for text, miss in near_misses(count, seed=self.seed)]
        question_pairs: list[Triplet] = [
            (question, passage, None) for question, passage in questions(count, seed=self.seed)
        ]
        return [triplets[at : at + half] + question_pairs[at : at + half] for at in range(0, count, half)]

    @property
    def texts(self) -> set[str]:
        """All training texts."""
        return {text for batch in self.batches for triplet in batch for text in triplet if text is not None}

    @property
    def digest(self) -> str:
        """SHA-256 over numbers and texts."""
        return hashlib.sha256(json.dumps([asdict(self), self.batches]).encode()).hexdigest()


def checkpoints(recipe: Recipe, folder: Path) -> dict[int, Path]:
    """Weights after each of the recipe's steps; trained if they are not in the folder yet."""
    paths = {step: folder / f"fine-tuned-{recipe.digest[:16]}-{step}.pt" for step in recipe.steps}
    if not all(path.exists() for path in paths.values()):
        _train(recipe, paths)
    return paths


def restore(path: Path) -> Any:
    """The model with the weights of a checkpoint."""
    import torch

    model = load_model(BUNDLED_MODEL)
    model.load_state_dict(torch.load(path, weights_only=True))
    return model.eval()


def _train(recipe: Recipe, paths: dict[int, Path]) -> None:
    import torch

    torch.manual_seed(recipe.seed)
    model = load_model(BUNDLED_MODEL).train()
    optimiser = torch.optim.AdamW(model.parameters(), lr=recipe.learning_rate)
    for step, batch in enumerate(recipe.batches, start=1):
        loss = _contrast(torch, model, batch, recipe.scale)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if step % 10 == 0:
            say(f"  fine-tuning, step {step} of {recipe.steps[-1]}, loss {loss.item():.3f}")
        if step in paths:
            torch.save(model.state_dict(), paths[step])


def _contrast(torch: Any, model: Any, batch: Sequence[Triplet], scale: float) -> Any:
    anchors, positives, negatives = zip(*batch, strict=True)
    half = len(batch) // 2

    def embed(texts: Iterable[str | None]) -> Any:
        output = model(model.preprocess(list(filter(None, texts))))["sentence_embedding"]
        return torch.nn.functional.normalize(output, dim=1)

    # Sentences and passages apart: together, most of the work would go into padding.
    candidates = torch.cat(list(map(embed, (positives[:half], positives[half:], negatives))))
    return torch.nn.functional.cross_entropy(scale * embed(anchors) @ candidates.T, torch.arange(len(batch)))
