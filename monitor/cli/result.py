"""The result of a command: output for people, data for programs, and an exit code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import RenderableType

    from monitor.model.verdicts import Verdict

PASSED, REGRESSED, REFUSED, NOT_MEASURED = 0, 1, 2, 3
"""Exit codes: passed, regressed or trade-off, not comparable or configuration error, could not measure."""


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a command, in each form in which it is printed."""

    output: list[RenderableType]
    """Tables and sentences for people."""
    data: dict[str, Any]
    """The same as plain values, for ``--json``."""
    exit_code: int = PASSED


def exit_code_of(verdict: Verdict, *, is_covered: bool = True) -> int:
    """The exit code of a verdict. Without enough coverage an invalid verdict means that nothing was measured."""
    if verdict.name.pages:
        return REGRESSED
    if verdict.name == "invalid":
        return REFUSED if is_covered else NOT_MEASURED
    return PASSED
