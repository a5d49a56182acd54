"""Near-duplicate detection among many texts: MinHash with banding, then the exact Jaccard similarity.

The result is deterministic: the same texts give the same pairs on every machine. Broder 1997; Leskovec, Rajaraman &
Ullman, Mining of Massive Datasets, chapter 3.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint32]

ROWS = 3
"""Hashes per band. More rows miss more pairs near the threshold; fewer rows cause more useless comparisons."""
REACH = 8
"""Neighbours compared in each band. The limit prevents all-pairs comparisons of boilerplate."""

_MIX = np.array([0x9E3779B1, 0x85EBCA6B, 0xC2B2AE35], np.uint32)
_RNG = np.random.default_rng(20_261_121)
_FACTORS = _RNG.integers(0, 2**31, 64, dtype=np.uint32) * np.uint32(2) + np.uint32(1)
_SHIFTS = _RNG.integers(0, 2**32, 64, dtype=np.uint32)


class NearDuplicate(NamedTuple):
    """Two texts by their indices, and the Jaccard similarity of their shingles."""

    first: int
    second: int
    similarity: float


class Shingles(NamedTuple):
    """Hashed word n-grams of many texts, one text after the other."""

    hashes: Hashes
    starts: NDArray[np.intp]

    def of(self, text: int) -> set[int]:
        """The distinct shingles of one text."""
        end = self.starts[text + 1] if text + 1 < len(self.starts) else len(self.hashes)
        return set(self.hashes[self.starts[text] : end].tolist())


def shingles(texts: Sequence[str], size: int) -> Shingles:
    """The word n-grams (``size`` 1 to 3) of each text. Texts must be normalised and not empty."""
    words: list[int] = []
    starts: list[int] = []
    padding = [0] * (size - 1)
    for text in texts:
        starts.append(len(words))
        words += map(crc32, text.encode().split())
        words += padding
    word_hashes = np.array(words, np.uint32)
    hashes = word_hashes * _MIX[0]
    for offset in range(1, size):
        hashes[:-offset] += word_hashes[offset:] * _MIX[offset]
    first = np.array(starts, np.intp)
    for offset in range(1, size):  # n-grams that start in the padding would extend into the next text
        hashes[np.append(first[1:], len(hashes)) - offset] = hashes[first]
    return Shingles(hashes, first)


def near_duplicates(texts: Sequence[str], *, size: int, at_least: float, bands: int) -> Iterator[NearDuplicate]:
    """Pairs of normalised texts with at least this Jaccard similarity, each pair once."""
    if len(texts) < 2:
        return
    hashed = shingles(texts, size)
    pairs: set[tuple[int, int]] = set()
    for keys in _band_keys(hashed, bands).T:
        order = np.argsort(keys, kind="stable")
        ordered = keys[order]
        for offset in range(1, min(REACH, len(order) - 1) + 1):
            same = np.flatnonzero(ordered[:-offset] == ordered[offset:])
            pairs.update(zip(order[same].tolist(), order[same + offset].tolist(), strict=True))
    for first, second in sorted(pairs):
        similarity = jaccard(hashed.of(first), hashed.of(second))
        if similarity >= at_least:
            yield NearDuplicate(first, second, similarity)


class Neighbourhood:
    """An index of texts, for finding near-copies of them in a stream of other texts."""

    def __init__(self, texts: Sequence[str], *, size: int, bands: int) -> None:
        self._size, self._bands = size, bands
        self._shingles = shingles(texts, size)
        keys = _band_keys(self._shingles, bands).T
        self._orders = np.argsort(keys, axis=1, kind="stable")
        self._keys = np.take_along_axis(keys, self._orders, axis=1)

    def near(self, texts: Sequence[str], *, at_least: float) -> Iterator[NearDuplicate]:
        """Near-duplicates of these normalised texts in the index; ``first`` is the position in the index."""
        others = shingles(texts, self._size)
        pairs: set[tuple[int, int]] = set()
        for keys, indexed_keys, order in zip(_band_keys(others, self._bands).T, self._keys, self._orders, strict=True):
            place = np.searchsorted(indexed_keys, keys)
            for _ in range(REACH):
                hit = np.flatnonzero(
                    (place < len(indexed_keys)) & (indexed_keys[np.minimum(place, len(indexed_keys) - 1)] == keys)
                )
                if not len(hit):
                    break
                pairs.update(zip(order[place[hit]].tolist(), hit.tolist(), strict=True))
                place += 1
        for first, second in sorted(pairs):
            similarity = jaccard(self._shingles.of(first), others.of(second))
            if similarity >= at_least:
                yield NearDuplicate(first, second, similarity)


def jaccard(left: set[int], right: set[int]) -> float:
    """Jaccard similarity of two sets, in [0, 1]."""
    common = len(left & right)
    return common / (len(left) + len(right) - common)


def _band_keys(hashed: Shingles, bands: int) -> NDArray[np.uint64]:
    """One key for each text and band, shape (n, bands): texts with equal minimum hashes in a band have equal keys."""
    keys = np.zeros((len(hashed.starts), bands), np.uint64)
    for row in range(bands * ROWS):
        least = np.minimum.reduceat(hashed.hashes * _FACTORS[row] + _SHIFTS[row], hashed.starts)
        keys[:, row // ROWS] = keys[:, row // ROWS] * np.uint64(0x100000001B3) + least
    return keys
