"""Embedder in this process, with sentence-transformers. Needs the extra ``local``.

The model is loaded with the first request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import numpy as np
from pydantic import Field

from monitor.adapters.embedding_model import BUNDLED_MODEL, load_model
from monitor.config.config import Section
from monitor.errors import Reason, RetrieverError
from monitor.ports.targets import Vectors


class LocalOptions(Section):
    """Model and settings of the embedder."""

    model: str = BUNDLED_MODEL
    """Folder with a sentence-transformers model, or the name of one."""
    prefix: str = ""
    """Prefix of each query, for models trained with one; for example ``query: ``."""
    normalize: bool = True
    """Whether vectors are scaled to length 1; use the setting of the index."""
    batch_size: int = Field(default=64, ge=1)
    """Texts in one batch; larger batches need more memory."""


class LocalEmbedder:
    """Embeds texts with a model in memory."""

    Options = LocalOptions

    def __init__(self, options: LocalOptions) -> None:
        self._options = options
        self._model: Any = None
        self._loading = asyncio.Lock()

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """Return one row for each text."""
        try:
            async with self._loading:
                if self._model is None:
                    self._model = await asyncio.to_thread(load_model, self._options.model)
            return await asyncio.to_thread(self._encode, self._model, texts)
        except RetrieverError:
            raise
        except Exception as error:  # torch and transformers have no common base class
            raise RetrieverError(Reason.BROKEN, type(error).__name__) from error

    async def close(self) -> None:
        """Free the memory."""
        self._model = None

    def _encode(self, model: Any, texts: Sequence[str]) -> Vectors:
        vectors = model.encode(
            [self._options.prefix + text for text in texts],
            batch_size=self._options.batch_size,
            normalize_embeddings=self._options.normalize,
            show_progress_bar=False,
        )
        return np.asarray(vectors, dtype=np.float32)
