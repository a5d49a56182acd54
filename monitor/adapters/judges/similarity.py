"""Judge without a language model: similarity of an answer to its nearest reference.

Needs the extra ``local``. It hardly distinguishes a sentence from its negation; use `answer_polarity` for that.
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
    """Model that measures the similarity of two texts."""

    model: str = BUNDLED_MODEL
    """Folder with a sentence-transformers model, or the name of one."""


class SimilarityJudge:
    """Cosine similarity of an answer and its nearest reference, by a sentence-transformers model."""

    Options = SimilarityOptions
    repeats, concurrency, budget = 1, 1, UNLIMITED
    reads_contexts = False

    def __init__(self, options: SimilarityOptions) -> None:
        self._options = options
        self._model: Any = None
        self.fingerprint = hashlib.sha256(f"similarity/1/{options.model}".encode()).hexdigest()

    async def grade(self, query: str, references: Sequence[str], answer: str) -> float:  # noqa: ARG002 - required by the port
        """Return the largest cosine similarity with a reference, clipped to [0, 1]."""
        if not answer.strip():
            return 0.0
        try:
            return await asyncio.to_thread(self._grade, list(references), answer)
        except AdapterError as error:
            raise JudgeError(error.reason, error.detail) from error
        except Exception as error:  # torch and transformers have no common base class
            raise JudgeError(Reason.BROKEN, type(error).__name__) from error

    async def close(self) -> None:
        """Free the memory."""
        self._model = None

    def _grade(self, references: list[str], answer: str) -> float:
        if self._model is None:
            self._model = load_model(self._options.model)
        vectors = self._model.encode([answer, *references], normalize_embeddings=True, show_progress_bar=False)
        return float(min(max(float((vectors[1:] @ vectors[0]).max()), 0.0), 1.0))
