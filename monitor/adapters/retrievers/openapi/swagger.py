"""Convert a Swagger 2 document to the structure of OpenAPI 3, as far as `document` and `security` read it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_METHODS = ("get", "post")
_JSON = "application/json"


def to_openapi_3(content: Mapping[Any, Any]) -> dict[Any, Any]:
    """The document with servers, request bodies, response contents and security schemes of OpenAPI 3.

    References keep their places: `#/definitions`, `#/parameters` and `#/responses` stay in the document.
    """
    shared = content.get("parameters") or {}
    paths = {path: _path(item, shared) for path, item in (content.get("paths") or {}).items()}
    components = {"securitySchemes": {name: _scheme(each) for name, each in _security(content).items()}}
    return {**content, "openapi": "3.0.0", "servers": _servers(content), "paths": paths, "components": components}


def _servers(content: Mapping[Any, Any]) -> list[dict[str, str]]:
    host, base = content.get("host"), str(content.get("basePath") or "")
    if not host:
        return [{"url": base}] if base else []
    schemes = content.get("schemes") or ["https"]
    scheme = "https" if "https" in schemes else schemes[0]
    return [{"url": f"{scheme}://{host}{base}"}]


def _path(item: Mapping[str, Any], shared: Mapping[str, Any]) -> dict[str, Any]:
    converted = {key: _operation(value, shared) if key in _METHODS else value for key, value in item.items()}
    if "parameters" in item:
        converted["parameters"] = [_parameter(_followed(each, shared)) for each in item["parameters"]]
    return converted


def _operation(operation: Mapping[str, Any], shared: Mapping[str, Any]) -> dict[str, Any]:
    parameters = [_followed(each, shared) for each in operation.get("parameters") or ()]
    body = next((each for each in parameters if each.get("in") == "body"), None)
    converted = {
        **operation,
        "parameters": [_parameter(each) for each in parameters if each.get("in") not in ("body", "formData")],
        "responses": {status: _response(each) for status, each in (operation.get("responses") or {}).items()},
    }
    if body is not None:
        converted["requestBody"] = {"content": {_JSON: {"schema": body.get("schema") or {}}}}
    return converted


def _parameter(parameter: Mapping[str, Any]) -> dict[str, Any]:
    """Swagger 2 has the types of parameters beside their names, OpenAPI 3 in a schema."""
    keys = ("type", "items", "default", "enum", "format")
    return {**parameter, "schema": {key: parameter[key] for key in keys if key in parameter}}


def _response(response: Mapping[str, Any]) -> dict[str, Any]:
    return {**response, "content": {_JSON: {"schema": response["schema"]}}} if "schema" in response else dict(response)


def _followed(parameter: Mapping[str, Any], shared: Mapping[str, Any]) -> Mapping[str, Any]:
    name = str(parameter.get("$ref", "")).removeprefix("#/parameters/")
    followed: Mapping[str, Any] = shared.get(name, parameter)
    return followed


def _security(content: Mapping[Any, Any]) -> Mapping[str, Mapping[str, Any]]:
    return content.get("securityDefinitions") or {}


def _scheme(definition: Mapping[str, Any]) -> dict[str, Any]:
    kind = definition.get("type")
    return {"type": "http", "scheme": "basic"} if kind == "basic" else dict(definition)
