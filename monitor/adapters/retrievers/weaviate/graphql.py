"""Writing a `Get` in the GraphQL of Weaviate, where values stand in the text of the query."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson


def get(collection: str, arguments: Mapping[str, Any], properties: Sequence[str], additional: Sequence[str]) -> str:
    """The query.

    >>> get("Article", {"limit": 2, "bm25": {"query": "wolf"}}, ["title"], ["id", "score"])
    '{ Get { Article(limit: 2, bm25: {query: "wolf"}) { title _additional { id score } } } }'
    """
    said = ", ".join(f"{name}: {literal(value)}" for name, value in arguments.items() if value is not None)
    fields = " ".join([*map(_selected, properties), f"_additional {{ {' '.join(additional)} }}"])
    return f"{{ Get {{ {collection}({said}) {{ {fields} }} }} }}"


def literal(value: Any, key: str = "") -> str:
    """A value as GraphQL writes it: keys without quotes, the names of operators too.

    >>> literal({"operator": "Equal", "path": ["year"], "valueInt": 7})
    '{operator: Equal, path: ["year"], valueInt: 7}'
    """
    if isinstance(value, Mapping):
        inner = (f"{name}: {literal(each, name)}" for name, each in value.items() if each is not None)
        return "{" + ", ".join(inner) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(literal, value)) + "]"
    return value if key == "operator" and isinstance(value, str) else orjson.dumps(value).decode()


def _selected(path: str) -> str:
    """A property, with braces around those that are nested in it."""
    first, dot, rest = path.partition(".")
    return f"{first} {{ {_selected(rest)} }}" if dot else first
