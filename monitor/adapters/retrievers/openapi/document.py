"""Reading an OpenAPI document: its operations, and what the schemas in it hold once references are followed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote

from monitor.errors import ConfigError

_METHODS = ("get", "post")
_DEPTH = 4
"""How deep inside each other fields are looked for."""


class Field(NamedTuple):
    """A field somewhere in a schema."""

    path: tuple[str, ...]
    type: str
    is_required: bool
    schema: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The last key, as names are compared: ``topK``, ``top_k`` and ``top-k`` are one."""
        return self.path[-1].lower().replace("_", "").replace("-", "") if self.path else ""


class Operation(NamedTuple):
    """One thing that the service can be asked."""

    method: str
    path: str
    stated: Mapping[str, Any]
    shared_parameters: tuple[Any, ...]


class Document:
    """An OpenAPI document. Raises ConfigError for what it does not hold."""

    def __init__(self, stated: Mapping[Any, Any]) -> None:
        if not str(stated.get("openapi", "")).startswith("3."):
            raise ConfigError("document", "is not an OpenAPI document of version 3")
        self._stated = stated

    @property
    def server(self) -> str:
        """The first server that it names, variables at their defaults; empty if it names none."""
        servers = self._stated.get("servers") or [{}]
        url, variables = str(servers[0].get("url", "")), servers[0].get("variables") or {}
        for name, variable in variables.items():
            url = url.replace(f"{{{name}}}", str(variable.get("default", "")))
        return url

    def operation(self, wanted: str) -> Operation:
        """The operation of an id, or of a method and a path such as ``POST /search``."""
        every = list(self._operations())
        found = [each for each in every if wanted in (each.stated.get("operationId"), f"{each.method} {each.path}")]
        if len(found) == 1:
            return found[0]
        known = ", ".join(str(each.stated.get("operationId") or f"{each.method} {each.path}") for each in every)
        raise ConfigError("operation", f"{wanted} is not in the document; it has {known or 'none that can be asked'}")

    def parameters(self, operation: Operation, place: str) -> list[Field]:
        """The parameters that stand in ``query``, ``path`` or ``header``."""
        found = []
        for stated in (*operation.shared_parameters, *operation.stated.get("parameters", ())):
            parameter = self.follow(stated)
            if parameter.get("in") == place:
                schema = self.follow(parameter.get("schema", {}))
                name, is_required = str(parameter["name"]), bool(parameter.get("required"))
                found.append(Field((name,), self.type_of(schema), is_required, schema))
        return found

    def body(self, operation: Operation) -> Mapping[str, Any] | None:
        """The schema of the JSON that it takes."""
        return self._json(self.follow(operation.stated.get("requestBody", {})))

    def answer(self, operation: Operation) -> Mapping[str, Any] | None:
        """The schema of the JSON that it answers with when all is well."""
        answers = {str(status): each for status, each in operation.stated.get("responses", {}).items()}
        wanted: Any = next((answers[each] for each in ("200", "201", "2XX", "default") if each in answers), {})
        return self._json(self.follow(wanted))

    def fields(self, schema: Any, path: tuple[str, ...] = (), *, is_required: bool = True) -> Iterator[Field]:
        """Every field of a schema, outer ones first; lists are not entered."""
        schema = self.follow(schema)
        kind = self.type_of(schema)
        yield Field(path, kind, is_required, schema)
        if kind == "object" and len(path) < _DEPTH:
            needed = {name for part in self._parts(schema) for name in part.get("required", ())}
            for name, inner in self._properties(schema).items():
                yield from self.fields(inner, (*path, name), is_required=is_required and name in needed)

    def follow(self, node: Any) -> Mapping[str, Any]:
        """What a reference leads to, within the document."""
        seen: list[str] = []
        while isinstance(node, Mapping) and isinstance(node.get("$ref"), str):
            reference = node["$ref"]
            if reference in seen:
                raise ConfigError("document", f"{reference} refers to itself: {' → '.join([*seen, reference])}")
            seen.append(reference)
            node = self._at(reference)
        return node if isinstance(node, Mapping) else {}

    def type_of(self, schema: Mapping[str, Any]) -> str:
        """The type, ``null`` left aside; an integer is a number too, told by its own name."""
        stated = schema.get("type")
        if isinstance(stated, list):
            stated = next((each for each in stated if each != "null"), None)
        if stated is None and self._properties(schema):
            return "object"
        if stated is None:
            types = {self.type_of(part) for part in self._parts(schema) if part is not schema} - {"", "null"}
            return types.pop() if len(types) == 1 else ""
        return str(stated)

    def _properties(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        parts = [part.get("properties", {}) for part in self._parts(schema)]
        return {str(name): inner for part in reversed(parts) for name, inner in part.items()}

    def _parts(self, schema: Mapping[str, Any], depth: int = 0) -> Iterator[Mapping[str, Any]]:
        """The schema and those that it is put together from."""
        yield schema
        for key in ("allOf", "anyOf", "oneOf"):
            for part in schema.get(key, ()) if depth < _DEPTH else ():
                yield from self._parts(self.follow(part), depth + 1)

    def _operations(self) -> Iterator[Operation]:
        for path, stated in self._stated.get("paths", {}).items():
            item = self.follow(stated)
            for method in _METHODS:
                if method in item:
                    yield Operation(method.upper(), str(path), item[method], tuple(item.get("parameters", ())))

    def _json(self, stated: Mapping[str, Any]) -> Mapping[str, Any] | None:
        for kind, content in stated.get("content", {}).items():
            if "json" in str(kind) or kind == "*/*":
                return self.follow(content.get("schema", {}))
        return None

    def _at(self, reference: str) -> Any:
        if not reference.startswith("#/"):
            raise ConfigError("document", f"{reference} leads out of the document; put all of it into one file")
        node: Any = self._stated
        for part in reference[2:].split("/"):
            key = unquote(part).replace("~1", "/").replace("~0", "~")
            if not isinstance(node, Mapping) or key not in node:
                raise ConfigError("document", f"{reference} leads to nothing")
            node = node[key]
        return node
