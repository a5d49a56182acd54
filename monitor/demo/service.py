"""The service that the demo monitors: HTTP, a real embedding model, FAISS, an extractive reader.

    python -m monitor.demo.service FOLDER...     prints one line of JSON with its URL when ready
    python -m monitor.demo.service --child FOLDER...     prints its progress before, and ends with its standard input
    python -m monitor.demo.service --fast FOLDER...      with word statistics instead of a neural model

POST /search    {"query", "k"}              →  {"hits": [{"id", "score"}]}
POST /answer    {"query", "k"?}             →  {"answer", "documents", "model"}, from the k best documents
POST /answer    {"query", "contexts"}       →  the same, from these texts; ``documents`` is null
POST /adapter   {"steps", "seed"}           →  trains an adapter and serves through it
DELETE /adapter                             →  serves the original model again
POST /index     {"bits"}                    →  serves the original model with documents in so many bits a number
GET /progress                               →  {"answered", "embedded"}: requests and texts so far
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from monitor.demo.batching import Batch
from monitor.demo.cleanup import exit_with_parent
from monitor.demo.models import sentence_model, word_model
from monitor.demo.near_misses import near_misses
from monitor.demo.reading import Reader
from monitor.demo.tuning import Adapter, Vectors, apply, round_to_bits, tune
from monitor.service.api.server import listen, running
from monitor.suites.reading import read_corpus

READER = "extractive reader"
"""The name of the answering model in responses."""
CONTEXT_DOCUMENTS = 5
"""The default number of documents for an answer."""
MAX_CACHED = 50_000
"""The largest number of cached query vectors."""
EMBEDDED_AT_ONCE = 512
"""Progress is counted after so many texts."""


class Search(NamedTuple):
    """A query, and the number of documents to return."""

    query: str
    k: int


class Question(NamedTuple):
    """A query to answer from the k best documents, or from given texts."""

    query: str
    k: int
    contexts: list[str] | None


class Service:
    """A model, an index, a reader and perhaps an adapter."""

    def __init__(
        self, folders: list[Path], progress: Callable[[str], None] = lambda _: None, *, is_fast: bool = False
    ) -> None:
        self.answered = self.embedded = 0
        documents = [document for folder in folders for document in read_corpus(folder)]
        self._doc_ids = [document.doc_id for document in documents]
        self._texts = {document.doc_id: document.full_text for document in documents}
        self._reader = Reader(self._texts.values())
        self._model = word_model([*self._texts.values()]) if is_fast else sentence_model()
        self._vectors = self._embed([document.full_text for document in documents], progress)
        self._matrix: Vectors | None = None
        self._index = self._model.build_index(self._vectors)
        self._cache: dict[str, Vectors] = {}

    def search(self, queries: Sequence[Search]) -> list[list[dict[str, Any]]]:
        """The ``k`` documents closest to each query."""
        self.answered += len(queries)
        vectors = apply(self._matrix, self._embed_queries([each.query for each in queries]))
        scores, places = self._index.search(vectors, min(max(each.k for each in queries), len(self._doc_ids)))
        return [
            [{"id": self._doc_ids[place], "score": float(score)} for place, score in zip(*hits, strict=True)][: each.k]
            for each, *hits in zip(queries, places, scores, strict=True)
        ]

    def answer(self, questions: Sequence[Question]) -> list[dict[str, Any]]:
        """An answer to each question, with the documents that it comes from."""
        searches = [Search(each.query, each.k) for each in questions if each.contexts is None]
        hits = iter(self.search(searches) if searches else ())
        self.answered += len(questions) - len(searches)
        return [self._read(each, None if each.contexts is not None else next(hits)) for each in questions]

    def adapt(self, steps: int, seed: int) -> Adapter:
        """Train an adapter and serve through it."""
        sentences, misses = zip(*near_misses(2_500, seed=seed), strict=True)
        adapter = tune(self._embed(list(sentences)), self._embed(list(misses)), steps=steps, seed=seed)
        self._matrix, self._index = adapter.matrix, self._model.build_index(apply(adapter.matrix, self._vectors))
        return adapter

    def restore(self) -> None:
        """Serve the original model again."""
        self._matrix, self._index = None, self._model.build_index(self._vectors)

    def compress(self, bits: int) -> None:
        """Serve the original model from an index of rounded vectors."""
        self._matrix, self._index = None, self._model.build_index(round_to_bits(self._vectors, bits))

    def _read(self, question: Question, hits: list[dict[str, Any]] | None) -> dict[str, Any]:
        doc_ids = None if hits is None else [hit["id"] for hit in hits]
        contexts = (question.contexts or []) if doc_ids is None else [self._texts[doc_id] for doc_id in doc_ids]
        return {"answer": self._reader.read(question.query, contexts), "documents": doc_ids, "model": READER}

    def _embed_queries(self, queries: list[str]) -> Vectors:
        """Vectors before any adapter, cached by text."""
        if fresh := [query for query in dict.fromkeys(queries) if query not in self._cache]:
            if len(self._cache) > MAX_CACHED:
                self._cache.clear()
            self._cache |= zip(fresh, self._embed(fresh), strict=True)
        return np.stack([self._cache[query] for query in queries])

    def _embed(self, texts: list[str], progress: Callable[[str], None] = lambda _: None) -> Any:
        parts = []
        for start in range(0, len(texts), EMBEDDED_AT_ONCE):
            part = texts[start : start + EMBEDDED_AT_ONCE]
            parts.append(self._model.encode(part))
            self.embedded += len(part)
            progress(f"{start + len(part):,} of {len(texts):,} documents embedded")
        return np.concatenate(parts)


def create_app(service: Service) -> Starlette:
    """The HTTP application. Requests run one batch at a time, because the model uses all cores."""
    turn = asyncio.Lock()
    searches, questions = Batch(turn, service.search), Batch(turn, service.answer)

    async def search(request: Request) -> JSONResponse:
        body = await request.json()
        return JSONResponse({"hits": await searches.ask(Search(str(body["query"]), int(body["k"])))})

    async def answer(request: Request) -> JSONResponse:
        body = await request.json()
        contexts = body.get("contexts")
        question = Question(
            str(body["query"]),
            int(body.get("k", CONTEXT_DOCUMENTS)),
            None if contexts is None else list(map(str, contexts)),
        )
        return JSONResponse(await questions.ask(question))

    async def adapt(request: Request) -> JSONResponse:
        body = await request.json()
        async with turn:
            adapter = await asyncio.to_thread(service.adapt, int(body["steps"]), int(body["seed"]))
        return JSONResponse({"cosine_before": adapter.cosine_before, "cosine_after": adapter.cosine_after})

    async def restore(_: Request) -> JSONResponse:
        async with turn:
            await asyncio.to_thread(service.restore)
        return JSONResponse({"status": "restored"})

    async def compress(request: Request) -> JSONResponse:
        body = await request.json()
        async with turn:
            await asyncio.to_thread(service.compress, int(body["bits"]))
        return JSONResponse({"status": "compressed"})

    async def progress(_: Request) -> JSONResponse:
        return JSONResponse({"answered": service.answered, "embedded": service.embedded})

    return Starlette(
        routes=[
            Route("/search", search, methods=["POST"]),
            Route("/answer", answer, methods=["POST"]),
            Route("/adapter", adapt, methods=["POST"]),
            Route("/adapter", restore, methods=["DELETE"]),
            Route("/index", compress, methods=["POST"]),
            Route("/progress", progress, methods=["GET"]),
        ]
    )


async def serve(
    folders: list[Path], progress: Callable[[str], None] = lambda _: None, *, is_fast: bool = False
) -> None:
    """Serve until SIGTERM."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    app = create_app(await asyncio.to_thread(Service, folders, progress, is_fast=is_fast))
    with listen("127.0.0.1", 0) as listener:
        async with running(app, listener) as url:
            _print(url=url)
            await stop.wait()


def _print(**line: str) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def main(arguments: list[str]) -> None:
    """Serve the suites in the folders given."""
    is_child, is_fast = "--child" in arguments, "--fast" in arguments
    if is_child:
        exit_with_parent()
    folders = [Path(argument) for argument in arguments if argument not in ("--child", "--fast")]
    progress = (lambda status: _print(status=status)) if is_child else (lambda _: None)
    asyncio.run(serve(folders, progress, is_fast=is_fast))


if __name__ == "__main__":
    main(sys.argv[1:])
