"""Talks to any HTTP API that takes and returns JSON, through a request template and JMESPaths.

Every failure is a `RetrieverError` with a reason.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple
from uuid import uuid4

import httpx
from pydantic import Field, IPvAnyNetwork, model_validator

from monitor.adapters.http import json_request, transport
from monitor.adapters.http.jmespath import JsonPath, column, reader
from monitor.adapters.http.template import Template, fill
from monitor.adapters.retrievers.hits import Hits, RankingOptions, to_ranking
from monitor.adapters.retrievers.http import seeding
from monitor.adapters.retrievers.http.pages import Paging, further_hits
from monitor.config.config import Duration, Section
from monitor.errors import Reason, RetrieverError
from monitor.model.runs import Ranking

NO_CACHE = {"cache-control": "no-cache", "pragma": "no-cache"}


class ResponsePaths(Section):
    """JMESPaths of the fields in the response."""

    hits: JsonPath = "hits"
    """List of hits, best first."""
    id: JsonPath = "id"
    """Document id, within a hit."""
    score: JsonPath | None = "score"
    """Score, within a hit; null if hits have none."""
    deployment: JsonPath | None = None
    """Deployment that the retriever reports, such as its model version; a change is a swap."""
    corpus: JsonPath | None = None
    """Corpus that the retriever reports, such as its index version; runs with different corpora are not compared."""
    text: JsonPath | None = None
    """Text of the chunk, within a hit; matched with judged quotes and not stored."""
    document: JsonPath | None = None
    """Source document of the chunk, within a hit."""
    start: JsonPath | None = None
    """Start of the chunk in its source document, within a hit: offset of the first character, from 0."""
    end: JsonPath | None = None
    """End of the chunk in its source document, within a hit: offset of the character after it."""

    @model_validator(mode="after")
    def _spans_are_complete(self) -> ResponsePaths:
        if (self.start is None) != (self.end is None) or (self.start is not None and self.document is None):
            raise ValueError("start and end must be set together, and need document")
        return self


class HttpOptions(RankingOptions):
    """Request template and the paths of the fields in the response."""

    url: transport.Url = Field(repr=False)
    """URL of the retriever; a user and password in it are sent as basic authentication."""
    method: Literal["POST", "GET"] = "POST"
    """HTTP method of each probe: ``POST`` or ``GET``."""
    headers: dict[str, str] = Field(default_factory=dict, repr=False)
    """Extra headers of every probe; use ``${ENV}`` for secrets."""
    request: Template = Field(default_factory=lambda: {"query": "{query}", "k": "{k}"})
    """JSON body (POST) or query parameters (GET), with the placeholders ``{query}`` and ``{k}``. Default: the fields
    ``query`` and ``k``."""
    response: ResponsePaths = ResponsePaths()
    """Paths of the fields in the response."""
    paging: Paging | None = None
    """How to request the next page, for APIs that return hits in pages."""

    deployment_header: str | None = None
    """Response header with the deployment, such as the model version; a change is a swap."""
    bypass_cache: bool = False
    """Whether to send the headers ``cache-control: no-cache`` and ``pragma: no-cache``, so that a cache in front of the
    retriever does not hide a swap. For a cache that ignores them, put ``{unique}`` into ``request``: it is another text
    in every probe."""

    allow_private: tuple[IPvAnyNetwork, ...] | None = None
    """Networks whose loopback and private addresses may be probed; by default any. Link-local addresses and those of
    metadata services never are. A gate over HTTP sets it to ``server.allow_private``."""
    timeout: Duration = 10.0
    """Time limit for a probe, from connecting to the end of the response."""
    concurrency: int = Field(default=8, ge=1, le=1_000)
    """Maximum number of concurrent probes."""
    max_body_bytes: int = Field(default=json_request.MAX_BODY_BYTES, ge=1_024)
    """Maximum size of a response; a longer one is a failure (``malformed``)."""
    seed: seeding.SeedOptions | None = None
    """How `recallwatch suite seed` writes documents into a separate namespace; needs ``unseed``."""
    unseed: seeding.UnseedOptions | None = None
    """How that namespace is deleted."""


class Response(NamedTuple):
    """The body of a response, and the deployment in its headers."""

    body: Any
    deployment: str | None


class HttpRetriever:
    """Sends queries to a retriever over HTTP."""

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
        return self._to_ranking(*await self._search(query, k), k)

    async def raw_hits(self, query: str, k: int) -> Sequence[Any]:
        """Return the hits as the target returns them."""
        return (await self._search(query, k))[1][:k]

    async def seed(self, documents: Sequence[seeding.Document]) -> None:
        """Write documents into the namespace that the target searches."""
        seed, _ = seeding.require_both(self._options.seed, self._options.unseed)
        await seeding.write(seed, documents, self._open(), self._options.timeout)

    async def unseed(self) -> None:
        """Delete that namespace."""
        _, unseed = seeding.require_both(self._options.seed, self._options.unseed)
        await seeding.remove(unseed, self._open(), self._options.timeout)

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def _search(self, query: str, k: int) -> tuple[Response, list[Any]]:
        request = fill(self._options.request, query=query, k=k, unique=uuid4().hex)
        paging = self._options.paging
        if paging is None:
            return await self._fetch(request, self._options.timeout)
        deadline = time.monotonic() + self._options.timeout

        async def fetch(page_request: dict[str, Any]) -> tuple[Response, list[Any]]:
            return await self._fetch(page_request, max(0.0, deadline - time.monotonic()))

        response, hits = await fetch(request)
        await further_hits(paging, request, response, hits, k, fetch)
        return response, hits

    def _open(self) -> httpx.AsyncClient:
        if self._client is None:
            self._client = transport.open_client(
                timeout_s=self._options.timeout,
                connections=self._options.concurrency,
                headers={
                    **json_request.PROBE_HEADER,
                    **(NO_CACHE if self._options.bypass_cache else {}),
                    **self._credentials,
                    **self._options.headers,
                },
                private=self._options.allow_private,
            )
        return self._client

    async def _fetch(self, request: dict[str, Any], timeout_s: float) -> tuple[Response, list[Any]]:
        is_get = self._options.method == "GET"
        headers: dict[str, str] = {}
        response = await json_request.request_json(
            self._open(),
            self._options.method,
            self._url.copy_merge_params(request) if is_get else self._url,
            None if is_get else request,
            timeout_s=timeout_s,
            max_body_bytes=self._options.max_body_bytes,
            read_headers=headers.update if self._options.deployment_header else None,
        )
        hits = self._find_hits(response)
        if not isinstance(hits, list):
            raise RetrieverError(Reason.MALFORMED, f"the response has no list at {self._options.response.hits!r}")
        return Response(response, headers.get((self._options.deployment_header or "").lower())), hits

    def _to_ranking(self, answer: Response, hits: list[Any], k: int) -> Ranking:
        response = answer.body
        top_hits = hits[:k]
        columns = {name: read(top_hits) for name, read in self._columns.items()}
        deployment = self._find_deployment(response) if self._find_deployment else None
        corpus = self._find_corpus(response) if self._find_corpus else None
        return to_ranking(
            Hits(**columns),
            k,
            self._options,
            deployment=answer.deployment if deployment is None else str(deployment),
            corpus=None if corpus is None else str(corpus),
        )
