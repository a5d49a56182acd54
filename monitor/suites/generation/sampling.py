"""Samples from a stream that depend on the seed and not on the order of the stream.

Each item has a random number derived from the seed and its name, and the items with the smallest numbers are kept. So a
repeated name is kept once, and a small change of the corpus changes the sample little. Cohen & Kaplan 2007, bottom-k
sketches.
"""

from __future__ import annotations

import hashlib
import heapq
from typing import Generic, TypeVar

import numpy as np

T = TypeVar("T")


def number_of(seed: int, purpose: str, name: str) -> int:
    """A pseudo-random integer below 2**64, determined by the arguments."""
    key = f"{seed}\x1f{purpose}\x1f{name}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(key, digest_size=8).digest())


def rng_of(seed: int, purpose: str, name: str) -> np.random.Generator:
    """A random generator for one item."""
    return np.random.default_rng(number_of(seed, purpose, name))


class Sample(Generic[T]):
    """At most ``size`` of the offered items; every distinct name is equally likely."""

    def __init__(self, size: int, seed: int, purpose: str) -> None:
        self._size, self._seed, self._purpose = size, seed, purpose
        self._heap: list[tuple[int, str, T]] = []
        self._names: set[str] = set()

    def offer(self, name: str, item: T) -> None:
        """Keep an item if its number is among the smallest so far."""
        number = number_of(self._seed, self._purpose, name)
        is_full = len(self._heap) == self._size
        if name in self._names or (is_full and number >= -self._heap[0][0]):
            return
        self._names.add(name)
        if is_full:  # numbers are negated: the heap drops the largest
            self._names.discard(heapq.heapreplace(self._heap, (-number, name, item))[1])
        else:
            heapq.heappush(self._heap, (-number, name, item))

    def items(self) -> list[T]:
        """The sampled items in random order."""
        return [item for _, _, item in sorted(self._heap, key=lambda each: (-each[0], each[1]))]
