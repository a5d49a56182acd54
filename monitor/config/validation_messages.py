"""Turn validation errors into one-line messages for users."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from types import UnionType
from typing import Any

from pydantic import BaseModel
from pydantic_core import ErrorDetails

_KEY = "[key]"
"""Pydantic's mark in a location: the key is wrong, not its value."""

_TEXT_KEY = "a key must be a text; put it in quotes"
_MESSAGES = {
    "missing": "is missing",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "too_short": "must name at least {min_length}, not {actual_length}",
    "enum": "is {input!r}; must be {expected}",
    "literal_error": "is {input!r}; must be {expected}",
    "invalid_key": _TEXT_KEY,
    "string_type": "must be a text (in quotes if it looks like a number or a date)",
    "path_type": "must be a path",
    "tuple_type": "must be a list such as [a, b]",
    "list_type": "must be a list such as [a, b]",
    "dict_type": "must be a mapping of keys to values",
    "model_type": "must be a mapping of keys to values",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
}


def place_of(error: ErrorDetails) -> str:
    """The wrong key with the keys above it, joined by dots."""
    return ".".join(str(part) for part in error["loc"] if part != _KEY)


def explain(kind: type[BaseModel], error: ErrorDetails) -> str:
    """The mistake in a key of a section of this kind, and the correction."""
    values = {name: _plain(value) for name, value in error.get("ctx", {}).items()}
    *parents, key = error["loc"] or ("",)
    if error["type"] == "extra_forbidden":
        return _unknown(str(key), _keys(kind, parents))
    if error["type"] == "enum" and key == _KEY:
        return f"unknown key; must be {values['expected']}"
    if key == _KEY:
        return _TEXT_KEY
    message = _MESSAGES.get(error["type"])
    return message.format(input=error["input"], **values) if message else error["msg"].removeprefix("Value error, ")


def _unknown(key: str, keys: list[str]) -> str:
    near = difflib.get_close_matches(key, keys, 1)
    return f"unknown key; did you mean {near[0]}?" if near else f"unknown key; known keys: {', '.join(keys)}"


def _keys(kind: type[BaseModel], parents: Sequence[int | str]) -> list[str]:
    """The keys of the section at the end of the path."""
    annotation: Any = kind
    for part in parents:
        field = annotation.model_fields.get(str(part)) if _is_section(annotation) else None
        annotation = field.annotation if field else _content(annotation)
        if isinstance(annotation, UnionType):  # an optional section
            annotation = next(filter(_is_section, annotation.__args__), annotation)
    fields = annotation.model_fields.items() if _is_section(annotation) else ()
    return [field.alias or name for name, field in fields]


def _content(annotation: Any) -> Any:
    """The element type of a mapping, list or tuple."""
    return next((each for each in reversed(getattr(annotation, "__args__", ())) if each is not Ellipsis), None)


def _is_section(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _plain(value: Any) -> Any:
    """A limit of 1.0 as 1, and names without pydantic's quotes."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value.replace("'", "") if isinstance(value, str) else value
