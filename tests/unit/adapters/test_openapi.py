"""Finding in an OpenAPI document where the query goes in and where the hits come out."""

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
    """The document with values set at dotted places; None takes one away."""
    document = copy.deepcopy(DOCUMENT)
    for place, value in change.items():
        *above, key = place.split(">")
        node: Any = document
        for each in above:
            node = node.setdefault(each, {})
        if value is None:
            del node[key]
        else:
            node[key] = value
    return document


def options_of(document: Mapping[Any, Any], **options: Any) -> tuple[dict[str, Any], str]:
    """What the HTTP retriever is told, and what people are."""
    stated = OpenApiOptions(document="https://docs.example/openapi.json", **{"operation": "search", **options})
    http = http_options(stated, document)
    return http.model_dump(include={"url", "method", "request", "response"}), stated.inferred_fields


def test_fields_are_found_by_name_and_type():
    """Nested fields, references and parts of schemas lead to the same options as somebody would write by hand."""
    http, told = options_of(DOCUMENT)
    assert http["url"] == "https://eu.search.example/v1/search"
    assert http["method"] == "POST"
    assert http["request"] == {"query": "{query}", "options": {"top_k": "{k}"}}
    found = {key: path for key, path in http["response"].items() if path}
    assert found == {"hits": "results", "id": "doc.id", "score": "score", "text": "doc.content"}
    assert (
        told
        == "POST /search; query: query, k: options.top_k, hits: results, id: doc.id, score: score, text: doc.content"
    )


def test_an_operation_is_found_by_method_and_path():
    """Documents without operationId are as good."""
    assert options_of(DOCUMENT, operation="POST /search") == options_of(DOCUMENT)


def test_what_is_stated_wins_over_what_is_found():
    """A field can be named, one can be declared not to be there, and others be given a value."""
    named = {"query": "language", "k": "", "score": "", "extra": {"query": "fixed"}}
    http, told = options_of(DOCUMENT, **named)
    assert http["request"] == {"language": "{query}", "query": "fixed"}
    assert http["response"]["score"] is None
    assert "k: none" in told


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


def test_parameters_of_a_get_are_found():
    """A GET is asked by parameters, those of its path are filled in, and a bare list of hits is read."""
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
    "Swagger": ({"openapi": None, "swagger": "2.0"}, {}, "document: is not an OpenAPI document of version 3"),
    "another form": ({"paths>/search>post>responses": ["200"]}, {}, "document: is not valid OpenAPI"),
    "a path without its parameter": (GET, {"operation": "GET /{index}/search"}, "extra.index: is missing"),
    "no answer": ({"paths>/search>post>responses": {"204": {}}}, {}, "describes no JSON response"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_what_is_not_plain_is_refused_by_the_key_to_set(case):
    """A guess would be measured for months; what is ambiguous or missing is asked for instead."""
    change, options, told = MISTAKES[case]
    with pytest.raises(ConfigError) as caught:
        options_of(changed(change), **options)
    assert told in str(caught.value)


def test_a_server_without_a_host_needs_one(tmp_path):
    """A document on disk whose server is a path alone does not say where to ask."""
    path = tmp_path / "openapi.json"
    path.write_text(json.dumps(changed({"servers": [{"url": "/v1"}]})))
    stated = {"kind": "openapi", "document": str(path), "operation": "search"}
    with pytest.raises(ConfigError, match=r"r\.server: is missing; the document has no server URL with a host"):
        registry.resolve("retriever", stated, where="r")


@pytest.mark.parametrize("content", ['{"openapi": ', "[1]"], ids=str)
def test_a_file_that_is_no_document_is_refused(tmp_path, content):
    """A broken file is found when the configuration is checked."""
    path = tmp_path / "openapi.json"
    path.write_text(content)
    with pytest.raises(ConfigError, match=r"r\.document: is not"):
        registry.resolve("retriever", {"kind": "openapi", "document": str(path), "operation": "search"}, where="r")


def service(document: Answer) -> Answer:
    """A service that describes itself."""

    async def answer(asked: Any, writer: asyncio.StreamWriter) -> None:
        await (document if asked.method == "GET" else reply(body=ANSWER))(asked, writer)

    return answer


def asked_of(document: Answer, tmp_path: Path | None = None) -> tuple[Ranking, str, LocalServer]:
    """What comes of asking a service by its document, which it serves itself unless it lies on disk."""

    async def run() -> tuple[Ranking, str, LocalServer]:
        async with serving(service(document)) as server:
            place = {"document": server.url("/openapi.yaml")}
            if tmp_path is not None:
                place = {"document": str(tmp_path), "server": server.url("/v1")}
            stated = {"kind": "openapi", "operation": "search", **place}
            part = registry.resolve("retriever", stated, where="r")
            retriever = part.build()
            try:
                return await retriever.retrieve("who?", 2), part.options.inferred_fields, server
            finally:
                await retriever.close()

    return asyncio.run(run())


FOUND = Ranking(("d1", "d2"), (0.9, 0.4))


def test_a_document_on_disk_is_enough_to_ask(tmp_path):
    """The whole way: a file in YAML, one probe, a ranking."""
    path = tmp_path / "openapi.yaml"
    path.write_text(yaml.safe_dump(DOCUMENT))
    ranking, told, server = asked_of(reply(), path)
    assert ranking == FOUND
    assert told.startswith("POST /search; query: query")
    assert json.loads(server.asked[0].body) == {"query": "who?", "options": {"top_k": 2}}


@pytest.mark.parametrize("written", [json.dumps, yaml.safe_dump], ids=["JSON", "YAML"])
def test_a_document_is_fetched_from_where_it_is_served(written):
    """A server that is a path alone stands where the document does."""
    content = written(changed({"servers": [{"url": "/v2"}]})).encode()
    ranking, _, server = asked_of(reply(body=content))
    assert ranking == FOUND
    assert [asked.path for asked in server.asked] == ["/openapi.yaml", "/v2/search"]


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
def test_a_document_that_cannot_be_had_is_a_failure_of_the_probe(document, reason):
    """Whatever is wrong with a document from elsewhere is counted, and no exception."""
    with pytest.raises(RetrieverError) as caught:
        asked_of(document)
    assert caught.value.reason is reason
