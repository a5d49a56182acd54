"""An answerer behind any HTTP API: a request template out, JMESPath in; at once or in pieces."""

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
    """Where the response holds what, as JMESPath."""

    answer: JsonPath = "answer"
    """The text of the answer; of one piece of it, where it is streamed."""
    documents: JsonPath | None = "documents"
    """Ids of the documents that it was written from, in their order, where it tells."""
    citations: JsonPath | None = "citations"
    """Ids of the documents that it cites, where it does."""
    model: JsonPath | None = "model"
    """The model that wrote it, where it says so."""
    deployment: JsonPath | None = None
    """What it says it is serving, where it says so."""
    tokens: JsonPath | None = None
    """An object with the numbers of ``prompt`` and ``completion`` tokens, where it counts them."""


class HttpOptions(Section):
    """How to ask, and where the response holds the answer."""

    url: transport.Url = Field(repr=False)
    """Where the RAG answers; user and password in it become basic authentication."""
    method: Literal["POST", "PUT"] = "POST"
    """How it is asked."""
    headers: dict[str, str] = Field(default_factory=dict, repr=False)
    """Sent with every request; secrets by ``${ENV}``."""
    request: Template = Field(default_factory=lambda: {"query": "{query}"})
    """JSON body; ``{query}`` is filled in."""
    contexts_request: Template | None = None
    """JSON body of a request that gives the texts to answer from; ``{query}`` and ``{contexts}``, a list, are filled
    in. With it, retrieval and generation can be told apart by replaying."""
    response: AnswerPaths = AnswerPaths()
    """Where the response holds what."""
    stream: Literal["no", "events", "lines"] = "no"
    """Whether the answer comes in pieces: server-sent ``events``, or JSON in ``lines``."""
    timeout: Duration = 60.0
    """For the whole of an answer."""
    concurrency: int = Field(default=4, ge=1, le=1_000)
    """Answers under way at once."""
    max_body_bytes: int = Field(default=4_194_304, ge=1)
    """A longer response is a failure."""

    @model_validator(mode="after")
    def _asks_something(self) -> HttpOptions:
        if not _names(self.request, "query"):
            raise ValueError("request names no {query}: every query would be asked alike")
        if self.contexts_request and not _names(self.contexts_request, "query", "contexts"):
            raise ValueError("contexts_request must name both {query} and {contexts}")
        return self


class HttpAnswerer:
    """Asks a RAG over HTTP."""

    Options = HttpOptions

    def __init__(self, options: HttpOptions) -> None:
        self.concurrency = options.concurrency
        self.takes_contexts = options.contexts_request is not None
        self._options = options
        stated = options.response.model_dump()
        self._find = {name: reader(path, AnswererError) for name, path in stated.items() if path}
        self._api = JsonApi(
            options.url,
            timeout_s=options.timeout,
            connections=options.concurrency,
            headers=options.headers,
            max_body_bytes=options.max_body_bytes,
            failure=AnswererError,
        )

    async def answer(self, query: str, contexts: Sequence[str] | None = None) -> Answer:
        """The answer to a query, from these texts alone where they are given."""
        body = self._body(query, contexts)
        if self._options.stream == "no":
            return self._to_answer([await self._api.ask(self._options.method, body=body)])
        content = await self._api.fetch(self._options.method, body=body)
        return self._to_answer(list(event_stream.pieces(content, AnswererError)))

    async def close(self) -> None:
        """Give back the connections."""
        await self._api.close()

    def _body(self, query: str, contexts: Sequence[str] | None) -> Any:
        if contexts is None:
            return fill(self._options.request, query=query)
        if self._options.contexts_request is None:
            raise AnswererError(Reason.REJECTED, "takes no contexts: contexts_request is not configured")
        return fill(self._options.contexts_request, query=query, contexts=list(contexts))

    def _to_answer(self, pieces: list[Any]) -> Answer:
        texts = [text for piece in pieces if (text := self._find["answer"](piece)) is not None]
        if not texts or not all(isinstance(text, str) for text in texts):
            raise AnswererError(Reason.MALFORMED, f"the response has no text at {self._options.response.answer!r}")
        return Answer(
            "".join(texts),
            self._ids("documents", pieces),
            self._ids("citations", pieces),
            self._word("model", pieces),
            self._word("deployment", pieces),
            self._tokens(pieces),
        )

    def _last(self, name: str, pieces: list[Any]) -> Any:
        """What the last piece that says anything about it says."""
        if name not in self._find:
            return None
        found = (self._find[name](piece) for piece in reversed(pieces))
        return next((each for each in found if each is not None), None)

    def _ids(self, name: str, pieces: list[Any]) -> tuple[str, ...] | None:
        found = self._last(name, pieces)
        if found is None:
            return None
        if not isinstance(found, list) or not {*map(type, found)} <= {str, int} or "" in found:
            path = getattr(self._options.response, name)
            raise AnswererError(Reason.MALFORMED, f"the response has no list of document ids at {path!r}")
        return tuple(dict.fromkeys(map(str, found)))

    def _word(self, name: str, pieces: list[Any]) -> str | None:
        found = self._last(name, pieces)
        return None if found is None else str(found) if isinstance(found, str | int) else orjson.dumps(found).decode()

    def _tokens(self, pieces: list[Any]) -> dict[str, int]:
        found = self._last("tokens", pieces)
        counted = found.items() if isinstance(found, dict) else ()
        return {key: value for key, value in counted if isinstance(value, int) and key in ("prompt", "completion")}


def _names(template: dict[str, Any], *placeholders: str) -> bool:
    blank = dict.fromkeys(placeholders, "")
    return all(fill(template, **blank) != fill(template, **{**blank, name: "?"}) for name in placeholders)
