"""A retriever that an OpenAPI document describes: where the query goes in and the hits come out is found in it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import orjson
import yaml
from pydantic import Field, PrivateAttr, model_validator

from monitor.adapters.http import json_request, transport
from monitor.adapters.retrievers.hits import ShortRankings
from monitor.adapters.retrievers.http.retriever import HttpOptions, HttpRetriever
from monitor.adapters.retrievers.openapi.document import Document
from monitor.adapters.retrievers.openapi.field_inference import recognise
from monitor.config.config import Duration, Section, validate
from monitor.errors import ConfigError, Reason, RetrieverError
from monitor.model.runs import Ranking
from monitor.strict_yaml import StrictLoader, read_yaml

_LONGEST_DOCUMENT = 16_777_216


class OpenApiOptions(Section):
    """Which operation of which document is asked. What is not plain from the document is named here."""

    document: str = Field(min_length=1, repr=False)
    """The document in JSON or YAML: a file, or a URL that it is fetched from at the first probe."""
    operation: str
    """Its ``operationId``, or method and path such as ``POST /search``."""
    server: transport.Url | None = Field(default=None, repr=False)
    """Where the service answers; the first server of the document if left out."""
    query: str | None = None
    """The field that takes the text of the query; dots lead into nested ones."""
    k: str | None = None
    """The field that takes how many hits are wanted; ``""`` if there is none."""
    hits: str | None = None
    """The list of hits in the answer."""
    id: str | None = None
    """The document id, within a hit."""
    score: str | None = None
    """The score, within a hit; ``""`` if there is none."""
    text: str | None = None
    """The text, within a hit, for judged quotes; ``""`` if it is not wanted."""
    extra: dict[str, Any] = Field(default_factory=dict)
    """Other inputs, by name: parameters of the path, and fields that the operation requires."""
    headers: dict[str, str] = Field(default_factory=dict, repr=False)
    """Sent with every probe; secrets by ``${ENV}``."""
    timeout: Duration = 10.0
    """For a whole probe, from connecting to the last byte."""
    concurrency: int = Field(default=8, ge=1, le=1_000)
    """Probes under way at once."""
    max_body_bytes: int = Field(default=json_request.MAX_BODY_BYTES, ge=1_024)
    """A longer answer is a failure (``malformed``)."""
    short_rankings: ShortRankings = "fail"
    """Whether fewer hits than asked for are a failure (``malformed``) or an answer."""

    _recognised: str = PrivateAttr("")

    @property
    def recognised(self) -> str:
        """What was found in the document, for people; empty until a document from elsewhere is fetched."""
        return self._recognised

    @property
    def is_remote(self) -> bool:
        """Whether the document has to be fetched."""
        return self.document.startswith(("http://", "https://"))

    @model_validator(mode="after")
    def _suits_the_document(self) -> OpenApiOptions:
        if self.is_remote:
            transport.check_url(self.document)
        else:
            http_options(self, _read(Path(self.document)))
        return self


class OpenApiRetriever:
    """Asks as the HTTP retriever does, told by the document."""

    Options = OpenApiOptions

    def __init__(self, options: OpenApiOptions) -> None:
        self.concurrency = options.concurrency
        self._options = options
        self._http: HttpRetriever | None = None

    async def retrieve(self, query: str, k: int) -> Ranking:
        """Return the ``k`` best documents for the query, best first."""
        if self._http is None:
            self._http = await self._open()
        return await self._http.retrieve(query, k)

    async def close(self) -> None:
        """Give back the connections; the document is read anew before the next probe."""
        http, self._http = self._http, None
        if http is not None:
            await http.close()

    async def _open(self) -> HttpRetriever:
        try:
            stated = await self._fetch() if self._options.is_remote else _read(Path(self._options.document))
            options = http_options(self._options, stated)
        except ConfigError as error:
            raise RetrieverError(Reason.REJECTED, str(error)) from error
        return HttpRetriever(options)

    async def _fetch(self) -> Mapping[Any, Any]:
        timeout_s = self._options.timeout
        url, credentials = transport.split_credentials(self._options.document)
        async with transport.open_client(timeout_s=timeout_s, connections=1, headers=credentials) as http_client:
            content = await json_request.send(
                http_client, "GET", url, timeout_s=timeout_s, max_body_bytes=_LONGEST_DOCUMENT
            )
        return _parse(content)


def http_options(options: OpenApiOptions, stated: Mapping[Any, Any]) -> HttpOptions:
    """The options of the HTTP retriever that the document amounts to. Raises ConfigError naming the key to set."""
    document = Document(stated)
    named = options.model_dump(include={"query", "k", "hits", "id", "score", "text"})
    try:
        found = recognise(document, options.operation, named, options.extra)
    except (AttributeError, LookupError, TypeError) as error:  # a list where OpenAPI has a mapping, and the like
        raise ConfigError("document", "is not OpenAPI: a part of it has another form") from error
    shared = options.model_dump(include={"headers", "timeout", "concurrency", "max_body_bytes", "short_rankings"})
    asked = {"url": _server(options, document) + found.path, "method": found.method, "request": found.request}
    options._recognised = str(found)  # the options keep it for whoever shows them
    return validate(HttpOptions, {**shared, **asked, "response": found.response}, where="")


def _server(options: OpenApiOptions, document: Document) -> str:
    server = options.server or document.server
    if options.is_remote and not options.server:
        server = str(httpx.URL(options.document).copy_with(userinfo=b"").join(server or "/"))
    if not server.startswith(("http://", "https://")):
        raise ConfigError("server", "is missing; the document names no server with its host")
    return server.rstrip("/")


def _read(path: Path) -> Mapping[Any, Any]:
    try:
        return _parse_json(path.read_bytes()) if path.suffix == ".json" else read_yaml(path, ConfigError)
    except OSError as error:
        raise ConfigError("document", f"{path} cannot be read: {error.strerror}") from error


def _parse_json(content: bytes) -> Mapping[Any, Any]:
    try:
        stated = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise ConfigError("document", f"is not JSON: {error}") from error
    return stated if isinstance(stated, Mapping) else {}


def _parse(content: bytes) -> Mapping[Any, Any]:
    try:
        stated = orjson.loads(content)
    except orjson.JSONDecodeError:
        try:
            stated = yaml.load(content, Loader=StrictLoader)  # noqa: S506 - a SafeLoader
        except (yaml.YAMLError, RecursionError) as error:
            raise RetrieverError(Reason.MALFORMED, "the document is neither JSON nor YAML") from error
    return stated if isinstance(stated, Mapping) else {}
