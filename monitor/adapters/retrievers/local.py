"""Searches a corpus in this process: sentence-transformers for vectors, FAISS for exact search.

Needs the extra ``local``. The first probe loads the model and embeds the corpus.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from pydantic import Field

from monitor.adapters import optional_import
from monitor.adapters.embedding_model import BUNDLED_MODEL as BUNDLED_MODEL
from monitor.adapters.embedding_model import load_model as load_model
from monitor.config.config import Section
from monitor.errors import Reason, RetrieverError
from monitor.model.runs import Ranking
from monitor.suites.reading import read_corpus


class LocalOptions(Section):
    """Corpus and embedding model."""

    corpus: tuple[Path, ...] = Field(min_length=1)
    """Folders with a corpus.jsonl."""
    model: str = BUNDLED_MODEL
    """Folder with a sentence-transformers model, or the name of one."""
    batch_size: int = Field(default=64, ge=1)
    """Documents in one batch; larger batches need more memory."""


class LocalRetriever:
    """Exact cosine search over a corpus held in memory."""

    Options = LocalOptions

    def __init__(self, options: LocalOptions) -> None:
        self.concurrency = 1
        self._options = options
        self._doc_ids: list[str] = []
        self._model: Any = None
        self._index: Any = None
        self._loading = asyncio.Lock()

    async def retrieve(self, query: str, k: int) -> Ranking:
        """Return the ``k`` best documents for the query, best first."""
        try:
            async with self._loading:
                if self._index is None:
                    await asyncio.to_thread(self._load)
            return await asyncio.to_thread(self._search, query, k)
        except RetrieverError:
            raise
        except Exception as error:  # torch, transformers and FAISS have no common base class
            raise RetrieverError(Reason.BROKEN, f"{type(error).__name__}: {error}") from error

    async def close(self) -> None:
        """Free the memory."""
        self._model = self._index = None

    def _load(self) -> None:
        documents = [document for folder in self._options.corpus for document in read_corpus(folder)]
        self._doc_ids = [document.doc_id for document in documents]
        self._model = load_model(self._options.model)
        self._index = build_index(self._embed([document.full_text for document in documents]))

    def _embed(self, texts: list[str]) -> Any:
        return self._model.encode(
            texts, batch_size=self._options.batch_size, normalize_embeddings=True, show_progress_bar=False
        )

    def _search(self, query: str, k: int) -> Ranking:
        scores, rows = self._index.search(self._embed([query]), min(k, len(self._doc_ids)))
        return Ranking(doc_ids=tuple(self._doc_ids[row] for row in rows[0]), scores=tuple(map(float, scores[0])))


def build_index(vectors: Any) -> Any:
    """Build an exact inner-product index over normalised vectors."""
    index = optional_import.load("faiss", extra="local").IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    return index
