"""A retriever service of its own: HTTP, a real embedding model, FAISS. What recallwatch watches in the demo.

    python -m monitor.demo.service FOLDER...     prints one line of JSON with its URL when it is ready

POST /search    {"query", "k"}              →  {"hits": [{"id", "score"}]}
POST /adapter   {"steps", "seed"}           →  trains an adapter and serves through it from then on
DELETE /adapter                             →  serves the untouched model again
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from monitor.adapters.retrievers.local import BUNDLED_MODEL, build_index, load_model
from monitor.api.server import listen, running
from monitor.demo.near_misses import near_misses
from monitor.demo.tuning import Adapter, Vectors, apply, tune
from monitor.suites.reading import read_corpus


class Service:
    """A model, an index and perhaps an adapter."""

    def __init__(self, folders: list[Path]) -> None:
        documents = [document for folder in folders for document in read_corpus(folder)]
        self._doc_ids = [document.doc_id for document in documents]
        self._model = load_model(BUNDLED_MODEL)
        self._vectors = self._embed([document.full_text for document in documents])
        self._matrix: Vectors | None = None
        self._index = build_index(self._vectors)

    def search(self, queries: list[str], k: int) -> list[list[dict[str, Any]]]:
        """The ``k`` documents closest to each query."""
        vectors = apply(self._matrix, self._embed(queries))
        scores, places = self._index.search(vectors, min(k, len(self._doc_ids)))
        return [
            [{"id": self._doc_ids[place], "score": float(score)} for place, score in zip(*hits, strict=True)]
            for hits in zip(places, scores, strict=True)
        ]

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

    def _embed(self, texts: list[str]) -> Any:
        return self._model.encode(texts, batch_size=64, normalize_embeddings=True, show_progress_bar=False)


def create_app(service: Service) -> Starlette:
    """The HTTP face of the service. One thing at a time: the model uses every core there is."""
    turn = asyncio.Lock()
    waiting: list[tuple[str, int, asyncio.Future[Any]]] = []

    async def search(request: Request) -> JSONResponse:
        asked = await request.json()
        hits: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        waiting.append((str(asked["query"]), int(asked["k"]), hits))
        async with turn:  # whoever comes first answers everybody who came meanwhile, in one batch
            together = waiting.copy()
            waiting.clear()
            if together:
                depth = max(k for _, k, _ in together)
                found = await asyncio.to_thread(service.search, [query for query, _, _ in together], depth)
                for (_, k, future), ranked in zip(together, found, strict=True):
                    future.set_result(ranked[:k])
        return JSONResponse({"hits": await hits})

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
