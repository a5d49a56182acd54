"""A stratified sample of a log of queries, without personal data and near-duplicates. The log is read twice.

Head, torso and tail are the thirds of the traffic by how often a query is asked. Counts are kept in a sketch of fixed
size (Cormode & Muthukrishnan 2005), so that memory does not grow with the log.
"""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import chain, zip_longest
from typing import NamedTuple

import numpy as np

from monitor.evaluation.passages.quotes import normalise
from monitor.suites.generation.personal_data import scrubbed, words_left
from monitor.suites.generation.query_log import Logged
from monitor.suites.generation.sampling import Sample
from monitor.suites.linting import LIKE_QUERIES
from monitor.suites.similarity import alike

LENGTHS = ((2, "short"), (6, "medium"))
"""Words up to which a query is called so; a longer one is long."""
FEWEST_WORDS = 2
"""Words that must be left beside what was scrubbed."""
DRAWN = 3
"""Queries drawn for each one that is wanted: near-duplicates fall out."""
MOST_STRATA = 1_000

_CELLS = 2**22
_BANDS = 16

Read = Callable[[], Iterable[Logged]]


class Sampled(NamedTuple):
    """A query of the sample."""

    text: str
    stratum: str
    times: int
    """How often it was asked, as the sketch estimates it: never too few."""


@dataclass
class LogSample:
    """What came of the log."""

    queries: list[Sampled] = field(default_factory=list)
    n_lines: int = 0
    scrubbed: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)


class Sketch:
    """How often each of very many texts was seen, in two rows of counters; the estimate is never too low."""

    def __init__(self) -> None:
        self._rows = [array("I", bytes(4 * _CELLS)) for _ in range(2)]

    def add(self, text: str) -> None:
        """See a text once more."""
        for row, cell in zip(self._rows, _cells(text), strict=True):
            row[cell] += 1

    def count(self, text: str) -> int:
        """How often a text was seen."""
        return min(row[cell] for row, cell in zip(self._rows, _cells(text), strict=True))

    def thirds(self) -> tuple[int, int]:
        """From which counts on a text is of the middle third of the traffic, and of the upper one."""
        counts = np.frombuffer(self._rows[0], np.uint32)
        counts = np.sort(counts[counts > 0])
        traffic = np.cumsum(counts, dtype=np.uint64)
        borders = np.searchsorted(traffic, [traffic[-1] / 3, 2 * traffic[-1] / 3], side="right")
        return int(counts[borders[0]]), int(counts[borders[1]])


def sample(read: Read, count: int, seed: int, tell: Callable[[str], None]) -> LogSample:
    """At most ``count`` queries, in equal parts from all strata as long as they last."""
    done, sketch = LogSample(), Sketch()
    for text, _ in _clean(read(), done, tell):
        sketch.add(normalise(text))
    if not done.n_lines or done.n_lines == done.dropped.total():
        return done
    borders = sketch.thirds()
    samples: dict[str, Sample[Sampled]] = {}
    for text, column in _clean(read(), LogSample(), tell):
        name = normalise(text)
        times = sketch.count(name)
        stratum = "-".join(filter(None, (column, _frequency(times, borders), _length(name))))
        if stratum not in samples and len(samples) == MOST_STRATA:
            stratum = "other"
        drawn = samples.setdefault(stratum, Sample(count * DRAWN, seed, "log"))
        drawn.offer(name, Sampled(text, stratum, times))
    done.queries = _in_turn(_without_copies([samples[key].drawn() for key in sorted(samples)], done), count)
    return done


def _clean(lines: Iterable[Logged], done: LogSample, tell: Callable[[str], None]) -> Iterable[tuple[str, str]]:
    """Queries without personal data, each with what its column says."""
    for line in lines:
        done.n_lines += 1
        if done.n_lines % 100_000 == 0:
            tell(f"{done.n_lines:,} lines read")
        text = " ".join(scrubbed(line.text.replace("\0", " "), done.scrubbed, line.names).split())
        n_words, is_scrubbed = words_left(text)
        if not text:
            done.dropped["empty"] += 1
        elif n_words < (FEWEST_WORDS if is_scrubbed else 1):
            done.dropped["too little is left without personal data" if is_scrubbed else "no word"] += 1
        else:
            yield text, "-".join(line.stratum.split())


def _without_copies(strata: Sequence[Sequence[Sampled]], done: LogSample) -> list[list[Sampled]]:
    """Near-duplicates of what stands before them are dropped, in whatever stratum."""
    everything = list(chain.from_iterable(strata))
    copies = {
        pair.second
        for pair in alike([normalise(each.text) for each in everything], size=1, at_least=LIKE_QUERIES, bands=_BANDS)
    }
    done.dropped["near-duplicates among those drawn"] += len(copies)
    kept: defaultdict[str, list[Sampled]] = defaultdict(list)
    for index, each in enumerate(everything):
        if index not in copies:
            kept[each.stratum].append(each)
    return list(kept.values())


def _in_turn(strata: Sequence[Sequence[Sampled]], count: int) -> list[Sampled]:
    """One of each stratum, then another of each, until there are enough; in the order of strata."""
    taken = [each for turn in zip_longest(*strata) for each in turn if each is not None][:count]
    return sorted(taken, key=lambda each: each.stratum)


def _frequency(times: int, borders: tuple[int, int]) -> str:
    middle, upper = borders
    if times == 1 or times < middle:
        return "tail"
    return "head" if times >= upper and upper > 1 else "torso"


def _length(name: str) -> str:
    n_words = name.count(" ") + 1
    return next((told for most, told in LENGTHS if n_words <= most), "long")


def _cells(text: str) -> tuple[int, int]:
    hashed = int.from_bytes(blake2b(text.encode(), digest_size=8).digest())
    return hashed % _CELLS, (hashed >> 32) % _CELLS
