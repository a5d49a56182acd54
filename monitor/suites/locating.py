"""Locate a suite: a folder, or one of the built-in suites."""

from __future__ import annotations

from pathlib import Path

BUILT_IN = "builtin:"


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
