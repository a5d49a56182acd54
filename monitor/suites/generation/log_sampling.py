"""A stratified sample of a query log without personal data or near-duplicates. The log is read twice.

Head, torso and tail are the thirds of the traffic by query frequency. Counts are kept in a sketch of fixed
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
from monitor.suites.similarity import near_duplicates

LENGTHS = ((2, "short"), (6, "medium"))
"""Largest number of words of each class; a longer query is "long"."""
FEWEST_WORDS = 2
"""A query with personal data must have so many other words."""
OVERSAMPLING = 3
"""Queries sampled for each requested one: near-duplicates are dropped."""
MOST_STRATA = 1_000

_CELLS = 2**22
_BANDS = 16

Read = Callable[[], Iterable[Logged]]


class Sampled(NamedTuple):
    """A query of the sample."""

    text: str
    stratum: str
    times: int
    """The frequency in the log, as estimated by the sketch: never too low."""


@dataclass
class LogSample:
    """The sampled queries and the counts of scrubbed and dropped ones."""

    queries: list[Sampled] = field(default_factory=list)
    n_lines: int = 0
    scrubbed: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)


class Sketch:
    """A count-min sketch of text frequencies with two rows of counters; an estimate is never too low."""

    def __init__(self) -> None:
        self._rows = [array("I", bytes(4 * _CELLS)) for _ in range(2)]

    def add(self, text: str) -> None:
        """Count a text once more."""
        for row, cell in zip(self._rows, _cells(text), strict=True):
            row[cell] += 1

    def count(self, text: str) -> int:
        """The estimated frequency of a text."""
        return min(row[cell] for row, cell in zip(self._rows, _cells(text), strict=True))

    def thirds(self) -> tuple[int, int]:
        """The lowest frequency in the middle third of the traffic, and in the upper third."""
        counts = np.frombuffer(self._rows[0], np.uint32)
        counts = np.sort(counts[counts > 0])
        traffic = np.cumsum(counts, dtype=np.uint64)
        borders = np.searchsorted(traffic, [traffic[-1] / 3, 2 * traffic[-1] / 3], side="right")
        return int(counts[borders[0]]), int(counts[borders[1]])


def sample(read: Read, count: int, seed: int, report_progress: Callable[[str], None]) -> LogSample:
    """At most ``count`` queries, equally many from each stratum until it has no more."""
    result, sketch = LogSample(), Sketch()
    for text, _ in _clean(read(), result, report_progress):
        sketch.add(normalise(text))
    if not result.n_lines or result.n_lines == result.dropped.total():
        return result
    borders = sketch.thirds()
    samples: dict[str, Sample[Sampled]] = {}
    for text, column in _clean(read(), LogSample(), report_progress):
        name = normalise(text)
        times = sketch.count(name)
        stratum = "-".join(filter(None, (column, _frequency(times, borders), _length(name))))
        if stratum not in samples and len(samples) == MOST_STRATA:
            stratum = "other"
        stratum_sample = samples.setdefault(stratum, Sample(count * OVERSAMPLING, seed, "log"))
        stratum_sample.offer(name, Sampled(text, stratum, times))
    result.queries = _in_turn(_without_copies([samples[key].items() for key in sorted(samples)], result), count)
    return result


def _clean(
    lines: Iterable[Logged], result: LogSample, report_progress: Callable[[str], None]
) -> Iterable[tuple[str, str]]:
    """Queries without personal data, each with its stratum column."""
    for line in lines:
        result.n_lines += 1
        if result.n_lines % 100_000 == 0:
            report_progress(f"{result.n_lines:,} lines read")
        text = " ".join(scrubbed(line.text.replace("\0", " "), result.scrubbed, line.names).split())
        n_words, is_scrubbed = words_left(text)
        if not text:
            result.dropped["empty"] += 1
        elif n_words < (FEWEST_WORDS if is_scrubbed else 1):
            result.dropped["too few words beside personal data" if is_scrubbed else "no word"] += 1
        else:
            yield text, "-".join(line.stratum.split())


def _without_copies(strata: Sequence[Sequence[Sampled]], result: LogSample) -> list[list[Sampled]]:
    """Drop near-duplicates of earlier queries, across all strata."""
    everything = list(chain.from_iterable(strata))
    copies = {
        pair.second
        for pair in near_duplicates(
            [normalise(each.text) for each in everything], size=1, at_least=LIKE_QUERIES, bands=_BANDS
        )
    }
    result.dropped["near-duplicates among the sampled queries"] += len(copies)
    by_stratum: defaultdict[str, list[Sampled]] = defaultdict(list)
    for index, query in enumerate(everything):
        if index not in copies:
            by_stratum[query.stratum].append(query)
    return list(by_stratum.values())


def _in_turn(strata: Sequence[Sequence[Sampled]], count: int) -> list[Sampled]:
    """Take one query of each stratum in turn until there are enough; the result is ordered by stratum."""
    queries = [each for turn in zip_longest(*strata) for each in turn if each is not None][:count]
    return sorted(queries, key=lambda each: each.stratum)


def _frequency(times: int, borders: tuple[int, int]) -> str:
    middle, upper = borders
    if times == 1 or times < middle:
        return "tail"
    return "head" if times >= upper and upper > 1 else "torso"


def _length(text: str) -> str:
    n_words = text.count(" ") + 1
    return next((name for limit, name in LENGTHS if n_words <= limit), "long")


def _cells(text: str) -> tuple[int, int]:
    hashed = int.from_bytes(blake2b(text.encode(), digest_size=8).digest())
    return hashed % _CELLS, (hashed >> 32) % _CELLS
