"""Filling the placeholders of a request template."""

from __future__ import annotations

import re
from typing import Annotated, Any

import orjson
from pydantic import AfterValidator

_PLACEHOLDER = re.compile(r"\{(\w+)\}")


def fill(value: Any, **filled: Any) -> Any:
    """The template with its placeholders filled in, at any depth.

    A text that is nothing but a placeholder becomes the value itself, a number for example. What is filled in is never
    looked through for placeholders, and braces around any other word stay as they are.
    """
    if isinstance(value, dict):
        return {key: fill(each, **filled) for key, each in value.items()}
    if isinstance(value, list):
        return [fill(each, **filled) for each in value]
    if not isinstance(value, str):
        return value
    whole = _PLACEHOLDER.fullmatch(value)
    if whole and whole[1] in filled:
        return filled[whole[1]]
    return _PLACEHOLDER.sub(lambda found: str(filled.get(found[1], found[0])), value)


def check_sendable(request: dict[str, Any]) -> dict[str, Any]:
    """The template, if it can be sent as JSON. Raises ValueError if not: YAML knows values that JSON does not."""
    try:
        orjson.dumps(request)
    except TypeError as error:
        raise ValueError(f"cannot be sent as JSON: {error}") from error
    return request


Template = Annotated[dict[str, Any], AfterValidator(check_sendable)]
"""A request template."""
