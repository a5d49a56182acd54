"""Causes are named right, and unchanged targets raise nothing, over many seeds of synthetic vectors."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from monitor.diagnosis.causes import name_cause
from monitor.model.causes import CauseName
from tests.synthetic_space import N_DOCUMENTS, Space, distortion

pytestmark = pytest.mark.slow

SEEDS = range(5_000, 5_010)
Change = Callable[[Space, np.random.Generator], Space]


def _some(rng: np.random.Generator) -> list[int]:
    return np.flatnonzero(rng.random(N_DOCUMENTS) < rng.uniform(0.03, 0.3)).tolist()


def _tuned(space: Space, rng: np.random.Generator) -> Space:
    return space.mapped(distortion(int(rng.integers(1_000_000)), float(rng.uniform(0.3, 1.0))))


CHANGES: dict[CauseName, Change] = {
    CauseName.UNCHANGED: lambda space, _: space,
    CauseName.MODEL_CHANGED: _tuned,
    CauseName.INDEX_CHANGED: lambda space, rng: replace(space, missed=float(rng.uniform(0.05, 0.3))),
    CauseName.CORPUS_CHANGED: lambda space, rng: space.without(_some(rng)),
    CauseName.CONFIGURATION_CHANGED: lambda space, rng: replace(space, k=int(rng.integers(3, 10))),
    CauseName.ENCODERS_DIVERGED: lambda space, rng: replace(_tuned(space, rng), stored=space.stored),
}


@pytest.mark.parametrize("cause", CHANGES)
def test_a_cause_is_named_right_nearly_always(cause: CauseName):
    """Of ten changes of random severity, nine are named right without vectors and with them."""
    right = {True: 0, False: 0}
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        before = replace(Space.random(seed), jitter=1e-6)
        after = CHANGES[cause](before, rng)
        for vectors in right:
            found = name_cause(before.look(seed, vectors=vectors), after.look(seed + 1, vectors=vectors))
            right[vectors] += found.name is cause
    assert min(right.values()) >= 9, right


def test_chance_and_jitter_raise_nothing():
    """Sixty cycles of a search that misses by chance, with jittering scores: not one swap is named."""
    space = replace(Space.random(9), missed=0.05, jitter=1e-5)
    before = space.look(0, vectors=False)
    named = [name_cause(before, space.look(seed, vectors=False)).name for seed in range(1, 61)]
    assert [each for each in named if each.is_swap] == []
