"""Plain values of explanations, as they are stored and sent."""

from __future__ import annotations

import math
from typing import Any


def finite(value: Any) -> Any:
    """The value, with null instead of a number that does not exist."""
    if isinstance(value, tuple | list):
        return [finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
