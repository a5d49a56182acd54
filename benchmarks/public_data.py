"""The public data sets that some benchmarks need. They are not part of the repository."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from monitor.errors import ConfigError

VARIABLE = "RECALLWATCH_PUBLIC_DATA"


def public_data(names: Iterable[str] = ()) -> Path:
    """The folder named by RECALLWATCH_PUBLIC_DATA. Raises ConfigError if it, or one of the data sets, is missing."""
    value = os.environ.get(VARIABLE)
    if not value:
        raise ConfigError(VARIABLE, "not set; set it to the folder with the public data sets")
    folder = Path(value)
    for path in (folder, *(folder / name for name in names)):
        if not path.is_dir():
            raise ConfigError(VARIABLE, f"no such folder: {path}")
    return folder
