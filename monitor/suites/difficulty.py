"""How hard a suite is and how much its results vary, as measured once and kept in its suite.yaml under ``measured``.

measured:
  by: all-MiniLM-L6-v2
  swap: …                 what the deviation of the differences is from
  digest: …               of the suite that was measured
  strata:
    travel:
      ndcg@10: {mean: 0.721, deviation: 0.361, difference: 0.192, icc: 0.012}
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monitor.errors import SuiteError
from monitor.strict_yaml import TextLoader, read_yaml

_VALUES = ("mean", "deviation", "difference", "icc")


@dataclass(frozen=True, slots=True)
class Difficulty:
    """What one measure had on one stratum."""

    mean: float
    deviation: float
    """Standard deviation of the values."""
    difference: float
    """Standard deviation of their paired differences over the swap."""
    icc: float
    """Intra-cluster correlation of the differences."""


@dataclass(frozen=True, slots=True)
class Difficulties:
    """What was measured of a suite, and by what."""

    by: str
    swap: str
    digest: str
    strata: Mapping[str, Mapping[str, Difficulty]]
    """Stratum to measure to what it had; ``overall`` is the whole suite."""


def read_difficulties(folder: Path) -> Difficulties | None:
    """What a suite's head keeps, or None if it keeps nothing. Raises SuiteError naming the key."""
    path = folder / "suite.yaml"
    stated = read_yaml(path, SuiteError, TextLoader).get("measured") if path.is_file() else None
    if stated is None:
        return None
    where = f"{path}: measured"
    strata = _mapping(_mapping(stated, where).get("strata"), f"{where}.strata")
    found = {
        stratum: {
            measure: _difficulty(values, f"{where}.strata.{stratum}.{measure}")
            for measure, values in _mapping(measures, f"{where}.strata.{stratum}").items()
        }
        for stratum, measures in strata.items()
    }
    by, swap, digest = (str(stated.get(key, "")) for key in ("by", "swap", "digest"))
    return Difficulties(by, swap, digest, found)


def write_difficulties(folder: Path, found: Difficulties) -> None:
    """Put what was measured at the end of a suite's head, in place of what stood there."""
    path = folder / "suite.yaml"
    head = re.sub(r"(?ms)^measured:\n(?:[ #].*?\n|\n)*", "", path.read_text(encoding="utf-8")).rstrip("\n")
    lines = [head, "measured:", f"  by: {found.by}", f"  swap: {found.swap}", f"  digest: {found.digest}", "  strata:"]
    for stratum, measures in found.strata.items():
        lines.append(f"    {stratum}:")
        for measure, each in measures.items():
            values = ", ".join(f"{name}: {getattr(each, name):.4f}" for name in _VALUES)
            lines.append(f"      {measure}: {{{values}}}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _difficulty(stated: Any, where: str) -> Difficulty:
    values = _mapping(stated, where)
    return Difficulty(*(_number(values.get(name), f"{where}.{name}") for name in _VALUES))


def _number(stated: Any, where: str) -> float:
    try:
        number = float(stated)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise SuiteError(where, f"{stated!r} must be a number")
    return number


def _mapping(stated: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(stated, dict):
        raise SuiteError(where, "must be a mapping of keys to values")
    return stated
