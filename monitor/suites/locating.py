"""Locate a suite: a folder, or one of the built-in suites."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from monitor.errors import SuiteError
from monitor.strict_yaml import TextLoader, read_yaml

BUILT_IN = "builtin:"
_NEIGHBOUR = re.compile(r"[\w-]+")


def suite_folder(path: str) -> Path:
    """The folder of a suite."""
    return built_in_probes() / path.removeprefix(BUILT_IN) if path.startswith(BUILT_IN) else Path(path)


def built_in_suites() -> list[Path]:
    """The folders of all built-in suites."""
    return sorted(path.parent for path in built_in_probes().glob("*/suite.yaml"))


def built_in_probes() -> Path:
    """The folder of built-in suites: inside an installed package, beside it in a checkout."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "probes"
    return installed if installed.is_dir() else package.parent / "probes"


def corpus_file(folder: Path) -> Path:
    """The corpus.jsonl of a suite: its own, else that of the suite beside it that ``corpus`` in suite.yaml names."""
    own = folder / "corpus.jsonl"
    neighbour = None if os.path.lexists(own) else load_head(folder / "suite.yaml").get("corpus")
    if neighbour is None:
        return own
    if not isinstance(neighbour, str) or not _NEIGHBOUR.fullmatch(neighbour):
        problem = f"corpus is {neighbour!r}; must be the name of a folder beside this one"
        raise SuiteError(str(folder / "suite.yaml"), problem)
    return folder.parent / neighbour / "corpus.jsonl"


def load_head(path: Path) -> dict[Any, Any]:
    """The keys of a suite.yaml; none if there is no such file. Raises SuiteError if it cannot be read."""
    try:
        return read_yaml(path, SuiteError, TextLoader) if os.path.lexists(path) else {}
    except OSError as error:
        raise SuiteError(str(path), error.strerror or str(error)) from error
