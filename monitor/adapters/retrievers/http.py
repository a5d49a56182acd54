"""A retriever behind any HTTP API: a request template out, JMESPath in.

Whatever goes wrong becomes a `RetrieverError` with a reason; nothing else leaves this file.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any, Literal

import httpx
import jmespath
import orjson
from pydantic import Field, field_validator, model_validator

from monitor.adapters import transport
from monitor.adapters.retrievers import seeding
from monitor.config import Duration, Section
from monitor.errors import Reason, RetrieverError
from monitor.model import Ranking
from monitor.passage import Sources


class ResponsePaths(Section):
    """Where the answer holds what, as JMESPath."""

    hits: str = "hits"
    """The list of hits, best first."""
    id: str = "id"
    """The document id, within a hit."""
    score: str | None = "score"
    """The score, within a hit, where there is one."""
    deployment: str | None = None
    """What the retriever says it is serving, where it says so."""
    corpus: str | None = None
    """What the retriever says it searches, such as the version of the index; when it changes, nothing is compared."""
    text: str | None = None
    """The text of a chunk, within a hit: judged quotes are looked for in it, and it is not kept."""
    document: str | None = None
    """The source document of a chunk, within a hit."""
    start: str | None = None
    """Where the chunk starts in its source document, within a hit: characters, counted from 0 …"""
    end: str | None = None
    """… and where it ends, the first character after it."""

    @field_validator("hits", "id", "score", "deployment", "corpus", "text", "document", "start", "end")
    @classmethod
    def _compiles(cls, path: str | None) -> str | None:
        if path is not None:
            try:
                jmespath.compile(path)
            except jmespath.exceptions.JMESPathError as error:
                raise ValueError(f"not JMESPath: {str(error).splitlines()[0].rstrip(':')}") from error
        return path

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
    request: dict[str, Any] = Field(default_factory=lambda: {"query": "{query}", "k": "{k}"})
    """JSON body (POST) or parameters (GET); ``{query}`` and ``{k}`` are filled in. Left out, they are sent as
    ``query`` and ``k``."""
    response: ResponsePaths = ResponsePaths()
    """Where the answer holds what."""

    @field_validator("request")
    @classmethod
    def _can_be_sent(cls, request: dict[str, Any]) -> dict[str, Any]:
        try:
            orjson.dumps(request)
        except TypeError as error:
            raise ValueError(f"cannot be sent as JSON: {error}") from error
        return request

    timeout: Duration = 10.0
    """For a whole probe, from connecting to the last byte."""
    concurrency: int = Field(default=8, ge=1, le=1_000)
    """Probes under way at once."""
    max_body_bytes: int = Field(default=4_194_304, ge=1_024)
    """A longer answer is a failure (``malformed``)."""
    short_rankings: Literal["fail", "accept"] = "fail"
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
        self._read_ids = _column(options.response.id)
        self._read_scores = _column(options.response.score) if options.response.score else None
        self._find_hits = _reader(options.response.hits)
        response = options.response
        self._find_deployment = _reader(response.deployment) if response.deployment else None
        self._find_corpus = _reader(response.corpus) if response.corpus else None
        self._read_texts = _column(response.text) if response.text else None
        self._read_documents = _column(response.document) if response.document else None
        self._read_bounds = (
            (_column(response.start), _column(response.end)) if response.start and response.end else None
        )

    async def retrieve(self, query: str, k: int) -> Ranking:
        """Return the ``k`` best documents for the query, best first."""
        body = await self._fetch(query, k)
        try:
            answer = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise RetrieverError(Reason.MALFORMED, "the answer is not JSON") from error
        return self._to_ranking(answer, k)

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

    async def _fetch(self, query: str, k: int) -> bytes:
        filled = {key: _fill(value, query, k) for key, value in self._options.request.items()}
        is_get = self._options.method == "GET"
        url = self._url.copy_merge_params(filled) if is_get else self._url
        content = None if is_get else orjson.dumps(filled)
        timeout_s = self._options.timeout
        try:
            async with (
                asyncio.timeout(timeout_s),
                self._open().stream(self._options.method, url, content=content) as response,
            ):
                _refuse_status(response)
                return await self._read(response)
        except transport.FAILURES as error:
            reason = transport.reason_of(error)
            raise RetrieverError(reason, transport.describe(error, timeout_s=timeout_s)) from error

    async def _read(self, response: httpx.Response) -> bytes:
        limit, parts, size = self._options.max_body_bytes, [], 0
        async for part in response.aiter_bytes():
            size += len(part)
            if size > limit:
                raise RetrieverError(Reason.MALFORMED, f"the answer is larger than {limit} bytes (max_body_bytes)")
            parts.append(part)
        return b"".join(parts)

    def _open(self) -> httpx.AsyncClient:
        if self._client is None:
            self._client = transport.open_client(
                timeout_s=self._options.timeout,
                connections=self._options.concurrency,
                # Marks probes, so that the target can leave them out of its own analytics.
                headers={"x-recallwatch-probe": "1", **self._credentials, **self._options.headers},
            )
        return self._client

    def _to_ranking(self, answer: Any, k: int) -> Ranking:
        hits = self._find_hits(answer)
        if not isinstance(hits, list):
            raise RetrieverError(Reason.MALFORMED, f"the answer has no list at {self._options.response.hits!r}")
        hits = hits[:k]
        doc_ids = _doc_ids(self._read_ids(hits))
        if len(set(doc_ids)) != len(doc_ids):
            raise RetrieverError(Reason.MALFORMED, "the ranking names a document twice")
        if len(doc_ids) < k and self._options.short_rankings == "fail":
            raise RetrieverError(
                Reason.MALFORMED,
                f"{len(doc_ids)} hits where {k} were asked for; if that is right, set short_rankings: accept",
            )
        deployment = self._find_deployment(answer) if self._find_deployment else None
        corpus = self._find_corpus(answer) if self._find_corpus else None
        return Ranking(
            doc_ids,
            self._scores(hits),
            None if deployment is None else str(deployment),
            self._sources(hits),
            self._texts(hits),
            None if corpus is None else str(corpus),
        )

    def _sources(self, hits: list[Any]) -> Sources | None:
        if self._read_documents is None:
            return None
        documents = _doc_ids(self._read_documents(hits), "source document")
        if self._read_bounds is None:
            return Sources(documents)
        starts, ends = (tuple(read(hits)) for read in self._read_bounds)
        if not {*map(type, starts), *map(type, ends)} <= {int} or not all(map(_is_span, starts, ends)):
            raise RetrieverError(Reason.MALFORMED, "the start or end of a hit is not a place in its document")
        return Sources(documents, starts, ends)

    def _texts(self, hits: list[Any]) -> tuple[str, ...] | None:
        if self._read_texts is None:
            return None
        texts = self._read_texts(hits)
        if not {*map(type, texts)} <= {str}:
            raise RetrieverError(Reason.MALFORMED, f"a hit has no text at {self._options.response.text!r}")
        return tuple(texts)

    def _scores(self, hits: list[Any]) -> tuple[float, ...] | None:
        if self._read_scores is None or not hits:
            return None
        scores = self._read_scores(hits)
        if scores[0] is None:
            return None
        if not {*map(type, scores)} <= {int, float} or not all(map(math.isfinite, scores)):
            raise RetrieverError(Reason.MALFORMED, "a score is not a finite number")
        return tuple(map(float, scores))


def _column(path: str) -> Callable[[list[Any]], list[Any]]:
    """What finds the path in each of many values; plain keys, the common case, without a loop in Python."""
    read, get = _reader(path), itemgetter(path)
    if not path.isidentifier():
        return lambda values: list(map(read, values))

    def read_all(values: list[Any]) -> list[Any]:
        try:
            return list(map(get, values))
        except (LookupError, TypeError):  # some value has no such key
            return list(map(read, values))

    return read_all


def _reader(path: str) -> Callable[[Any], Any]:
    """What finds the path in a value."""
    expression = jmespath.compile(path)

    def read(value: Any) -> Any:
        try:
            return expression.search(value)
        except jmespath.exceptions.JMESPathError as error:
            raise RetrieverError(Reason.MALFORMED, f"the answer does not suit the expression {path!r}") from error

    return read


def _doc_ids(values: list[Any], noun: str = "document id") -> tuple[str, ...]:
    if not {*map(type, values)} <= {str, int} or "" in values:
        raise RetrieverError(Reason.MALFORMED, f"a hit has no {noun}")
    return tuple(map(str, values))


def _is_span(start: int, end: int) -> bool:
    return 0 <= start <= end


def _fill(value: Any, query: str, k: int) -> Any:
    if value == "{query}":
        return query
    if value == "{k}":
        return k
    if isinstance(value, dict):
        return {key: _fill(each, query, k) for key, each in value.items()}
    if isinstance(value, list):
        return [_fill(each, query, k) for each in value]
    return value.replace("{k}", str(k)).replace("{query}", query) if isinstance(value, str) else value


def _refuse_status(response: httpx.Response) -> None:
    reason = transport.reason_of_status(response.status_code)
    if reason is not None:
        hint = ": check the credentials" if reason is Reason.UNAUTHORISED else ""
        retry_after_s = transport.retry_after_s(response)
        raise RetrieverError(reason, f"HTTP {response.status_code}{hint}", retry_after_s=retry_after_s)
