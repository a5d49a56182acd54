"""Talks to an HTTP API that an OpenAPI document describes; request and response fields are inferred from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import orjson
import yaml
from pydantic import Field, PrivateAttr, SecretStr, model_validator

from monitor.adapters.http import json_request, transport
from monitor.adapters.retrievers.hits import RankingOptions
from monitor.adapters.retrievers.http.retriever import HttpOptions, HttpRetriever
from monitor.adapters.retrievers.openapi.document import Document
from monitor.adapters.retrievers.openapi.field_inference import infer_fields
from monitor.adapters.retrievers.openapi.security import NOTHING, place_credential
from monitor.adapters.secret import read_optional
from monitor.config.config import Duration, validate
from monitor.errors import ConfigError, Reason, RetrieverError
from monitor.model.runs import Ranking
from monitor.strict_yaml import StrictLoader, read_yaml

_MAX_DOCUMENT_BYTES = 16_777_216
_OWN = {"timeout", "concurrency", "max_body_bytes", "deployment_header", "bypass_cache"}
_SHARED = _OWN | set(RankingOptions.model_fields)
"""Options that are passed on as they are."""


class OpenApiOptions(RankingOptions):
    """OpenAPI document and operation, and overrides of fields that cannot be inferred."""

    document: str = Field(min_length=1, repr=False)
    """OpenAPI document in JSON or YAML: a file, or a URL that is fetched at the first probe."""
    operation: str
    """``operationId``, or method and path such as ``POST /search``."""
    server: transport.Url | None = Field(default=None, repr=False)
    """Base URL of the service; default: the first server of the document."""
    query: str | None = None
    """Request field for the text of the query; use dots for nested fields."""
    k: str | None = None
    """Request field for the number of hits; ``""`` if there is none."""
    hits: str | None = None
    """List of hits in the response."""
    id: str | None = None
    """Document id, within a hit."""
    score: str | None = None
    """Score, within a hit; ``""`` if there is none."""
    text: str | None = None
    """Text, within a hit, matched with judged quotes; ``""`` to ignore it."""
    extra: dict[str, Any] = Field(default_factory=dict, repr=False)
    """Other inputs by name: path and query parameters, headers, and fields that the operation requires."""
    credential: SecretStr | None = Field(default=None, repr=False)
    """Token, key or ``user:password``, placed by the security scheme of the operation; use ``${ENV}``."""
    credential_file: Path | None = None
    """File with the credential, instead of ``credential``."""
    is_open: bool = False
    """Whether the service requires no credential although its document declares one."""
    headers: dict[str, str] = Field(default_factory=dict, repr=False)
    """Extra headers of every probe; use ``${ENV}`` for secrets."""
    timeout: Duration = 10.0
    """Time limit for a probe, from connecting to the end of the response."""
    concurrency: int = Field(default=8, ge=1, le=1_000)
    """Maximum number of concurrent probes."""
    max_body_bytes: int = Field(default=json_request.MAX_BODY_BYTES, ge=1_024)
    """Maximum size of a response; a longer one is a failure (``malformed``)."""
    deployment_header: str | None = None
    """Response header with the deployment, such as the model version; a change is a swap."""
    bypass_cache: bool = False
    """Whether to send the headers ``cache-control: no-cache`` and ``pragma: no-cache``."""

    _inferred: str = PrivateAttr("")

    @property
    def inferred_fields(self) -> str:
        """Summary of the inferred fields for display; empty until a remote document is fetched."""
        return self._inferred

    @property
    def is_remote(self) -> bool:
        """Whether the document is a URL."""
        return self.document.startswith(("http://", "https://"))

    @model_validator(mode="after")
    def _has_at_most_one_credential(self) -> OpenApiOptions:
        read_optional(self, "credential")
        return self

    @model_validator(mode="after")
    def _fits_the_document(self) -> OpenApiOptions:
        if self.is_remote:
            transport.check_url(self.document)
        else:
            http_options(self, _load(Path(self.document)))
        return self


class OpenApiRetriever:
    """Uses the HTTP retriever with options inferred from the document."""

    Options = OpenApiOptions

    def __init__(self, options: OpenApiOptions) -> None:
        self.concurrency = options.concurrency
        self._options = options
        self._http: HttpRetriever | None = None

    async def retrieve(self, query: str, k: int) -> Ranking:
        """Return the ``k`` best documents for the query, best first."""
        return await (await self._connected()).retrieve(query, k)

    async def raw_hits(self, query: str, k: int) -> Sequence[Any]:
        """Return the hits as the service returns them."""
        return await (await self._connected()).raw_hits(query, k)

    async def close(self) -> None:
        """Close the connections; the document is read again before the next probe."""
        http, self._http = self._http, None
        if http is not None:
            await http.close()

    async def _connected(self) -> HttpRetriever:
        if self._http is None:
            self._http = await self._open()
        return self._http

    async def _open(self) -> HttpRetriever:
        try:
            content = await self._fetch() if self._options.is_remote else _load(Path(self._options.document))
            options = http_options(self._options, content)
        except ConfigError as error:
            raise RetrieverError(Reason.REJECTED, str(error)) from error
        return HttpRetriever(options)

    async def _fetch(self) -> Mapping[Any, Any]:
        timeout_s = self._options.timeout
        url, credentials = transport.split_credentials(self._options.document)
        async with transport.open_client(timeout_s=timeout_s, connections=1, headers=credentials) as http_client:
            content = await json_request.request_bytes(
                http_client, "GET", url, timeout_s=timeout_s, max_body_bytes=_MAX_DOCUMENT_BYTES
            )
        return _parse(content)


def http_options(options: OpenApiOptions, content: Mapping[Any, Any]) -> HttpOptions:
    """Derive the options of the HTTP retriever. Raises ConfigError with the key to set."""
    document = Document(content)
    overrides = options.model_dump(include={"query", "k", "hits", "id", "score", "text"})
    try:
        inferred = infer_fields(document, options.operation, overrides, options.extra)
    except (AttributeError, LookupError, TypeError) as error:  # for example a list where OpenAPI needs a mapping
        raise ConfigError("document", "is not valid OpenAPI") from error
    operation, credential = document.operation(options.operation), read_optional(options, "credential")
    headers = [*options.headers, *inferred.headers]
    secret = NOTHING if options.is_open else place_credential(document, operation, credential, headers)
    url = httpx.URL(_server(options, document) + inferred.path)
    parameters = {**inferred.parameters, **secret.parameters}
    request = {
        "url": str(url.copy_merge_params(parameters)) if parameters else str(url),
        "method": inferred.method,
        "request": inferred.request,
        "headers": {**secret.headers, **inferred.headers, **options.headers},
    }
    options._inferred = str(inferred)  # kept for `recallwatch check`
    shared = options.model_dump(include=_SHARED)
    return validate(HttpOptions, {**shared, **request, "response": inferred.response}, where="")


def _server(options: OpenApiOptions, document: Document) -> str:
    server = options.server or document.server
    if options.is_remote and not options.server:
        server = str(httpx.URL(options.document).copy_with(userinfo=b"").join(server or "/"))
    if not server.startswith(("http://", "https://")):
        raise ConfigError("server", "is missing; the document has no server URL with a host")
    return server.rstrip("/")


def _load(path: Path) -> Mapping[Any, Any]:
    try:
        return _parse_json(path.read_bytes()) if path.suffix == ".json" else read_yaml(path, ConfigError)
    except OSError as error:
        raise ConfigError("document", f"{path} cannot be read: {error.strerror}") from error


def _parse_json(content: bytes) -> Mapping[Any, Any]:
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise ConfigError("document", f"is not JSON: {error}") from error
    return document if isinstance(document, Mapping) else {}


def _parse(content: bytes) -> Mapping[Any, Any]:
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError:
        try:
            document = yaml.load(content, Loader=StrictLoader)  # noqa: S506 - a SafeLoader
        except (yaml.YAMLError, RecursionError) as error:
            raise RetrieverError(Reason.MALFORMED, "the document is neither JSON nor YAML") from error
    return document if isinstance(document, Mapping) else {}
