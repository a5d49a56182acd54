"""Inference of request and response fields from an OpenAPI document."""

import asyncio
import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitor.adapters import registry
from monitor.adapters.retrievers.openapi.retriever import OpenApiOptions, http_options
from monitor.errors import ConfigError, Reason, RetrieverError
from monitor.model.runs import Ranking
from tests.contract.local_server import Answer, LocalServer, reply, serving

ANSWER = {
    "results": [
        {"doc": {"id": "d1", "content": "a"}, "score": 0.9},
        {"doc": {"id": "d2", "content": "b"}, "score": 0.4},
    ]
}
DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "servers": [{"url": "https://{region}.search.example/v1", "variables": {"region": {"default": "eu"}}}],
    "paths": {
        "/search": {
            "post": {
                "operationId": "search",
                "requestBody": {"$ref": "#/components/requestBodies/Search"},
                "responses": {
                    "200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Found"}}}}
                },
            }
        }
    },
    "components": {
        "requestBodies": {
            "Search": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Search"}}}}
        },
        "schemas": {
            "Search": {
                "type": "object",
                "required": ["query"],
                "properties": {
                    "query": {"type": "string"},
                    "options": {"type": "object", "properties": {"top_k": {"type": ["integer", "null"]}}},
                    "language": {"type": "string"},
                },
            },
            "Found": {
                "allOf": [
                    {"type": "object", "properties": {"took": {"type": "integer"}}},
                    {"properties": {"results": {"type": "array", "items": {"$ref": "#/components/schemas/Hit"}}}},
                ]
            },
            "Hit": {
                "type": "object",
                "properties": {
                    "doc": {"$ref": "#/components/schemas/Doc"},
                    "score": {"type": "number"},
                    "related": {"type": "array", "items": {"$ref": "#/components/schemas/Hit"}},
                },
            },
            "Doc": {"type": "object", "properties": {"id": {"type": "string"}, "content": {"type": "string"}}},
        },
    },
}


def changed(change: Mapping[str, Any]) -> dict[str, Any]:
    """The document with values set at paths separated by ``>``; None removes a value."""
    document = copy.deepcopy(DOCUMENT)
    for place, value in change.items():
        *above, key = place.split(">")
        node: Any = document
        for parent in above:
            node = node.setdefault(parent, {})
        if value is None:
            del node[key]
        else:
            node[key] = value
    return document


def options_of(document: Mapping[Any, Any], **options: Any) -> tuple[dict[str, Any], str]:
    """The options of the HTTP retriever, and the summary for users."""
    openapi_options = OpenApiOptions(document="https://docs.example/openapi.json", **{"operation": "search", **options})
    http = http_options(openapi_options, document)
    return http.model_dump(include={"url", "method", "request", "response"}), openapi_options.inferred_fields


def test_fields_are_inferred_by_name_and_type():
    """Nested fields, references and combined schemas give the same options as a manual configuration."""
    http, summary = options_of(DOCUMENT)
    assert http["url"] == "https://eu.search.example/v1/search"
    assert http["method"] == "POST"
    assert http["request"] == {"query": "{query}", "options": {"top_k": "{k}"}}
    paths = {key: path for key, path in http["response"].items() if path}
    assert paths == {"hits": "results", "id": "doc.id", "score": "score", "text": "doc.content"}
    assert (
        summary
        == "POST /search; query: query, k: options.top_k, hits: results, id: doc.id, score: score, text: doc.content"
    )


def test_an_operation_is_found_by_method_and_path():
    """An operation without operationId is found by method and path."""
    assert options_of(DOCUMENT, operation="POST /search") == options_of(DOCUMENT)


def test_overrides_replace_inferred_fields():
    """A field can be overridden, declared absent, or set to a fixed value."""
    overrides = {"query": "language", "k": "", "score": "", "extra": {"query": "fixed"}}
    http, summary = options_of(DOCUMENT, **overrides)
    assert http["request"] == {"language": "{query}", "query": "fixed"}
    assert http["response"]["score"] is None
    assert "k: none" in summary


PARAMETERS = [
    {"name": "index", "in": "path", "required": True, "schema": {"type": "string"}},
    {"name": "q", "in": "query", "required": True, "schema": {"type": "string"}},
    {"name": "limit", "in": "query", "schema": {"type": "integer", "default": 10}},
    {"name": "x-tenant", "in": "header", "schema": {"type": "string"}},
]
HITS = {"type": "array", "items": {"type": "object", "properties": {"doc-id": {"type": "integer"}}}}
GET = {
    "paths": {
        "/{index}/search": {
            "parameters": PARAMETERS[:1],
            "get": {
                "parameters": PARAMETERS[1:],
                "responses": {200: {"content": {"application/json": {"schema": HITS}}}},
            },
        }
    }
}


def test_parameters_of_a_get_are_inferred():
    """Query parameters are inferred, path parameters are filled, and a plain list of hits is read."""
    http, _ = options_of(changed(GET), operation="GET /{index}/search", extra={"index": "laws & acts"})
    assert http["url"] == "https://eu.search.example/v1/laws%20%26%20acts/search"
    assert http["method"] == "GET"
    assert http["request"] == {"q": "{query}", "limit": "{k}"}
    assert (http["response"]["hits"], http["response"]["id"]) == ("@", '"doc-id"')


SCHEMAS = "components>schemas>"
MISTAKES: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "no such operation": ({}, {"operation": "find"}, "operation: unknown operation find; known operations: search"),
    "two inputs alike": (
        {
            f"{SCHEMAS}Search>properties>query": None,
            f"{SCHEMAS}Search>properties>q": {"type": "string"},
            f"{SCHEMAS}Search>properties>text": {"type": "string"},
            f"{SCHEMAS}Search>required": [],
        },
        {},
        "query: is ambiguous: set it to q or text",
    ),
    "no input": (
        {f"{SCHEMAS}Search>properties>query": None, f"{SCHEMAS}Search>required": []},
        {},
        "query: cannot be inferred from the document; fields of that type: language",
    ),
    "no k": ({f"{SCHEMAS}Search>properties>options": None}, {}, "k: cannot be inferred from the document"),
    "a required input": (
        {f"{SCHEMAS}Search>required": ["query", "language"]},
        {},
        "extra.language: is missing; the operation requires it",
    ),
    "no id": ({f"{SCHEMAS}Doc>properties>id": None}, {}, "id: cannot be inferred from the document"),
    "two scores": (
        {
            f"{SCHEMAS}Hit>properties>score": None,
            f"{SCHEMAS}Hit>properties>similarity": {"type": "number"},
            f"{SCHEMAS}Hit>properties>relevance": {"type": "number"},
        },
        {},
        "score: is ambiguous: set it to similarity or relevance",
    ),
    "hits that are no list": ({}, {"hits": "took"}, "hits: took is not a list of objects in the response"),
    "a reference to itself": (
        {
            f"{SCHEMAS}Search": {"$ref": "#/components/schemas/Other"},
            f"{SCHEMAS}Other": {"$ref": "#/components/schemas/Search"},
        },
        {},
        "document: #/components/schemas/Search refers to itself",
    ),
    "a reference to nothing": ({f"{SCHEMAS}Doc": None}, {}, "document: #/components/schemas/Doc does not exist"),
    "a reference to a file": (
        {f"{SCHEMAS}Search": {"$ref": "other.yaml#/Search"}},
        {},
        "document: other.yaml#/Search points outside the document",
    ),
    "another form": ({"paths>/search>post>responses": ["200"]}, {}, "document: is not valid OpenAPI"),
    "a path without its parameter": (GET, {"operation": "GET /{index}/search"}, "extra.index: is missing"),
    "no answer": ({"paths>/search>post>responses": {"204": {}}}, {}, "describes no JSON response"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_an_ambiguous_document_is_refused_with_the_key_to_set(case):
    """An ambiguous or missing field is an error; a wrong guess could be measured for months."""
    change, options, message = MISTAKES[case]
    with pytest.raises(ConfigError) as caught:
        options_of(changed(change), **options)
    assert message in str(caught.value)


def test_a_server_without_a_host_needs_one(tmp_path):
    """A local document with a relative server URL needs the option server."""
    path = tmp_path / "openapi.json"
    path.write_text(json.dumps(changed({"servers": [{"url": "/v1"}]})))
    section = {"kind": "openapi", "document": str(path), "operation": "search"}
    with pytest.raises(ConfigError, match=r"r\.server: is missing; the document has no server URL with a host"):
        registry.resolve("retriever", section, where="r")


@pytest.mark.parametrize("content", ['{"openapi": ', "[1]"], ids=str)
def test_an_invalid_document_is_refused(tmp_path, content):
    """A broken file is rejected when the configuration is checked."""
    path = tmp_path / "openapi.json"
    path.write_text(content)
    with pytest.raises(ConfigError, match=r"r\.document: is not"):
        registry.resolve("retriever", {"kind": "openapi", "document": str(path), "operation": "search"}, where="r")


def service(document: Answer) -> Answer:
    """A service that also serves its OpenAPI document."""

    async def answer(request: Any, writer: asyncio.StreamWriter) -> None:
        await (document if request.method == "GET" else reply(body=ANSWER))(request, writer)

    return answer


def probe_through(document: Answer, tmp_path: Path | None = None) -> tuple[Ranking, str, LocalServer]:
    """The ranking of a service, by the document that it serves or by a local one."""

    async def run() -> tuple[Ranking, str, LocalServer]:
        async with serving(service(document)) as server:
            location = {"document": server.url("/openapi.yaml")}
            if tmp_path is not None:
                location = {"document": str(tmp_path), "server": server.url("/v1")}
            section = {"kind": "openapi", "operation": "search", **location}
            spec = registry.resolve("retriever", section, where="r")
            retriever = spec.build()
            try:
                return await retriever.retrieve("who?", 2), spec.options.inferred_fields, server
            finally:
                await retriever.close()

    return asyncio.run(run())


RANKING = Ranking(doc_ids=("d1", "d2"), scores=(0.9, 0.4))


def test_a_local_document_is_sufficient(tmp_path):
    """A probe through a local YAML document returns a ranking."""
    path = tmp_path / "openapi.yaml"
    path.write_text(yaml.safe_dump(DOCUMENT))
    ranking, summary, server = probe_through(reply(), path)
    assert ranking == RANKING
    assert summary.startswith("POST /search; query: query")
    assert json.loads(server.requests[0].body) == {"query": "who?", "options": {"top_k": 2}}


@pytest.mark.parametrize("dump", [json.dumps, yaml.safe_dump], ids=["JSON", "YAML"])
def test_a_remote_document_is_fetched(dump):
    """A relative server URL refers to the host of the document."""
    content = dump(changed({"servers": [{"url": "/v2"}]})).encode()
    ranking, _, server = probe_through(reply(body=content))
    assert ranking == RANKING
    assert [request.path for request in server.requests] == ["/openapi.yaml", "/v2/search"]


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (reply(404), Reason.REJECTED),
        (reply(302, headers={"location": "http://169.254.169.254/"}), Reason.REJECTED),
        (reply(body=b"a: [1"), Reason.MALFORMED),
        (reply(body={"swagger": "2.0"}), Reason.REJECTED),
    ],
    ids=["404", "redirect", "broken", "Swagger"],
)
def test_an_unavailable_document_is_a_failure_of_the_probe(document, reason):
    """Every error of a remote document is a counted failure."""
    with pytest.raises(RetrieverError) as caught:
        probe_through(document)
    assert caught.value.reason is reason


def with_parameters(*parameters: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """The document with parameters beside the body of the search."""
    return changed({"paths>/search>post>parameters": list(parameters), **more})


TENANT = {"name": "tenant", "in": "query", "required": True, "schema": {"type": "string"}}
VERSION = {"name": "X-Api-Version", "in": "header", "required": True, "schema": {"type": "integer"}}


def request_of(document: Mapping[Any, Any], **options: Any) -> dict[str, Any]:
    """URL, body and headers of the HTTP retriever."""
    openapi_options = OpenApiOptions(document="https://docs.example/openapi.json", operation="search", **options)
    return http_options(openapi_options, document).model_dump(include={"url", "request", "headers"})


def test_parameters_and_headers_of_a_post_are_not_part_of_its_body():
    """A required query parameter goes into the URL, a required header into the headers."""
    sent = request_of(with_parameters(TENANT, VERSION), extra={"tenant": "a b", "X-Api-Version": 3})
    assert sent["url"] == "https://eu.search.example/v1/search?tenant=a+b"
    assert sent["headers"] == {"X-Api-Version": "3"}
    assert sent["request"] == {"query": "{query}", "options": {"top_k": "{k}"}}


@pytest.mark.parametrize("name", ["tenant", "X-Api-Version"])
def test_a_missing_parameter_of_a_post_is_named(name):
    """Without its required parameters a POST fails at every probe; the configuration says so first."""
    extra = {"tenant": "a", "X-Api-Version": 3}
    del extra[name]
    with pytest.raises(ConfigError, match=f"extra.{name}: is missing; the operation requires it"):
        request_of(with_parameters(TENANT, VERSION), extra=extra)


SCHEMES: dict[str, tuple[dict[str, Any], str, dict[str, str], str]] = {
    "bearer": ({"type": "http", "scheme": "bearer"}, "t0ken", {"authorization": "Bearer t0ken"}, "a bearer token"),
    "basic": ({"type": "http", "scheme": "basic"}, "a:b", {"authorization": "Basic YTpi"}, "user:password"),
    "header": (
        {"type": "apiKey", "in": "header", "name": "X-Key"},
        "k",
        {"X-Key": "k"},
        "an API key in the header X-Key",
    ),
    "cookie": (
        {"type": "apiKey", "in": "cookie", "name": "sid"},
        "k",
        {"cookie": "sid=k"},
        "an API key in the cookie sid",
    ),
    "query": ({"type": "apiKey", "in": "query", "name": "key"}, "k", {}, "an API key in the query key"),
    "OAuth": ({"type": "oauth2", "flows": {}}, "t0ken", {"authorization": "Bearer t0ken"}, "a bearer token"),
}


@pytest.mark.parametrize("case", SCHEMES)
def test_a_credential_goes_where_the_security_scheme_says(case):
    """Bearer tokens, passwords and API keys are placed; without one the key to set is named; secrets are masked."""
    scheme, credential, headers, words = SCHEMES[case]
    document = changed({"components>securitySchemes": {"main": scheme}, "security": [{"main": []}]})
    sent = request_of(document, credential=credential)
    assert sent["headers"] == headers
    assert ("?key=k" in sent["url"]) is (case == "query")
    with pytest.raises(ConfigError, match=f"credential: is missing; the operation requires {words}"):
        request_of(document)
    assert request_of(document, is_open=True)["headers"] == {}
    options = OpenApiOptions(
        document="https://d.example/o.json", operation="search", credential="s3cret", extra={"k": "s3cret"}
    )
    assert "s3cret" not in repr(options)


def test_a_configured_header_serves_as_credential():
    """Who configures the header of the scheme by hand needs no credential; optional security needs none."""
    document = changed({"components>securitySchemes": {"main": SCHEMES["header"][0]}, "security": [{"main": []}]})
    assert request_of(document, headers={"x-key": "k"})["headers"] == {"x-key": "k"}
    assert request_of(document | {"security": [{"main": []}, {}]})["headers"] == {}


SWAGGER = {
    "swagger": "2.0",
    "host": "search.example",
    "basePath": "/v1",
    "schemes": ["http", "https"],
    "securityDefinitions": {"login": {"type": "basic"}},
    "parameters": {"Tenant": {"name": "tenant", "in": "query", "required": True, "type": "string"}},
    "paths": {
        "/search": {
            "post": {
                "operationId": "search",
                "security": [{"login": []}],
                "parameters": [
                    {"$ref": "#/parameters/Tenant"},
                    {"in": "body", "name": "body", "schema": {"$ref": "#/definitions/Search"}},
                ],
                "responses": {"200": {"schema": {"$ref": "#/definitions/Found"}}},
            }
        }
    },
    "definitions": {
        "Search": {"type": "object", "properties": {"query": {"type": "string"}, "size": {"type": "integer"}}},
        "Found": {"type": "object", "properties": {"hits": {"type": "array", "items": {"$ref": "#/definitions/Hit"}}}},
        "Hit": {"type": "object", "properties": {"id": {"type": "string"}, "score": {"type": "number"}}},
    },
}


def test_swagger_2_is_read():
    """Host, body, parameters, responses and security definitions of Swagger 2 give the same options."""
    options = OpenApiOptions(
        document="https://d.example/o.json", operation="search", credential="a:b", extra={"tenant": "x"}
    )
    http = http_options(options, SWAGGER)
    assert http.url == "https://search.example/v1/search?tenant=x"
    assert http.request == {"query": "{query}", "size": "{k}"}
    assert http.headers == {"authorization": "Basic YTpi"}
    assert (http.response.hits, http.response.id, http.response.score) == ("hits", "id", "score")
