"""Infer the fields of an OpenAPI operation for query, cutoff and hits, by name and type."""

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
_SET_ELSEWHERE = ("accept", "authorization", "content-type")
"""Headers that OpenAPI leaves to the media types and the security schemes."""
_NO_FIELD = ""
"""Configuration value for a field that does not exist."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InferredFields:
    """Request template and response paths for the HTTP retriever."""

    method: str
    path: str
    request: dict[str, Any]
    response: dict[str, str | None]
    summary: dict[str, str]
    parameters: dict[str, str]
    """Query parameters of a request with a body."""
    headers: dict[str, str]

    def __str__(self) -> str:
        places = ", ".join(f"{key}: {place or 'none'}" for key, place in self.summary.items())
        return f"{self.method} {self.path}; {places}"


def infer_fields(
    document: Document, operation_name: str, overrides: Mapping[str, str | None], extra: Mapping[str, Any]
) -> InferredFields:
    """Infer the fields that are not overridden. Raises ConfigError with the key to set for an ambiguous field."""
    operation = document.operation(operation_name)
    inputs, is_body = _inputs(document, operation)
    query = _choose("query", _of_type(inputs, _TEXTS), overrides, is_needed=True)
    k = _choose("k", _of_type(inputs, _NUMBERS), overrides, is_needed=True)
    request = dict(extra)
    for place, value in ((query, "{query}"), (k, "{k}")):
        if place:
            _put(request, place, value)
    path = _filled_path(document, operation, request)
    headers = _take_values(document.parameters(operation, "header"), request)
    parameters = _take_values(document.parameters(operation, "query"), request, but=inputs) if is_body else {}
    _check_complete([field for field in inputs if field.path], request)
    if not is_body and operation.method == "POST":
        raise ConfigError("operation", f"{operation_name} takes no JSON body; configure the target with kind: http")
    hits, item = _hits(document, operation, overrides)
    hit_fields = [field for field in document.fields(item) if field.path]
    hit_paths = {
        "id": _choose("id", _of_type(hit_fields, ("string", "integer")), overrides, is_needed=True),
        "score": _choose("score", _of_type(hit_fields, _NUMBERS), overrides),
        "text": _choose("text", _of_type(hit_fields, _TEXTS), overrides),
    }
    response = {"hits": _jmespath(hits), **{key: _jmespath(path) if path else None for key, path in hit_paths.items()}}
    summary = {
        "query": ".".join(query or ()),
        "k": ".".join(k or ()),
        **{key: expression or "" for key, expression in response.items()},
    }
    return InferredFields(
        method=operation.method,
        path=path,
        request=request,
        response=response,
        summary=summary,
        parameters=parameters,
        headers=headers,
    )


def _inputs(document: Document, operation: Operation) -> tuple[list[Field], bool]:
    body = document.body(operation)
    if operation.method == "POST" and body is not None:
        return list(document.fields(body)), True
    return document.parameters(operation, "query"), False


def _of_type(fields: Iterable[Field], types: Sequence[str]) -> list[Field]:
    return [field for field in fields if field.type in types]


def _choose(
    key: str, fields: Sequence[Field], overrides: Mapping[str, str | None], *, is_needed: bool = False
) -> tuple[str, ...] | None:
    """Return the path of a field: the override, else the one field with a matching name."""
    override = overrides.get(key)
    if override is not None:
        return tuple(override.split(".")) if override != _NO_FIELD else None
    matches = [field for field in fields if field.name.strip("_") in _NAMES[key]]
    outermost = [field for field in matches if len(field.path) == min(len(match.path) for match in matches)]
    best_names = [field for field in outermost if field.name.strip("_") == _NAMES[key][0]]
    candidates = outermost if len(outermost) == 1 else best_names
    if len(candidates) == 1:
        return candidates[0].path
    if matches:
        raise ConfigError(key, f"is ambiguous: set it to {' or '.join('.'.join(field.path) for field in outermost)}")
    if not is_needed:
        return None
    options = ", ".join(".".join(field.path) for field in fields) or "none"
    raise ConfigError(key, f"cannot be inferred from the document; fields of that type: {options}")


def _hits(
    document: Document, operation: Operation, overrides: Mapping[str, str | None]
) -> tuple[tuple[str, ...], Mapping[str, Any]]:
    """Return the path of the list of hits, and the schema of one hit."""
    response = document.response(operation)
    if response is None:
        raise ConfigError("operation", "the document describes no JSON response; use kind: http")
    lists = {field.path: field for field in document.fields(response) if _is_list_of_objects(document, field)}
    if () in lists and overrides.get("hits") is None:
        path: tuple[str, ...] = ()
    else:
        path = _choose("hits", list(lists.values()), overrides, is_needed=len(lists) != 1) or next(iter(lists))
    if path not in lists:
        raise ConfigError("hits", f"{'.'.join(path)} is not a list of objects in the response")
    return path, document.follow(lists[path].schema.get("items", {}))


def _is_list_of_objects(document: Document, field: Field) -> bool:
    return field.type == "array" and document.type_of(document.follow(field.schema.get("items", {}))) == "object"


def _filled_path(document: Document, operation: Operation, request: dict[str, Any]) -> str:
    """Fill the parameters of the path from the request, and remove them from the request."""
    path = operation.path
    for parameter in document.parameters(operation, "path"):
        name = parameter.path[0]
        if name not in request:
            raise ConfigError(f"extra.{name}", f"is missing; {operation.path} needs it")
        path = path.replace(f"{{{name}}}", quote(str(request.pop(name)), safe=""))
    return path


def _take_values(fields: Sequence[Field], request: dict[str, Any], but: Sequence[Field] = ()) -> dict[str, str]:
    """Remove the values of parameters or headers from the request. Raises ConfigError for a required one without value.

    A parameter with the name of a field of the body is left to the body, unless it is required.
    """
    in_body = {field.path[0] for field in but if field.path}
    values: dict[str, str] = {}
    for field in fields:
        name = field.path[0]
        if name in request and (name not in in_body or field.is_required):
            values[name] = str(request[name] if name in in_body else request.pop(name))
        elif field.is_required and "default" not in field.schema and name.lower() not in _SET_ELSEWHERE:
            raise ConfigError(f"extra.{name}", "is missing; the operation requires it")
    return values


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
    """Convert the path to JMESPath."""
    return ".".join(key if re.fullmatch(r"[A-Za-z_]\w*", key, re.ASCII) else json.dumps(key) for key in path) or "@"
