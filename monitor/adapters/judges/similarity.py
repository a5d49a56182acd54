"""A judge that needs no language model: how close in meaning an answer is to its nearest reference.

Needs the extra ``local``. It takes a negated sentence for much the same as the sentence; `answer_polarity` does not.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from typing import Any

from monitor.adapters.embedding_model import BUNDLED_MODEL, load_model
from monitor.config.config import Section
from monitor.errors import AdapterError, JudgeError, Reason

UNLIMITED = 2**31


class SimilarityOptions(Section):
    """Which model tells how close two texts are."""

    model: str = BUNDLED_MODEL
    """A folder with a sentence-transformers model, or a name it knows."""


class SimilarityJudge:
    """Cosine similarity of an answer and its nearest reference, by a sentence-transformers model."""

    Options = SimilarityOptions
    repeats, concurrency, budget = 1, 1, UNLIMITED

    def __init__(self, options: SimilarityOptions) -> None:
        self._options = options
        self._model: Any = None
        self.fingerprint = hashlib.sha256(f"similarity/1/{options.model}".encode()).hexdigest()

    async def grade(self, query: str, references: Sequence[str], answer: str) -> float:  # noqa: ARG002 - as the port has it
        """The largest cosine with a reference, in [0, 1]; opposite meanings do not go below 0."""
        if not answer.strip():
            return 0.0
        try:
            return await asyncio.to_thread(self._grade, list(references), answer)
        except AdapterError as error:
            raise JudgeError(error.reason, error.detail) from error
        except Exception as error:  # torch and transformers share no root
            raise JudgeError(Reason.BROKEN, type(error).__name__) from error

    async def close(self) -> None:
        """Give back the memory."""
        self._model = None

    def _grade(self, references: list[str], answer: str) -> float:
        if self._model is None:
            self._model = load_model(self._options.model)
        vectors = self._model.encode([answer, *references], normalize_embeddings=True, show_progress_bar=False)
        return float(min(max(float((vectors[1:] @ vectors[0]).max()), 0.0), 1.0))
