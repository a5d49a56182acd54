"""Nouns of the model from the plain values of the API."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any, TypeVar

from pydantic import TypeAdapter

from monitor.errors import StoreError
from monitor.model.verdicts import Verdict

T = TypeVar("T")
_UNBOUNDED = {"lower": float("-inf"), "upper": float("inf")}
_COUNTED = frozenset({"suite", "axis", "stratum", "measure", "gating", "n_queries", "n_clusters"})


_adapter_of: Callable[[Any], TypeAdapter[Any]] = cache(TypeAdapter)


def noun(kind: type[T], values: Any) -> T:
    """One noun. Raises StoreError if the daemon is of a version with other fields."""
    try:
        read: T = _adapter_of(kind).validate_python(values)
    except ValueError as error:
        raise StoreError(
            f"the answer of the daemon is no {kind.__name__}: {error!s:.200}; is it of another version?"
        ) from error
    return read


def nouns(kind: type[T], rows: Iterable[Any]) -> list[T]:
    """One noun for each row."""
    return [noun(kind, row) for row in rows]


def verdict(values: Mapping[str, Any]) -> Verdict:
    """A verdict. A number that does not exist is null, as in the database: NaN, or an unbounded interval."""
    evidence = [{key: _number(key, value) for key, value in row.items()} for row in values["evidence"]]
    return noun(Verdict, {**values, "name": values["verdict"], "evidence": evidence})


def _number(key: str, value: Any) -> Any:
    return _UNBOUNDED.get(key, float("nan")) if value is None and key not in _COUNTED else value
