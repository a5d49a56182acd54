"""The validity study compares like with like: the right pairs of series, ranks, signs, and nothing trained on."""

import math
from collections.abc import Mapping, Sequence
from xml.etree import ElementTree as Xml

import numpy as np
import pytest

from benchmarks.validity.agreement import (
    COUNTERPARTS,
    agreement,
    correlation_interval,
    mean_of_groups,
    rank_correlation,
    self_correlation,
    shares,
)
from benchmarks.validity.compression import bits, compressed
from benchmarks.validity.evaluation_sets import Vectors, forced_choice
from benchmarks.validity.finetuning import Recipe
from benchmarks.validity.models import Model
from benchmarks.validity.page import goals, page
from benchmarks.validity.questions import questions
from benchmarks.validity.resampling import resampled_changes, sample
from benchmarks.validity.scatter import COLOURS, scatter
from benchmarks.validity.scores import BROAD, COMPARISONS, PUBMEDQA, RANK, SIMILARITY, TRIPLETS, XQUAD
from benchmarks.validity.study import Study, Swap
from monitor.decision.judgement import Judgement
from monitor.model.verdicts import VerdictName
from monitor.suites.reading import read_suite
from tests.conftest import ROOT

SERIES = (BROAD, XQUAD, PUBMEDQA, SIMILARITY, RANK, TRIPLETS)


def follows(**pairs: tuple[float, float]) -> dict[str, Mapping[str, float]]:
    """Changes of two series, “ours” and “theirs”, by the name of the swap."""
    return {name: {"ours": ours, "theirs": theirs} for name, (ours, theirs) in pairs.items()}


RANKED = {
    "in one order": ([1, 2, 3, 4], [10, 20, 30, 400], 1.0),
    "in opposite orders": ([1, 2, 3], [3, 2, 1], -1.0),
    "one neighbouring exchange among four: 1 − 6·2/(4·15)": ([1, 2, 3, 4], [2, 1, 3, 4], 0.8),
    "ties share their mean rank": ([1, 1, 2, 3], [5, 5, 6, 7], 1.0),
    "a side that never changes": ([0, 0, 0], [1, 2, 3], math.nan),
}


@pytest.mark.parametrize(("left", "right", "expected"), RANKED.values(), ids=RANKED)
def test_the_correlation_is_one_of_ranks(left: Sequence[float], right: Sequence[float], expected: float):
    """Only the order counts, and a constant side has no correlation."""
    assert rank_correlation(left, right) == pytest.approx(expected, nan_ok=True)


def test_only_public_changes_beyond_two_points_are_asked_for_their_sign():
    """A contradiction is another sign, or none, where the public change is large enough to tell."""
    found = agreement(
        "ours",
        "theirs",
        follows(same=(-0.01, -0.03), other=(0.01, -0.03), none=(0.0, 0.03), small=(0.01, -0.02), tiny=(1.0, -0.001)),
    )
    assert found.n_beyond == 3
    assert found.contradicted == ("other", "none")


def test_a_goal_is_met_only_by_order_and_sign_together():
    """A perfect order does not excuse one wrong sign."""
    good = agreement("ours", "theirs", follows(a=(-0.03, -0.05), b=(-0.02, -0.04), c=(0.01, 0.03)))
    shifted = agreement("ours", "theirs", follows(a=(0.01, -0.05), b=(0.02, -0.04), c=(0.03, 0.03)))
    assert good.rho == shifted.rho == pytest.approx(1.0)
    assert (good.met, shifted.met) == (True, False)


def test_the_interval_is_that_of_the_other_samples():
    """Samples that all agree leave no doubt; one half in the opposite order leaves every doubt."""
    ours = np.array([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]])
    assert correlation_interval(ours, 10 * ours) == pytest.approx((1.0, 1.0))
    low, high = correlation_interval(ours, ours * [1.0, -1.0])
    assert low < -0.8
    assert high > 0.8


def test_a_series_agrees_with_itself_as_far_as_chance_leaves_it():
    """Other samples in the same order leave a perfect correlation; among three the middle one counts."""
    changes = [1.0, 2.0, 3.0]
    same, half, opposite = changes, [2.0, 1.0, 3.0], changes[::-1]
    assert self_correlation(changes, np.array([same, same]).T) == pytest.approx(1.0)
    assert self_correlation(changes, np.array([same, half, opposite]).T) == pytest.approx(0.5)


def test_a_tie_is_half_right():
    """A model to which both are one has to guess, and rounding is no choice."""
    assert [forced_choice(margin) for margin in (0.01, -0.01, 0.0, 1e-7, -1e-7)] == [1.0, 0.0, 0.5, 0.5, 0.5]


def test_a_bit_for_each_dimension_counts_what_agrees():
    """Three signs of four alike are a cosine of one half, whatever the lengths were."""
    left, right = bits(np.array([[0.9, -0.1, 0.3, 0.2], [0.1, -0.1, 0.1, -0.9]], np.float32))
    assert left @ left == pytest.approx(1.0)
    assert left @ right == pytest.approx(0.5)


def test_compressed_vectors_come_from_the_first_dimensions_alone():
    """A cut vector is of unit length, does not know what was cut off, and has a colour in the picture."""
    vectors = np.random.default_rng(1).normal(size=(5, 384)).astype(np.float32)
    changed = vectors + np.eye(384, dtype=np.float32)[-1]
    for before, after in zip(_compressed(vectors), _compressed(changed), strict=True):
        cut = before.encode([])
        assert np.linalg.norm(cut, axis=1) == pytest.approx(1.0)
        assert before.kind in COLOURS
        assert np.array_equal(cut, after.encode([])) or "bit" in before.name


def _compressed(vectors: Vectors) -> list[Model]:
    return list(compressed(lambda _: vectors, Model("static", "static", lambda _: vectors)))


def test_whole_clusters_are_drawn_again():
    """The error of a mean is that of independent clusters, however many queries each of them has."""
    n_clusters, size = 400, 5
    rng = np.random.default_rng(1)
    drops = rng.normal(size=n_clusters)
    names = [("", f"c{cluster}") for cluster in range(n_clusters) for _ in range(size)]
    before = sample((*name, 0.0) for name in names)
    after = sample((*name, drop) for name, drop in zip(names, np.repeat(drops, size), strict=True))
    (changes,) = resampled_changes(before, [after], rng)
    assert changes.std() == pytest.approx(drops.std() / np.sqrt(n_clusters), rel=0.1)
    assert changes.mean() == pytest.approx(drops.mean(), abs=0.02)


def test_each_category_counts_the_same():
    """A mean over categories does not follow the largest of them."""
    found = shares([*[("large", True)] * 98, ("small", False), ("small", True)])
    assert found == {"large": 1.0, "small": 0.5}
    assert mean_of_groups(found, ("large", "small")) == 0.75


def test_every_category_has_a_phenomenon_of_the_built_in_suite():
    """The public categories map one to one to strata that exist."""
    strata = read_suite(ROOT / "probes" / "compositional").strata
    assert set(COUNTERPARTS.values()) <= set(strata)
    assert len(set(COUNTERPARTS.values())) == len(COUNTERPARTS)


def test_training_texts_are_the_same_each_time_and_never_twice():
    """Questions come from their seed, and no passage repeats."""
    made = list(questions(200, seed=3))
    assert made == list(questions(200, seed=3))
    assert made != list(questions(200, seed=4))
    assert len({passage for _, passage in made}) == 200


def test_half_of_every_batch_is_structure():
    """Identity triplets have a near-miss that differs from them; questions have none."""
    batches = Recipe(steps=(2, 4), batch_size=6).batches
    assert [len(batch) for batch in batches] == [6] * 4
    for batch in batches:
        assert [negative is None for *_, negative in batch] == [False] * 3 + [True] * 3
        assert all(anchor == positive != negative for anchor, positive, negative in batch[:3])


def test_another_recipe_is_another_checkpoint():
    """Weights that were kept are not taken for those of another training."""
    assert len({Recipe(steps=(4,), **other).digest for other in ({}, {"seed": 9}, {"scale": 20.0})}) == 3


def study(*, name: VerdictName = VerdictName.PASSED, broad: float = -0.05) -> Study:
    """A study of a null swap and two others, one of them twice as strong."""
    parts = [f"{SIMILARITY}/{each}" for each in (*COUNTERPARTS.values(), "negation")]
    parts += [f"{TRIPLETS}/{each}" for each in COUNTERPARTS] + [f"{BROAD}/finance"]
    every = (*SERIES, *parts)
    strengths = {"int8 twin": ("null", 0.0), "weak": ("adapter", 1.0), "strong": ("fine-tuned", 2.0)}
    swaps = [
        Swap(each, kind, dict.fromkeys(every, -0.05 * by) | {BROAD: broad * by}, Judgement(name, "So it is.", "keep"))
        for each, (kind, by) in strengths.items()
    ]
    sizes = dict.fromkeys(("broad", "compositional", XQUAD, PUBMEDQA, "triplets"), 100)
    resampled = np.array([[0.0, 0.0], [-0.05, -0.04], [-0.1, -0.08]])
    return Study(dict.fromkeys(every, 0.5), swaps, sizes, dict.fromkeys(SERIES, resampled))


def test_a_missed_goal_is_said_to_be_missed():
    """Wrong signs and an alarm on the null swap stand in the list of goals, by name."""
    assert not any("missed" in line for line in goals(study()))
    told = "\n".join(goals(study(name=VerdictName.REGRESSED, broad=0.05)))
    assert f"{BROAD} and {XQUAD}: **missed**" in told
    assert "another sign on 2 of 2 swaps with a clear change on public data (weak; strong)" in told
    assert "**alarm on the null swap**" in told


def test_the_page_has_every_swap_in_points():
    """A line of the page is a swap, a change of a twentieth is five points."""
    lines = page(study()).splitlines()
    assert f"| weak | {' | '.join(['-5.0'] * len(SERIES))} | `passed` |" in lines


def test_the_page_counts_the_swaps_that_chance_does_not_explain():
    """A null swap never changes; the other two change by many times their error."""
    assert "more than two standard errors: 2 of 3." in page(study())


def test_the_picture_has_a_mark_for_every_swap_and_comparison():
    """The scatter is well-formed and leaves nothing out."""
    picture = Xml.fromstring(scatter(study()))  # noqa: S314 - written by ourselves
    marks = [each.text for each in picture.iter("{http://www.w3.org/2000/svg}title")]
    assert len(marks) == 3 * len(COMPARISONS)
    assert "strong: -10.0, -10.0" in marks
