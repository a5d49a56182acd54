"""Read the training set of natural minimal pairs. Every mistake is a `SuiteError` with file and line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from monitor.errors import SuiteError
from monitor.suites.lines import read_lines, text_of

TRAINING_PAIRS = Path(__file__).with_name("pairs.jsonl")

PHENOMENA = (
    "negation",
    "exclusion",
    "role-swap",
    "modifier-binding",
    "obligation-binding",
    "numeric-unit",
    "temporal",
    "spatial",
    "quantifier-modality",
    "comparative",
    "conjunction",
    "paraphrase",
    "entity-substitution",
)
"""The strata of the compositional suite, in its order. The last two are its controls."""

_REQUIRED = ("pair_id", "phenomenon", "query", "satisfying", "violating", "topic")
_OPTIONAL = ("mirror_query",)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingPair:
    """Two texts with nearly the same words, and a query that only one of them satisfies."""

    pair_id: str
    phenomenon: str
    query: str
    satisfying: str
    violating: str
    topic: str
    mirror_query: str | None = None
    """A query that the violating text satisfies and the satisfying text does not; None if there is no natural one."""

    @property
    def texts(self) -> tuple[str, ...]:
        """All queries and documents of the pair."""
        mirror = () if self.mirror_query is None else (self.mirror_query,)
        return (self.query, *mirror, self.satisfying, self.violating)


class Triplet(NamedTuple):
    """One training example for a retriever or a reranker."""

    anchor: str
    positive: str
    negative: str


def read_training_pairs(path: Path = TRAINING_PAIRS) -> tuple[TrainingPair, ...]:
    """All pairs in the order of the file.

    Raises SuiteError if the file is missing or empty, a line is not an object with exactly the documented keys, a
    phenomenon is unknown, both sides of a pair are the same text, or two pairs share an id or a text.
    """
    pairs: dict[str, TrainingPair] = {}
    owners: dict[str, str] = {}
    for where, row in read_lines(path):
        pair = _pair(row, where)
        if pair.pair_id in pairs:
            raise SuiteError(where, f"pair_id {pair.pair_id} is used twice")
        for text in pair.texts:
            owner = owners.setdefault(text.casefold(), pair.pair_id)
            if owner != pair.pair_id:
                raise SuiteError(where, f"pair {owner} has the same text: {text!r}")
        pairs[pair.pair_id] = pair
    if not pairs:
        raise SuiteError(str(path), "the file has no pairs")
    return tuple(pairs.values())


def triplets(pairs: Iterable[TrainingPair]) -> Iterator[Triplet]:
    """Each pair as a triplet, followed by its mirror, where positive and negative trade places."""
    for pair in pairs:
        yield Triplet(pair.query, pair.satisfying, pair.violating)
        if pair.mirror_query is not None:
            yield Triplet(pair.mirror_query, pair.violating, pair.satisfying)


def _pair(row: Mapping[str, Any], where: str) -> TrainingPair:
    for key in row:
        if key not in _REQUIRED and key not in _OPTIONAL:
            raise SuiteError(where, f"unknown key {key}; the keys are {', '.join((*_REQUIRED, *_OPTIONAL))}")
    present = [key for key in (*_REQUIRED, *_OPTIONAL) if key in _REQUIRED or key in row]
    pair = TrainingPair(**{key: text_of(row.get(key), key, where) for key in present})
    if pair.phenomenon not in PHENOMENA:
        raise SuiteError(where, f"unknown phenomenon {pair.phenomenon!r}; the phenomena are {', '.join(PHENOMENA)}")
    if pair.satisfying.casefold() == pair.violating.casefold():
        raise SuiteError(where, "satisfying and violating are the same text")
    if pair.mirror_query is not None and pair.mirror_query.casefold() == pair.query.casefold():
        raise SuiteError(where, "mirror_query repeats query; leave it out if there is no natural one")
    return pair
