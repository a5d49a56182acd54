"""Read the difficulty and the variance of a suite, which suite.yaml stores under ``measured``.

measured:
  by: all-MiniLM-L6-v2
  swap: …                 the model swap behind ``difference`` and ``icc``
  digest: …               digest of the measured suite
  strata:
    travel:
      ndcg@10: {mean: 0.721, deviation: 0.361, difference: 0.192, icc: 0.012}
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monitor.errors import SuiteError
from monitor.strict_yaml import TextLoader, read_yaml

_VALUES = ("mean", "deviation", "difference", "icc")


@dataclass(frozen=True, slots=True)
class Difficulty:
    """Statistics of one measure on one stratum."""

    mean: float
    deviation: float
    """Standard deviation of the values."""
    difference: float
    """Standard deviation of the paired differences caused by the swap."""
    icc: float
    """Intra-cluster correlation of the differences."""


@dataclass(frozen=True, slots=True)
class Difficulties:
    """The difficulties of a suite, with the model and the swap that they were measured with."""

    by: str
    swap: str
    digest: str
    strata: Mapping[str, Mapping[str, Difficulty]]
    """Stratum to measure to statistics; ``overall`` is the whole suite."""


def read_difficulties(folder: Path) -> Difficulties | None:
    """The difficulties in suite.yaml; None if it has none. Raises SuiteError with the wrong key."""
    path = folder / "suite.yaml"
    measured = read_yaml(path, SuiteError, TextLoader).get("measured") if path.is_file() else None
    if measured is None:
        return None
    where = f"{path}: measured"
    strata = _mapping(_mapping(measured, where).get("strata"), f"{where}.strata")
    difficulties = {
        stratum: {
            measure: _difficulty(values, f"{where}.strata.{stratum}.{measure}")
            for measure, values in _mapping(measures, f"{where}.strata.{stratum}").items()
        }
        for stratum, measures in strata.items()
    }
    by, swap, digest = (str(measured.get(key, "")) for key in ("by", "swap", "digest"))
    return Difficulties(by, swap, digest, difficulties)


def _difficulty(value: Any, where: str) -> Difficulty:
    values = _mapping(value, where)
    return Difficulty(*(_number(values.get(name), f"{where}.{name}") for name in _VALUES))


def _number(value: Any, where: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise SuiteError(where, f"{value!r} must be a number")
    return number


def _mapping(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise SuiteError(where, "must be a mapping of keys to values")
    return value
