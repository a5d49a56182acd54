"""What every command gives back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rich.console import RenderableType

REFUSED, NOT_MEASURED = 2, 3
"""Exit codes of what could not be compared, and of what could not be measured."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a command found: for people, for programs, and as an exit code."""

    shown: list[RenderableType]
    data: dict[str, Any]
    exit_code: int = 0
