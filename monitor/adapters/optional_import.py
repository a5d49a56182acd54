"""Import libraries of optional extras on first use, with an install hint if they are missing."""

from __future__ import annotations

import importlib
from typing import Any

from monitor.errors import Reason, RetrieverError


def load(module: str, *, extra: str) -> Any:
    """Import the module. Raises RetrieverError naming the extra that installs it."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        hint = f"{error.name or module} is not installed: pip install 'recallwatch[{extra}]'"
        raise RetrieverError(Reason.UNREACHABLE, hint) from error
