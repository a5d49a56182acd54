"""Read an OpenAPI document: operations, and the fields of schemas with references resolved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote

from monitor.adapters.retrievers.openapi.swagger import to_openapi_3
from monitor.errors import ConfigError

_METHODS = ("get", "post")
_SUCCESSES = ("200", "201", "2XX", "default")
_DEPTH = 4
"""Maximum nesting of the fields that are searched."""


class Field(NamedTuple):
    """A field somewhere in a schema."""

    path: tuple[str, ...]
    type: str
    is_required: bool
    schema: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The innermost key, normalised: ``topK``, ``top_k`` and ``top-k`` are equal."""
        return self.path[-1].lower().replace("_", "").replace("-", "") if self.path else ""


class Operation(NamedTuple):
    """One operation of the service."""

    method: str
    path: str
    definition: Mapping[str, Any]
    shared_parameters: tuple[Any, ...]


class Document:
    """An OpenAPI document. Raises ConfigError for missing parts."""

    def __init__(self, content: Mapping[Any, Any]) -> None:
        if str(content.get("swagger", "")).startswith("2."):
            content = to_openapi_3(content)
        if not str(content.get("openapi", "")).startswith("3."):
            raise ConfigError("document", "is not an OpenAPI document of version 3, or Swagger 2")
        self._content = content

    @property
    def server(self) -> str:
        """URL of the first server, with default values for its variables; empty if there is none."""
        servers = self._content.get("servers") or [{}]
        url, variables = str(servers[0].get("url", "")), servers[0].get("variables") or {}
        for name, variable in variables.items():
            url = url.replace(f"{{{name}}}", str(variable.get("default", "")))
        return url

    def operation(self, name: str) -> Operation:
        """Find an operation by id, or by method and path such as ``POST /search``."""
        operations = list(self._operations())
        matches = [
            operation
            for operation in operations
            if name in (operation.definition.get("operationId"), f"{operation.method} {operation.path}")
        ]
        if len(matches) == 1:
            return matches[0]
        names = ", ".join(
            str(operation.definition.get("operationId") or f"{operation.method} {operation.path}")
            for operation in operations
        )
        raise ConfigError("operation", f"unknown operation {name}; known operations: {names or 'none'}")

    def security(self, operation: Operation) -> list[Mapping[str, Any]]:
        """The alternatives of security schemes that the operation requires; an empty mapping is no scheme."""
        alternatives = operation.definition.get("security", self._content.get("security"))
        return list(alternatives or ())

    def security_scheme(self, name: str) -> Mapping[str, Any]:
        """A security scheme by its name; empty if the document has none."""
        schemes = self.follow(self._content.get("components", {})).get("securitySchemes", {})
        return self.follow(schemes.get(name, {}))

    def parameters(self, operation: Operation, place: str) -> list[Field]:
        """Return the parameters in ``query``, ``path`` or ``header``."""
        fields = []
        for node in (*operation.shared_parameters, *operation.definition.get("parameters", ())):
            parameter = self.follow(node)
            if parameter.get("in") == place:
                schema = self.follow(parameter.get("schema", {}))
                name, is_required = str(parameter["name"]), bool(parameter.get("required"))
                fields.append(Field((name,), self.type_of(schema), is_required, schema))
        return fields

    def body(self, operation: Operation) -> Mapping[str, Any] | None:
        """Return the schema of the JSON request body."""
        return self._json(self.follow(operation.definition.get("requestBody", {})))

    def response(self, operation: Operation) -> Mapping[str, Any] | None:
        """Return the schema of the JSON response of a successful request."""
        responses = {str(status): response for status, response in operation.definition.get("responses", {}).items()}
        success: Any = next((responses[status] for status in _SUCCESSES if status in responses), {})
        return self._json(self.follow(success))

    def fields(self, schema: Any, path: tuple[str, ...] = (), *, is_required: bool = True) -> Iterator[Field]:
        """Yield the fields of a schema, outer fields first, without the items of lists."""
        schema = self.follow(schema)
        kind = self.type_of(schema)
        yield Field(path, kind, is_required, schema)
        if kind == "object" and len(path) < _DEPTH:
            required = {name for part in self._parts(schema) for name in part.get("required", ())}
            for name, inner in self._properties(schema).items():
                yield from self.fields(inner, (*path, name), is_required=is_required and name in required)

    def follow(self, node: Any) -> Mapping[str, Any]:
        """Resolve a reference within the document."""
        trail: list[str] = []
        while isinstance(node, Mapping) and isinstance(node.get("$ref"), str):
            reference = node["$ref"]
            if reference in trail:
                raise ConfigError("document", f"{reference} refers to itself: {' → '.join([*trail, reference])}")
            trail.append(reference)
            node = self._at(reference)
        return node if isinstance(node, Mapping) else {}

    def type_of(self, schema: Mapping[str, Any]) -> str:
        """Return the type, ignoring ``null``."""
        kind = schema.get("type")
        if isinstance(kind, list):
            kind = next((each for each in kind if each != "null"), None)
        if kind is None and self._properties(schema):
            return "object"
        if kind is None:
            types = {self.type_of(part) for part in self._parts(schema) if part is not schema} - {"", "null"}
            return types.pop() if len(types) == 1 else ""
        return str(kind)

    def _properties(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        parts = [part.get("properties", {}) for part in self._parts(schema)]
        return {str(name): inner for part in reversed(parts) for name, inner in part.items()}

    def _parts(self, schema: Mapping[str, Any], depth: int = 0) -> Iterator[Mapping[str, Any]]:
        """Yield the schema and the schemas that it combines."""
        yield schema
        for key in ("allOf", "anyOf", "oneOf"):
            for part in schema.get(key, ()) if depth < _DEPTH else ():
                yield from self._parts(self.follow(part), depth + 1)

    def _operations(self) -> Iterator[Operation]:
        for path, node in self._content.get("paths", {}).items():
            item = self.follow(node)
            for method in _METHODS:
                if method in item:
                    yield Operation(method.upper(), str(path), item[method], tuple(item.get("parameters", ())))

    def _json(self, message: Mapping[str, Any]) -> Mapping[str, Any] | None:
        for kind, content in message.get("content", {}).items():
            if "json" in str(kind) or kind == "*/*":
                return self.follow(content.get("schema", {}))
        return None

    def _at(self, reference: str) -> Any:
        if not reference.startswith("#/"):
            raise ConfigError("document", f"{reference} points outside the document; combine all parts in one file")
        node: Any = self._content
        for part in reference[2:].split("/"):
            key = unquote(part).replace("~1", "/").replace("~0", "~")
            if not isinstance(node, Mapping) or key not in node:
                raise ConfigError("document", f"{reference} does not exist")
            node = node[key]
        return node
