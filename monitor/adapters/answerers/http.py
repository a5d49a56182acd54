"""Answerer behind any HTTP API that takes and returns JSON, as one response or as a stream."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import orjson
from pydantic import Field, model_validator

from monitor.adapters.http import event_stream, transport
from monitor.adapters.http.jmespath import JsonPath, reader
from monitor.adapters.http.json_api import JsonApi
from monitor.adapters.http.template import Template, fill
from monitor.config.config import Duration, Section
from monitor.errors import AnswererError, Reason
from monitor.model.answers import Answer


class AnswerPaths(Section):
    """JMESPaths of the fields in the response."""

    answer: JsonPath = "answer"
    """Text of the answer, or of one event if the response is streamed."""
    documents: JsonPath | None = "documents"
    """Ids of the retrieved documents, in the order they were used; null if the service does not return them."""
    citations: JsonPath | None = "citations"
    """Ids of the cited documents; null if the service does not return them."""
    contexts: JsonPath | None = None
    """Texts that the answer was written from; null if the service does not return them. Context replay sends them."""
    model: JsonPath | None = "model"
    """Name of the model; null if the service does not return it."""
    deployment: JsonPath | None = None
    """Deployment that answered; null if the service does not return it."""
    tokens: JsonPath | None = None
    """Object with the counts of ``prompt`` and ``completion`` tokens; null if the service does not return them."""


class HttpOptions(Section):
    """Request templates and the paths of the answer in the response."""

    url: transport.Url = Field(repr=False)
    """URL of the RAG service; a user and password in it are sent as basic authentication."""
    method: Literal["POST", "PUT"] = "POST"
    """HTTP method of each request."""
    headers: dict[str, str] = Field(default_factory=dict, repr=False)
    """Extra headers of every request; use ``${ENV}`` for secrets."""
    request: Template = Field(default_factory=lambda: {"query": "{query}"})
    """JSON body with the placeholder ``{query}``."""
    contexts_request: Template | None = None
    """JSON body of a request that also sends the texts to answer from, with the placeholders ``{query}`` and
    ``{contexts}`` (a list). Context replay needs it to separate retrieval from generation."""
    response: AnswerPaths = AnswerPaths()
    """Paths of the fields in the response."""
    stream: Literal["no", "events", "lines"] = "no"
    """Whether the response is a stream: server-sent ``events``, or JSON ``lines``."""
    timeout: Duration = 60.0
    """Time limit for a complete answer."""
    concurrency: int = Field(default=4, ge=1, le=1_000)
    """Maximum number of concurrent requests."""
    max_body_bytes: int = Field(default=4_194_304, ge=1)
    """Maximum size of a response; a longer one is a failure."""

    @model_validator(mode="after")
    def _has_placeholders(self) -> HttpOptions:
        if not _has_all(self.request, "query"):
            raise ValueError("request must contain {query}; without it every query gets the same answer")
        if self.contexts_request and not _has_all(self.contexts_request, "query", "contexts"):
            raise ValueError("contexts_request must contain both {query} and {contexts}")
        return self


class HttpAnswerer:
    """Sends queries to a RAG service over HTTP."""

    Options = HttpOptions

    def __init__(self, options: HttpOptions) -> None:
        self.concurrency = options.concurrency
        self.takes_contexts, self.needs_contexts = options.contexts_request is not None, False
        self._options = options
        paths = options.response.model_dump()
        self._find = {name: reader(path, AnswererError) for name, path in paths.items() if path}
        self._api = JsonApi(
            options.url,
            timeout_s=options.timeout,
            connections=options.concurrency,
            headers=options.headers,
            max_body_bytes=options.max_body_bytes,
            failure=AnswererError,
        )

    async def answer(self, query: str, contexts: Sequence[str] | None = None) -> Answer:
        """Return the answer to a query; with ``contexts``, from these texts only."""
        body = self._body(query, contexts)
        if self._options.stream == "no":
            return self._to_answer([await self._api.request_json(self._options.method, body=body)])
        content = await self._api.request_bytes(self._options.method, body=body)
        return self._to_answer(list(event_stream.read_events(content, AnswererError)))

    async def close(self) -> None:
        """Close the connections."""
        await self._api.close()

    def _body(self, query: str, contexts: Sequence[str] | None) -> Any:
        if contexts is None:
            return fill(self._options.request, query=query)
        if self._options.contexts_request is None:
            raise AnswererError(Reason.REJECTED, "the answerer takes no contexts: contexts_request is not configured")
        return fill(self._options.contexts_request, query=query, contexts=list(contexts))

    def _to_answer(self, events: list[Any]) -> Answer:
        texts = [text for event in events if (text := self._find["answer"](event)) is not None]
        if not texts or not all(isinstance(text, str) for text in texts):
            raise AnswererError(Reason.MALFORMED, f"the response has no text at {self._options.response.answer!r}")
        return Answer(
            text="".join(texts),
            doc_ids=self._ids("documents", events),
            citations=self._ids("citations", events),
            contexts=self._contexts(events),
            model=self._label("model", events),
            deployment=self._label("deployment", events),
            tokens=self._tokens(events),
        )

    def _last(self, name: str, events: list[Any]) -> Any:
        """Return the most recent value of a field, or None if no event has one."""
        if name not in self._find:
            return None
        values = (self._find[name](event) for event in reversed(events))
        return next((value for value in values if value is not None), None)

    def _ids(self, name: str, events: list[Any]) -> tuple[str, ...] | None:
        ids = self._last(name, events)
        if ids is None:
            return None
        if not isinstance(ids, list) or not {*map(type, ids)} <= {str, int} or "" in ids:
            path = getattr(self._options.response, name)
            raise AnswererError(Reason.MALFORMED, f"the response has no list of document ids at {path!r}")
        return tuple(dict.fromkeys(map(str, ids)))

    def _contexts(self, events: list[Any]) -> tuple[str, ...] | None:
        texts = self._last("contexts", events)
        if texts is not None and (not isinstance(texts, list) or not {*map(type, texts)} <= {str}):
            path = self._options.response.contexts
            raise AnswererError(Reason.MALFORMED, f"the response has no list of texts at {path!r}")
        return None if texts is None else tuple(texts)

    def _label(self, name: str, events: list[Any]) -> str | None:
        value = self._last(name, events)
        return None if value is None else str(value) if isinstance(value, str | int) else orjson.dumps(value).decode()

    def _tokens(self, events: list[Any]) -> dict[str, int]:
        usage = self._last("tokens", events)
        counts = usage.items() if isinstance(usage, dict) else ()
        return {key: value for key, value in counts if isinstance(value, int) and key in ("prompt", "completion")}


def _has_all(template: dict[str, Any], *placeholders: str) -> bool:
    blank = dict.fromkeys(placeholders, "")
    return all(fill(template, **blank) != fill(template, **{**blank, name: "?"}) for name in placeholders)
