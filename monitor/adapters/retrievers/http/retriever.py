"""A retriever behind any HTTP API: a request template out, JMESPath in.

Whatever goes wrong becomes a `RetrieverError` with a reason; nothing else leaves this file.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Literal

import httpx
from pydantic import Field, model_validator

from monitor.adapters.http import json_request, transport
from monitor.adapters.http.jmespath import JsonPath, column, reader
from monitor.adapters.http.template import Template, fill
from monitor.adapters.retrievers.hits import Hits, ShortRankings, to_ranking
from monitor.adapters.retrievers.http import seeding
from monitor.adapters.retrievers.http.pages import Paging, further_hits
from monitor.config.config import Duration, Section
from monitor.errors import Reason, RetrieverError
from monitor.model.runs import Ranking


class ResponsePaths(Section):
    """Where the answer holds what, as JMESPath."""

    hits: JsonPath = "hits"
    """The list of hits, best first."""
    id: JsonPath = "id"
    """The document id, within a hit."""
    score: JsonPath | None = "score"
    """The score, within a hit, where there is one."""
    deployment: JsonPath | None = None
    """What the retriever says it is serving, where it says so."""
    corpus: JsonPath | None = None
    """What the retriever says it searches, such as the version of the index; when it changes, nothing is compared."""
    text: JsonPath | None = None
    """The text of a chunk, within a hit: judged quotes are looked for in it, and it is not kept."""
    document: JsonPath | None = None
    """The source document of a chunk, within a hit."""
    start: JsonPath | None = None
    """Where the chunk starts in its source document, within a hit: characters, counted from 0 …"""
    end: JsonPath | None = None
    """… and where it ends, the first character after it."""

    @model_validator(mode="after")
    def _places_are_whole(self) -> ResponsePaths:
        if (self.start is None) != (self.end is None) or (self.start is not None and self.document is None):
            raise ValueError("start and end go together, and with document")
        return self


class HttpOptions(Section):
    """How to ask, and where the answer holds what."""

    url: transport.Url = Field(repr=False)
    """Where the retriever answers; user and password in it become basic authentication."""
    method: Literal["POST", "GET"] = "POST"
    """How it is asked: ``POST`` or ``GET``."""
    headers: dict[str, str] = Field(default_factory=dict, repr=False)
    """Sent with every probe; secrets by ``${ENV}``."""
    request: Template = Field(default_factory=lambda: {"query": "{query}", "k": "{k}"})
    """JSON body (POST) or parameters (GET); ``{query}`` and ``{k}`` are filled in. Left out, they are sent as
    ``query`` and ``k``."""
    response: ResponsePaths = ResponsePaths()
    """Where the answer holds what."""
    paging: Paging | None = None
    """How the next page is asked for, where one answer does not bring all hits."""

    timeout: Duration = 10.0
    """For a whole probe, from connecting to the last byte."""
    concurrency: int = Field(default=8, ge=1, le=1_000)
    """Probes under way at once."""
    max_body_bytes: int = Field(default=json_request.MAX_BODY_BYTES, ge=1_024)
    """A longer answer is a failure (``malformed``)."""
    short_rankings: ShortRankings = "fail"
    """Whether fewer hits than asked for are a failure (``malformed``) or an answer."""
    seed: seeding.SeedOptions | None = None
    """How documents are written into a namespace of their own, for `recallwatch suite seed`; with ``unseed``."""
    unseed: seeding.UnseedOptions | None = None
    """How that namespace is removed."""


class HttpRetriever:
    """Asks a retriever over HTTP."""

    Options = HttpOptions

    def __init__(self, options: HttpOptions) -> None:
        self.concurrency = options.concurrency
        self._options = options
        self._url, self._credentials = transport.split_credentials(options.url)
        self._client: httpx.AsyncClient | None = None
        response = options.response
        self._find_hits = reader(response.hits)
        self._find_deployment = reader(response.deployment) if response.deployment else None
        self._find_corpus = reader(response.corpus) if response.corpus else None
        paths = {
            "doc_ids": response.id,
            "scores": response.score,
            "documents": response.document,
            "starts": response.start,
            "ends": response.end,
            "texts": response.text,
        }
        self._columns = {name: column(path) for name, path in paths.items() if path}

    async def retrieve(self, query: str, k: int) -> Ranking:
        """Return the ``k`` best documents for the query, best first."""
        request = fill(self._options.request, query=query, k=k)
        paging = self._options.paging
        if paging is None:
            return self._to_ranking(*await self._ask(request, self._options.timeout), k)
        deadline = time.monotonic() + self._options.timeout

        async def ask(page: dict[str, Any]) -> tuple[Any, list[Any]]:
            return await self._ask(page, max(0.0, deadline - time.monotonic()))

        answer, hits = await ask(request)
        await further_hits(paging, request, answer, hits, k, ask)
        return self._to_ranking(answer, hits, k)

    async def seed(self, documents: Sequence[seeding.Document]) -> None:
        """Write documents into the namespace that the target searches."""
        seed, _ = seeding.prepared(self._options.seed, self._options.unseed)
        await seeding.write(seed, documents, self._open(), self._options.timeout)

    async def unseed(self) -> None:
        """Remove that namespace."""
        _, unseed = seeding.prepared(self._options.seed, self._options.unseed)
        await seeding.remove(unseed, self._open(), self._options.timeout)

    async def close(self) -> None:
        """Give back the connections."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    def _open(self) -> httpx.AsyncClient:
        if self._client is None:
            self._client = transport.open_client(
                timeout_s=self._options.timeout,
                connections=self._options.concurrency,
                headers={**json_request.PROBE_HEADER, **self._credentials, **self._options.headers},
            )
        return self._client

    async def _ask(self, request: dict[str, Any], timeout_s: float) -> tuple[Any, list[Any]]:
        is_get = self._options.method == "GET"
        answer = await json_request.ask(
            self._open(),
            self._options.method,
            self._url.copy_merge_params(request) if is_get else self._url,
            None if is_get else request,
            timeout_s=timeout_s,
            max_body_bytes=self._options.max_body_bytes,
        )
        hits = self._find_hits(answer)
        if not isinstance(hits, list):
            raise RetrieverError(Reason.MALFORMED, f"the answer has no list at {self._options.response.hits!r}")
        return answer, hits

    def _to_ranking(self, answer: Any, hits: list[Any], k: int) -> Ranking:
        asked_for = hits[:k]
        columns = {name: read(asked_for) for name, read in self._columns.items()}
        deployment = self._find_deployment(answer) if self._find_deployment else None
        corpus = self._find_corpus(answer) if self._find_corpus else None
        return to_ranking(
            Hits(**columns),
            k,
            short=self._options.short_rankings,
            deployment=None if deployment is None else str(deployment),
            corpus=None if corpus is None else str(corpus),
        )
