"""Samples of what streams by, the same for the same seed, in whatever order it comes.

Each thing has a random number that follows from the seed and its name, and the least numbers are kept. So a name that
comes twice is kept once, and a sample barely changes when the corpus does. Cohen & Kaplan 2007, bottom-k sketches.
"""

from __future__ import annotations

import hashlib
import heapq
from typing import Generic, TypeVar

import numpy as np

T = TypeVar("T")


def number_of(seed: int, purpose: str, name: str) -> int:
    """A random whole number below 2**64 that follows from its arguments."""
    told = f"{seed}\x1f{purpose}\x1f{name}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(told, digest_size=8).digest())


def rng_of(seed: int, purpose: str, name: str) -> np.random.Generator:
    """Randomness of its own for one thing."""
    return np.random.default_rng(number_of(seed, purpose, name))


class Sample(Generic[T]):
    """At most ``size`` of the things that are offered, each distinct name equally likely."""

    def __init__(self, size: int, seed: int, purpose: str) -> None:
        self._size, self._seed, self._purpose = size, seed, purpose
        self._kept: list[tuple[int, str, T]] = []
        self._names: set[str] = set()

    def offer(self, name: str, thing: T) -> None:
        """Keep a thing if its number is among the least so far."""
        number = number_of(self._seed, self._purpose, name)
        is_full = len(self._kept) == self._size
        if name in self._names or (is_full and number >= -self._kept[0][0]):
            return
        self._names.add(name)
        if is_full:  # numbers are negated: the heap gives up its greatest
            self._names.discard(heapq.heapreplace(self._kept, (-number, name, thing))[1])
        else:
            heapq.heappush(self._kept, (-number, name, thing))

    def drawn(self) -> list[T]:
        """What was kept, in random order."""
        return [thing for _, _, thing in sorted(self._kept, key=lambda each: (-each[0], each[1]))]
