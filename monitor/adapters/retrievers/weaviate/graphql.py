"""Write `Get` queries in the GraphQL of Weaviate, which takes values only as literals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson


def get(collection: str, arguments: Mapping[str, Any], properties: Sequence[str], additional: Sequence[str]) -> str:
    """Build the query.

    >>> get("Article", {"limit": 2, "bm25": {"query": "wolf"}}, ["title"], ["id", "score"])
    '{ Get { Article(limit: 2, bm25: {query: "wolf"}) { title _additional { id score } } } }'
    """
    argument_list = ", ".join(f"{name}: {literal(value)}" for name, value in arguments.items() if value is not None)
    fields = " ".join([*map(_selection, properties), f"_additional {{ {' '.join(additional)} }}"])
    return f"{{ Get {{ {collection}({argument_list}) {{ {fields} }} }} }}"


def literal(value: Any, key: str = "") -> str:
    """Format a value for GraphQL; keys and operator names have no quotes.

    >>> literal({"operator": "Equal", "path": ["year"], "valueInt": 7})
    '{operator: Equal, path: ["year"], valueInt: 7}'
    """
    if isinstance(value, Mapping):
        inner = (f"{name}: {literal(item, name)}" for name, item in value.items() if item is not None)
        return "{" + ", ".join(inner) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(literal, value)) + "]"
    return value if key == "operator" and isinstance(value, str) else orjson.dumps(value).decode()


def _selection(path: str) -> str:
    """Select a property, with braces for nested ones."""
    first, dot, rest = path.partition(".")
    return f"{first} {{ {_selection(rest)} }}" if dot else first
