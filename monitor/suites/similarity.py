"""Texts that are almost alike, among very many: MinHash, banded, then the exact share of what two texts have in common.

Everything is deterministic: the same texts give the same pairs on every machine. Broder 1997; Leskovec, Rajaraman &
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
"""Least hashes in a band: more miss more of what is barely alike, fewer compare more in vain."""
REACH = 8
"""Neighbours looked at in each band; with boilerplate everywhere, not everything is compared with everything."""

_MIX = np.array([0x9E3779B1, 0x85EBCA6B, 0xC2B2AE35], np.uint32)
_RNG = np.random.default_rng(20_261_121)
_FACTORS = _RNG.integers(0, 2**31, 64, dtype=np.uint32) * np.uint32(2) + np.uint32(1)
_SHIFTS = _RNG.integers(0, 2**32, 64, dtype=np.uint32)


class Alike(NamedTuple):
    """Two texts by their numbers, and the Jaccard similarity of what is in them."""

    first: int
    second: int
    similarity: float


class Shingles(NamedTuple):
    """Hashed runs of neighbouring words of many texts, one text after the other."""

    hashes: Hashes
    starts: NDArray[np.intp]

    def of(self, text: int) -> set[int]:
        """The distinct shingles of one text."""
        end = self.starts[text + 1] if text + 1 < len(self.starts) else len(self.hashes)
        return set(self.hashes[self.starts[text] : end].tolist())


def shingles(texts: Sequence[str], size: int) -> Shingles:
    """Runs of ``size`` words (1 to 3) of each text. The texts are normalised; none is empty."""
    words: list[int] = []
    starts: list[int] = []
    padding = [0] * (size - 1)
    for text in texts:
        starts.append(len(words))
        words += map(crc32, text.encode().split())
        words += padding
    found = np.array(words, np.uint32)
    hashes = found * _MIX[0]
    for offset in range(1, size):
        hashes[:-offset] += found[offset:] * _MIX[offset]
    first = np.array(starts, np.intp)
    for offset in range(1, size):  # what starts in the padding would reach into the next text
        hashes[np.append(first[1:], len(hashes)) - offset] = hashes[first]
    return Shingles(hashes, first)


def alike(texts: Sequence[str], *, size: int, at_least: float, bands: int) -> Iterator[Alike]:
    """Pairs of normalised texts that have at least this share of their shingles in common, each pair once."""
    if len(texts) < 2:
        return
    found = shingles(texts, size)
    pairs: set[tuple[int, int]] = set()
    for keys in _band_keys(found, bands).T:
        order = np.argsort(keys, kind="stable")
        ordered = keys[order]
        for offset in range(1, min(REACH, len(order) - 1) + 1):
            same = np.flatnonzero(ordered[:-offset] == ordered[offset:])
            pairs.update(zip(order[same].tolist(), order[same + offset].tolist(), strict=True))
    for first, second in sorted(pairs):
        similarity = jaccard(found.of(first), found.of(second))
        if similarity >= at_least:
            yield Alike(first, second, similarity)


class Neighbourhood:
    """Texts whose near-copies are looked for among others that pass by."""

    def __init__(self, texts: Sequence[str], *, size: int, bands: int) -> None:
        self._size, self._bands = size, bands
        self._shingles = shingles(texts, size)
        keys = _band_keys(self._shingles, bands).T
        self._orders = np.argsort(keys, axis=1, kind="stable")
        self._keys = np.take_along_axis(keys, self._orders, axis=1)

    def near(self, texts: Sequence[str], *, at_least: float) -> Iterator[Alike]:
        """Of each of these normalised texts the kept ones that are alike; ``first`` numbers the kept ones."""
        passing = shingles(texts, self._size)
        pairs: set[tuple[int, int]] = set()
        for keys, kept, order in zip(_band_keys(passing, self._bands).T, self._keys, self._orders, strict=True):
            place = np.searchsorted(kept, keys)
            for _ in range(REACH):
                hit = np.flatnonzero((place < len(kept)) & (kept[np.minimum(place, len(kept) - 1)] == keys))
                if not len(hit):
                    break
                pairs.update(zip(order[place[hit]].tolist(), hit.tolist(), strict=True))
                place += 1
        for first, second in sorted(pairs):
            similarity = jaccard(self._shingles.of(first), passing.of(second))
            if similarity >= at_least:
                yield Alike(first, second, similarity)


def jaccard(left: set[int], right: set[int]) -> float:
    """Share of what is in either that is in both, in [0, 1]."""
    common = len(left & right)
    return common / (len(left) + len(right) - common)


def _band_keys(found: Shingles, bands: int) -> NDArray[np.uint64]:
    """One key for each text and band: texts with equal least hashes in a band have equal keys; shape (n, bands)."""
    keys = np.zeros((len(found.starts), bands), np.uint64)
    for row in range(bands * ROWS):
        least = np.minimum.reduceat(found.hashes * _FACTORS[row] + _SHIFTS[row], found.starts)
        keys[:, row // ROWS] = keys[:, row // ROWS] * np.uint64(0x100000001B3) + least
    return keys
