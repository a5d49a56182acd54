"""Finding in an OpenAPI operation where the query goes in and where the hits come out, by name and type."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from monitor.adapters.retrievers.openapi.document import Document, Field, Operation
from monitor.errors import ConfigError

_TEXTS, _NUMBERS = ("string",), ("integer", "number")
_NAMES: dict[str, tuple[str, ...]] = {
    "query": ("query", "q", "querytext", "question", "search", "searchquery", "searchtext", "text", "input", "prompt"),
    "k": (
        "k",
        "topk",
        "limit",
        "size",
        "n",
        "count",
        "top",
        "numresults",
        "maxresults",
        "nresults",
        "pagesize",
        "rows",
    ),
    "hits": ("hits", "results", "documents", "docs", "matches", "items", "chunks", "passages", "records", "data"),
    "id": ("id", "docid", "documentid", "chunkid", "passageid", "recordid", "uuid", "key", "pk"),
    "score": ("score", "similarity", "relevance", "relevancescore", "similarityscore", "rerankscore"),
    "text": ("text", "content", "pagecontent", "chunktext", "passage", "body", "snippet"),
}
_NOTHING = ""
"""How the configuration says that there is no such field."""


@dataclass(frozen=True, slots=True)
class Recognised:
    """Where everything is, as the HTTP retriever is told."""

    method: str
    path: str
    request: dict[str, Any]
    response: dict[str, str | None]
    named: dict[str, str]

    def __str__(self) -> str:
        places = ", ".join(f"{key}: {place or 'none'}" for key, place in self.named.items())
        return f"{self.method} {self.path}; {places}"


def recognise(
    document: Document, wanted: str, stated: Mapping[str, str | None], extra: Mapping[str, Any]
) -> Recognised:
    """What the operation takes and answers. Raises ConfigError naming the key to set where that is not plain."""
    operation = document.operation(wanted)
    inputs, is_body = _inputs(document, operation)
    query = _choose("query", _of_type(inputs, _TEXTS), stated, is_needed=True)
    k = _choose("k", _of_type(inputs, _NUMBERS), stated, is_needed=True)
    request = dict(extra)
    for place, value in ((query, "{query}"), (k, "{k}")):
        if place:
            _put(request, place, value)
    path = _filled_path(document, operation, request)
    _check_complete([each for each in inputs if each.path], request)
    if not is_body and operation.method == "POST":
        raise ConfigError("operation", f"{wanted} takes no JSON body; describe it with kind: http")
    hits, item = _hits(document, operation, stated)
    inner = [each for each in document.fields(item) if each.path]
    found = {
        "id": _choose("id", _of_type(inner, ("string", "integer")), stated, is_needed=True),
        "score": _choose("score", _of_type(inner, _NUMBERS), stated),
        "text": _choose("text", _of_type(inner, _TEXTS), stated),
    }
    response = {"hits": _jmespath(hits), **{key: _jmespath(each) if each else None for key, each in found.items()}}
    named = {
        "query": ".".join(query or ()),
        "k": ".".join(k or ()),
        **{key: each or "" for key, each in response.items()},
    }
    return Recognised(operation.method, path, request, response, named)


def _inputs(document: Document, operation: Operation) -> tuple[list[Field], bool]:
    body = document.body(operation)
    if operation.method == "POST" and body is not None:
        return list(document.fields(body)), True
    return document.parameters(operation, "query"), False


def _of_type(fields: Iterable[Field], types: Sequence[str]) -> list[Field]:
    return [each for each in fields if each.type in types]


def _choose(
    key: str, fields: Sequence[Field], stated: Mapping[str, str | None], *, is_needed: bool = False
) -> tuple[str, ...] | None:
    """The one field that is meant: the one that is stated, else the one whose name says so."""
    told = stated.get(key)
    if told is not None:
        return tuple(told.split(".")) if told != _NOTHING else None
    named = [each for each in fields if each.name.strip("_") in _NAMES[key]]
    shallow = [each for each in named if len(each.path) == min(len(each.path) for each in named)]
    exact = [each for each in shallow if each.name.strip("_") == _NAMES[key][0]]
    chosen = shallow if len(shallow) == 1 else exact
    if len(chosen) == 1:
        return chosen[0].path
    if named:
        raise ConfigError(key, f"could be {' or '.join('.'.join(each.path) for each in shallow)}; say which")
    if not is_needed:
        return None
    known = ", ".join(".".join(each.path) for each in fields) or "none of its type"
    raise ConfigError(key, f"is not plain from the document; its fields of that type are {known}")


def _hits(
    document: Document, operation: Operation, stated: Mapping[str, str | None]
) -> tuple[tuple[str, ...], Mapping[str, Any]]:
    """Where the list of hits is, and the schema of one."""
    answer = document.answer(operation)
    if answer is None:
        raise ConfigError("operation", "the document does not say what JSON it answers with; use kind: http")
    lists = {each.path: each for each in document.fields(answer) if _is_list_of_objects(document, each)}
    if () in lists and stated.get("hits") is None:
        path: tuple[str, ...] = ()
    else:
        path = _choose("hits", list(lists.values()), stated, is_needed=len(lists) != 1) or next(iter(lists))
    if path not in lists:
        raise ConfigError("hits", f"{'.'.join(path)} is no list of objects in the answer")
    return path, document.follow(lists[path].schema.get("items", {}))


def _is_list_of_objects(document: Document, field: Field) -> bool:
    return field.type == "array" and document.type_of(document.follow(field.schema.get("items", {}))) == "object"


def _filled_path(document: Document, operation: Operation, request: dict[str, Any]) -> str:
    """The path with its parameters filled in from what is stated besides; they are taken out of the request."""
    path = operation.path
    for parameter in document.parameters(operation, "path"):
        name = parameter.path[0]
        if name not in request:
            raise ConfigError(f"extra.{name}", f"is missing; {operation.path} needs it")
        path = path.replace(f"{{{name}}}", quote(str(request.pop(name)), safe=""))
    return path


def _check_complete(inputs: Sequence[Field], request: Mapping[str, Any]) -> None:
    for field in inputs:
        is_needed = field.is_required and len(field.path) == 1 and "default" not in field.schema
        if is_needed and field.path[0] not in request:
            raise ConfigError(f"extra.{field.path[0]}", "is missing; the operation requires it")


def _put(request: dict[str, Any], path: tuple[str, ...], value: str) -> None:
    for key in path[:-1]:
        request[key] = dict(request.get(key) or {})
        request = request[key]
    request[path[-1]] = value


def _jmespath(path: Sequence[str]) -> str:
    """The path as JMESPath writes it."""
    return ".".join(each if re.fullmatch(r"[A-Za-z_]\w*", each, re.ASCII) else json.dumps(each) for each in path) or "@"
