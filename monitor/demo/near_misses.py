"""Sentences and their structural near-misses, made by rules: what a team might tune its embedding model on.

None of them is in a probe suite. Gains on pairs made by the tuning rules do not carry over to pairs that
people wrote, which is one half of the trap that the demo shows.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

_PEOPLE = ("baker", "pilot", "teacher", "plumber", "violinist", "nurse", "farmer", "lawyer", "diver", "painter",
           "clerk", "tailor", "referee", "miner", "florist", "barber", "sailor", "chemist", "editor")  # fmt: skip
_DEEDS = ("thanked", "followed", "interviewed", "paid", "warned", "photographed", "hired", "visited", "trained",
          "greeted", "helped", "overtook", "praised", "called", "rescued", "mentioned")  # fmt: skip
_THINGS = ("ladder", "bicycle", "lantern", "piano", "suitcase", "kettle", "carpet", "telescope", "wheelbarrow",
           "umbrella", "typewriter", "saddle", "mirror", "drum", "chimney", "anchor")  # fmt: skip
_ACTS = ("repair", "sell", "paint", "inspect", "borrow", "deliver", "measure", "clean", "store", "replace")
_PLACES = ("harbour", "orchard", "library", "bridge", "workshop", "market", "station", "theatre", "mill", "garden")
_COLOURS = ("red", "green", "yellow", "grey", "purple", "white", "brown", "black")
_OPPOSITES = (("left", "right"), ("above", "below"), ("north", "south"), ("inside", "outside"), ("behind", "in front"))
_DEGREES = (("more", "less"), ("earlier", "later"), ("longer", "shorter"), ("heavier", "lighter"))

Rule = Callable[[random.Random], tuple[str, str]]


def _negation(rng: random.Random) -> tuple[str, str]:
    person, act, thing, place = (rng.choice(words) for words in (_PEOPLE, _ACTS, _THINGS, _PLACES))
    return (
        f"The {person} will {act} the {thing} near the {place}.",
        f"The {person} will not {act} the {thing} near the {place}.",
    )


def _roles(rng: random.Random) -> tuple[str, str]:
    first, second = rng.sample(_PEOPLE, 2)
    deed, place = rng.choice(_DEEDS), rng.choice(_PLACES)
    return f"The {first} {deed} the {second} at the {place}.", f"The {second} {deed} the {first} at the {place}."


def _binding(rng: random.Random) -> tuple[str, str]:
    (one, two), (this, that) = rng.sample(_COLOURS, 2), rng.sample(_THINGS, 2)
    place = rng.choice(_PLACES)
    return (
        f"A {one} {this} and a {two} {that} stood in the {place}.",
        f"A {two} {this} and a {one} {that} stood in the {place}.",
    )


def _direction(rng: random.Random) -> tuple[str, str]:
    this, that = rng.sample(_THINGS, 2)
    sides = list(rng.choice(_OPPOSITES))
    rng.shuffle(sides)
    return f"The {this} is {sides[0]} of the {that}.", f"The {this} is {sides[1]} of the {that}."


def _degree(rng: random.Random) -> tuple[str, str]:
    first, second = rng.sample(_PEOPLE, 2)
    degrees = list(rng.choice(_DEGREES))
    rng.shuffle(degrees)
    return f"The {first} worked {degrees[0]} than the {second}.", f"The {first} worked {degrees[1]} than the {second}."


def _number(rng: random.Random) -> tuple[str, str]:
    low, high = sorted(rng.sample(range(2, 90), 2))
    person, act, thing = rng.choice(_PEOPLE), rng.choice(_ACTS), rng.choice(_THINGS)
    return f"The {person} must {act} {low} {thing}s a year.", f"The {person} must {act} {high} {thing}s a year."


RULES: tuple[Rule, ...] = (_negation, _roles, _binding, _direction, _degree, _number)


def near_misses(count: int, *, seed: int) -> Iterator[tuple[str, str]]:
    """Pairs of a sentence and its near-miss, the rules taking turns; no pair comes twice."""
    rng = random.Random(seed)  # noqa: S311 - sentences, not secrets
    seen: set[tuple[str, str]] = set()
    while len(seen) < count:
        pair = RULES[len(seen) % len(RULES)](rng)
        if pair not in seen:
            seen.add(pair)
            yield pair
