"""Fill the placeholders of a request template."""

from __future__ import annotations

import re
from typing import Annotated, Any

import orjson
from pydantic import AfterValidator

_PLACEHOLDER = re.compile(r"\{(\w+)\}")


def fill(value: Any, **values: Any) -> Any:
    """Fill the placeholders of a template at any depth.

    A string that consists of one placeholder becomes the value itself, for example a number. Placeholders within values
    are not filled. Unknown placeholders stay as they are.
    """
    if isinstance(value, dict):
        return {key: fill(each, **values) for key, each in value.items()}
    if isinstance(value, list):
        return [fill(each, **values) for each in value]
    if not isinstance(value, str):
        return value
    whole = _PLACEHOLDER.fullmatch(value)
    if whole and whole[1] in values:
        return values[whole[1]]
    return _PLACEHOLDER.sub(lambda match: str(values.get(match[1], match[0])), value)


def check_sendable(request: dict[str, Any]) -> dict[str, Any]:
    """Return the template. Raises ValueError if JSON cannot represent it; YAML has more types than JSON."""
    try:
        orjson.dumps(request)
    except TypeError as error:
        raise ValueError(f"cannot be sent as JSON: {error}") from error
    return request


Template = Annotated[dict[str, Any], AfterValidator(check_sendable)]
"""A request template."""
