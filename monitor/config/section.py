"""Sections of the configuration, and the types of their values."""

from __future__ import annotations

import re
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from monitor.config import validation_messages
from monitor.errors import ConfigError

_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
_LONGEST_S = 366 * _UNITS_S["d"]
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)")


def parse_duration(value: Any) -> float:
    """The seconds of a duration such as ``30s``, ``15m``, ``1h`` or ``1d``."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        seconds = float(value)
    elif match := _DURATION.fullmatch(str(value).strip()):
        seconds = float(match[1]) * _UNITS_S[match[2]]
    else:
        raise ValueError(f"{value!r} is not a duration; write for example 30s, 15m, 1h or 1d")
    if not 0 < seconds <= _LONGEST_S:
        raise ValueError("must be longer than 0s and at most 366d")
    return seconds


Duration = Annotated[
    float,
    BeforeValidator(parse_duration),
    Field(json_schema_extra={"type": ["number", "string"], "examples": ["30s", "15m", "1h"]}),
]
Ratio = Annotated[float, Field(ge=0, le=1)]
Probability = Annotated[float, Field(gt=0, lt=1)]


class Section(BaseModel):
    """A section of the configuration; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


SectionType = TypeVar("SectionType", bound=Section)


def validate(kind: type[SectionType], values: Any, *, where: str) -> SectionType:
    """The section, or a ConfigError that names its first wrong key below ``where``."""
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = below(where, validation_messages.place_of(first)) or "configuration"
        raise ConfigError(place, validation_messages.explain(kind, first)) from error
    except ConfigError as error:  # a validator does not know the keys above its own
        raise ConfigError(below(where, error.where), error.problem) from error


def below(where: str, key: str) -> str:
    """The place of a key."""
    return ".".join(filter(None, (where, key)))
