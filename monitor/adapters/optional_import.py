"""Libraries that come with an extra: imported when they are needed, and named where they are missing."""

from __future__ import annotations

import importlib
from typing import Any

from monitor.errors import Reason, RetrieverError


def load(module: str, *, extra: str) -> Any:
    """The module. Raises RetrieverError naming the extra that brings it."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        told = f"{error.name or module} is not installed: pip install 'recallwatch[{extra}]'"
        raise RetrieverError(Reason.UNREACHABLE, told) from error
