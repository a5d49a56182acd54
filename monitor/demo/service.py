"""A retriever service of its own: HTTP, a real embedding model, FAISS. What recallwatch watches in the demo.

    python -m monitor.demo.service FOLDER...     prints one line of JSON with its URL when it is ready

POST /search    {"query", "k"}              →  {"hits": [{"id", "score"}]}
POST /answer    {"query", "k"?}             →  {"answer", "documents", "model"}: read out of the k best documents
POST /answer    {"query", "contexts"}       →  the same, read out of these texts; ``documents`` is null
POST /adapter   {"steps", "seed"}           →  trains an adapter and serves through it from then on
DELETE /adapter                             →  serves the untouched model again
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from monitor.adapters.retrievers.local import BUNDLED_MODEL, build_index, load_model
from monitor.demo.batching import Batch
from monitor.demo.near_misses import near_misses
from monitor.demo.reading import Reader
from monitor.demo.tuning import Adapter, Vectors, apply, tune
from monitor.service.api.server import listen, running
from monitor.suites.reading import read_corpus

READER = "extractive reader"
"""What the service calls the model that answers."""
CONTEXT_DOCUMENTS = 5
"""Documents that an answer is read out of, unless another number is asked for."""
MOST_KNOWN = 50_000
"""Queries whose vectors are kept."""


class Search(NamedTuple):
    """A query, and how many documents it may bring."""

    query: str
    k: int


class Question(NamedTuple):
    """A query, and what to answer it from: the k best documents, or texts."""

    query: str
    k: int
    contexts: list[str] | None


class Service:
    """A model, an index, a reader and perhaps an adapter."""

    def __init__(self, folders: list[Path]) -> None:
        documents = [document for folder in folders for document in read_corpus(folder)]
        self._doc_ids = [document.doc_id for document in documents]
        self._texts = {document.doc_id: document.full_text for document in documents}
        self._reader = Reader(self._texts.values())
        self._model = load_model(BUNDLED_MODEL)
        self._vectors = self._embed([document.full_text for document in documents])
        self._matrix: Vectors | None = None
        self._index = build_index(self._vectors)
        self._known: dict[str, Vectors] = {}

    def search(self, asked: Sequence[Search]) -> list[list[dict[str, Any]]]:
        """The ``k`` documents closest to each query."""
        vectors = apply(self._matrix, self._embed_queries([each.query for each in asked]))
        scores, places = self._index.search(vectors, min(max(each.k for each in asked), len(self._doc_ids)))
        return [
            [{"id": self._doc_ids[place], "score": float(score)} for place, score in zip(*hits, strict=True)][: each.k]
            for each, *hits in zip(asked, places, scores, strict=True)
        ]

    def answer(self, asked: Sequence[Question]) -> list[dict[str, Any]]:
        """An answer to each question, and the documents that it was read out of."""
        searches = [Search(each.query, each.k) for each in asked if each.contexts is None]
        found = iter(self.search(searches) if searches else ())
        return [self._read(each, None if each.contexts is not None else next(found)) for each in asked]

    def adapt(self, steps: int, seed: int) -> Adapter:
        """Train an adapter and serve through it."""
        sentences, misses = zip(*near_misses(2_500, seed=seed), strict=True)
        adapter = tune(self._embed(list(sentences)), self._embed(list(misses)), steps=steps, seed=seed)
        self._serve(adapter.matrix)
        return adapter

    def restore(self) -> None:
        """Serve the untouched model again."""
        self._serve(None)

    def _serve(self, matrix: Vectors | None) -> None:
        index = build_index(apply(matrix, self._vectors))
        self._matrix, self._index = matrix, index

    def _read(self, asked: Question, hits: list[dict[str, Any]] | None) -> dict[str, Any]:
        doc_ids = None if hits is None else [hit["id"] for hit in hits]
        contexts = (asked.contexts or []) if doc_ids is None else [self._texts[doc_id] for doc_id in doc_ids]
        return {"answer": self._reader.read(asked.query, contexts), "documents": doc_ids, "model": READER}

    def _embed_queries(self, queries: list[str]) -> Vectors:
        """Vectors before any adapter: those of the same words are the same, and are kept as many services keep them."""
        if fresh := [query for query in dict.fromkeys(queries) if query not in self._known]:
            if len(self._known) > MOST_KNOWN:
                self._known.clear()
            self._known |= zip(fresh, self._embed(fresh), strict=True)
        return np.stack([self._known[query] for query in queries])

    def _embed(self, texts: list[str]) -> Any:
        return self._model.encode(texts, batch_size=64, normalize_embeddings=True, show_progress_bar=False)


def create_app(service: Service) -> Starlette:
    """The HTTP face of the service. One thing at a time: the model uses every core there is."""
    turn = asyncio.Lock()
    searches, questions = Batch(turn, service.search), Batch(turn, service.answer)

    async def search(request: Request) -> JSONResponse:
        asked = await request.json()
        return JSONResponse({"hits": await searches.ask(Search(str(asked["query"]), int(asked["k"])))})

    async def answer(request: Request) -> JSONResponse:
        asked = await request.json()
        contexts = asked.get("contexts")
        question = Question(
            str(asked["query"]),
            int(asked.get("k", CONTEXT_DOCUMENTS)),
            None if contexts is None else list(map(str, contexts)),
        )
        return JSONResponse(await questions.ask(question))

    async def adapt(request: Request) -> JSONResponse:
        asked = await request.json()
        async with turn:
            adapter = await asyncio.to_thread(service.adapt, int(asked["steps"]), int(asked["seed"]))
        return JSONResponse({"cosine_before": adapter.cosine_before, "cosine_after": adapter.cosine_after})

    async def restore(_: Request) -> JSONResponse:
        async with turn:
            await asyncio.to_thread(service.restore)
        return JSONResponse({"status": "restored"})

    return Starlette(
        routes=[
            Route("/search", search, methods=["POST"]),
            Route("/answer", answer, methods=["POST"]),
            Route("/adapter", adapt, methods=["POST"]),
            Route("/adapter", restore, methods=["DELETE"]),
        ]
    )


async def serve(folders: list[Path]) -> None:
    """Serve until SIGTERM."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    app = create_app(Service(folders))
    with listen("127.0.0.1", 0) as listener:
        async with running(app, listener) as url:
            sys.stdout.write(json.dumps({"url": url}) + "\n")
            sys.stdout.flush()
            await stop.wait()


if __name__ == "__main__":
    asyncio.run(serve([Path(argument) for argument in sys.argv[1:]]))
