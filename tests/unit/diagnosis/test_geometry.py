"""The geometry of a space is measured correctly and described in words that match the numbers."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import skew

from monitor.diagnosis.geometry import (
    anisotropy,
    cosines,
    effective_rank,
    hubness,
    kernel_alignment,
    kernel_alignment_interval,
    margins,
    mean_over,
    overlap,
    procrustes_distance,
    rank_biased_overlap,
)
from monitor.diagnosis.space_changes import (
    ALIGNED,
    Geometry,
    Labelled,
    Space,
    compare_spaces,
    describe,
    recall_of_exact,
)
from monitor.model.runs import Ranking
from monitor.model.snapshots import Embedded, Snapshot
from monitor.model.suites import Pair
from tests.properties import examples
from tests.synthetic_space import Space as Served
from tests.synthetic_space import distortion, rotation

RNG = np.random.default_rng(5)
TEXTS = RNG.normal(size=(60, 24))
rankings = st.lists(st.sampled_from("abcdefghij"), unique=True, max_size=10)


def extrapolated_by_definition(first: list[str], second: list[str], p: float) -> float:
    """Rank-biased overlap of equally long rankings, by its infinite sum."""
    n, total = len(first), 0.0
    for depth in range(1, 2_000):
        seen = min(depth, n)
        agreement = len(set(first[:seen]) & set(second[:seen])) / seen
        total += (1 - p) * p ** (depth - 1) * agreement
    return total


@given(size=st.integers(1, 10), seed=st.integers(0, 1_000), p=st.sampled_from([0.5, 0.8, 0.9]))
@examples(40)
def test_rank_biased_overlap_is_its_infinite_sum(size: int, seed: int, p: float):
    """The extrapolation equals the sum to any depth, the agreement at the end going on for ever."""
    rng = np.random.default_rng(seed)
    first, second = (rng.permutation(12)[:size].astype(str).tolist() for _ in range(2))
    assert rank_biased_overlap(first, second, p) == pytest.approx(extrapolated_by_definition(first, second, p))


@given(first=rankings, second=rankings)
@examples(100)
def test_overlaps_are_symmetric_shares(first: list[str], second: list[str]):
    """Both overlaps lie in [0, 1], do not depend on the order of the two, and are 1 for a ranking and itself."""
    for measure in (rank_biased_overlap, lambda a, b: overlap(a, b, 5)):
        assert 0 <= measure(first, second) <= 1 + 1e-12
        assert measure(first, second) == pytest.approx(measure(second, first))
        assert measure(first, first) == pytest.approx(1.0)


def test_the_top_counts_most():
    """A change of the first rank costs more than one of the lowest rank."""
    ranking = list("abcdefghij")
    assert rank_biased_overlap(ranking, ["x", *ranking[1:]]) < rank_biased_overlap(ranking, [*ranking[:-1], "x"])


@pytest.mark.parametrize("p", [0.0, 1.0])
def test_a_weight_outside_of_its_range_is_refused(p: float):
    """P is between 0 and 1."""
    with pytest.raises(ValueError, match="not between 0 and 1"):
        rank_biased_overlap(["a"], ["a"], p)


def test_rotation_and_scale_are_no_difference():
    """A rotated, scaled and moved space is the same to alignment and Procrustes distance."""
    turned = 3 * TEXTS @ rotation(1) + 7
    assert kernel_alignment(TEXTS, turned) == pytest.approx(1.0)
    assert procrustes_distance(TEXTS, turned) == pytest.approx(0.0, abs=1e-9)
    assert procrustes_distance(TEXTS, np.pad(turned, ((0, 0), (0, 5)))) == pytest.approx(0.0, abs=1e-9)


def test_distortion_grows_with_its_strength():
    """The further a map is from a rotation, the less the spaces align and the further apart they are."""
    distorted = [TEXTS @ distortion(2, strength) for strength in (0.1, 0.5, 2.0)]
    aligned = [kernel_alignment(TEXTS, each) for each in distorted]
    apart = [procrustes_distance(TEXTS, each) for each in distorted]
    assert aligned == sorted(aligned, reverse=True)
    assert apart == sorted(apart)


def test_alignment_tends_to_its_biased_form():
    """With many texts the debiased alignment equals the normalised product of the centred kernels."""
    rng = np.random.default_rng(5)
    texts = rng.normal(size=(900, 6))
    other = texts @ rng.normal(size=(6, 6)) + rng.normal(size=(900, 6))
    first, second = (each - each.mean(axis=0) for each in (texts, other))
    biased = np.linalg.norm(first.T @ second) ** 2 / (
        np.linalg.norm(first.T @ first) * np.linalg.norm(second.T @ second)
    )
    assert kernel_alignment(texts, other) == pytest.approx(biased, abs=0.01)


@pytest.mark.parametrize("n_texts", [8, 12, 16, 48])
def test_unrelated_spaces_are_not_aligned_however_few_the_texts(n_texts: int):
    """In many dimensions a few vectors are orthogonal in any space: this is no alignment and no rotation."""
    rng = np.random.default_rng(n_texts)
    intervals = [
        kernel_alignment_interval(rng.normal(size=(n_texts, 384)), rng.normal(size=(n_texts, 384))) for _ in range(50)
    ]
    assert abs(np.mean([each.value for each in intervals])) < 0.1
    assert not any(each.lower >= ALIGNED for each in intervals)


def test_the_interval_of_an_alignment_covers_its_value():
    """The 95 % interval from 40 texts covers the alignment of 1,500 texts nearly always; of few texts it is unknown."""
    rng = np.random.default_rng(8)
    turn = distortion(4, 0.5)
    size = TEXTS.shape[1]
    many = rng.normal(size=(1_500, size)) * np.linspace(2, 0.5, size)
    true = kernel_alignment(many, many @ turn)
    samples = [many[rng.choice(1_500, 40, replace=False)] for _ in range(100)]
    covered = [
        interval.lower <= true <= interval.upper
        for interval in (kernel_alignment_interval(each, each @ turn) for each in samples)
    ]
    assert np.mean(covered) >= 0.85
    assert np.isnan(kernel_alignment_interval(TEXTS[:7], TEXTS[:7]).value)


def test_effective_rank_counts_used_dimensions():
    """Equal directions count fully, a collapsed space has rank 1, and scale does not matter."""
    assert effective_rank(5 * np.eye(4)) == pytest.approx(4.0)
    assert effective_rank(np.outer(np.arange(1, 5), np.ones(3))) == pytest.approx(1.0)
    assert np.isnan(effective_rank(np.zeros((2, 2))))


def test_anisotropy_is_the_mean_cosine_of_all_pairs():
    """The shortcut equals the mean over the matrix of cosines without its diagonal."""
    units = TEXTS / np.linalg.norm(TEXTS, axis=1, keepdims=True)
    similarity = units @ units.T
    expected = (similarity.sum() - np.trace(similarity)) / (60 * 59)
    assert anisotropy(TEXTS) == pytest.approx(expected)
    assert anisotropy(np.ones((3, 2))) == pytest.approx(1.0)


def test_hubness_is_the_skewness_of_occurrences():
    """It equals SciPy's skewness of the counts, those of documents that never came among them."""
    ranked = [[str(each) for each in RNG.zipf(1.5, 10) if each < 50] for _ in range(40)]
    counts = [sum(str(number) in ranking for ranking in map(set, ranked)) for number in range(1, 61)]
    assert hubness([list(dict.fromkeys(each)) for each in ranked], 60, 10) == pytest.approx(skew(counts))
    with pytest.raises(ValueError, match="more than n_documents, which is 1"):
        hubness([["a", "b"]], 1, 2)


@pytest.mark.parametrize("measure", [kernel_alignment, procrustes_distance])
def test_what_cannot_be_measured_is_not_a_number(measure):
    """One text, or texts that are all one, have no geometry."""
    assert np.isnan(measure(np.ones((1, 2)), np.ones((1, 2))))
    assert np.isnan(measure(np.ones((3, 2)), np.ones((3, 2))))


def test_margins_are_told_by_phenomenon():
    """The margin of a phenomenon is the mean over its pairs; the mean over phenomena counts each once."""
    queries, right, wrong = np.array([[1.0, 0]] * 3), np.array([[1.0, 0]] * 3), np.array([[0, 1.0], [1, 0], [0, 1]])
    found = margins(queries, right, wrong, ["negation", "negation", "role"])
    assert found == {"negation": 0.5, "role": 1.0}
    assert mean_over(found) == 0.75
    assert np.isnan(mean_over({}))


def test_a_zero_vector_has_no_direction():
    """Its cosine with anything is 0, never NaN."""
    assert cosines(np.zeros((1, 2)), np.ones((1, 2))).tolist() == [0.0]


SERVED = Served.random(7)


def test_a_rotated_space_is_described_as_rotated():
    """With the same rankings and aligned vectors, the new space is described as a rotation."""
    geometry = compare_spaces(SERVED.look(), SERVED.mapped(rotation(3)).look())
    assert geometry.overlap == 1.0
    assert geometry.same_place < 0.5
    text = describe(geometry)
    assert "is a rotation of the old one" in text
    assert "same documents are returned in the same order" in text


def test_a_collapsed_space_is_described_as_another_one():
    """The description names fewer dimensions and closer texts."""
    squeeze = np.diag(np.linspace(1.5, 0.01, SERVED.texts.shape[1]) ** 3)
    text = describe(compare_spaces(SERVED.look(), SERVED.mapped(squeeze).look()))
    assert "is not a rotation of the old one" in text
    assert "fewer dimensions" in text


def test_an_unchanged_space_is_described_in_two_sentences():
    """Nothing is made of nothing."""
    look = SERVED.look()
    assert describe(compare_spaces(look, look)) == (
        "The vectors have not changed. The same documents are returned in the same order."
    )


def test_partial_snapshots_are_described_as_far_as_they_go():
    """Rankings alone give overlaps; what needs vectors is left out, in numbers and in words."""
    before, after = SERVED.look(vectors=False), SERVED.mapped(distortion(3, 0.5)).look(vectors=False)
    geometry = compare_spaces(before, after)
    assert 0 < geometry.overlap < 1
    assert np.isnan(geometry.kernel_alignment.value)
    assert np.isnan(geometry.after.effective_rank)
    assert describe(geometry).startswith("60% of the returned documents")
    nothing = Snapshot(rankings={}, depth=10)
    assert np.isnan(compare_spaces(nothing, nothing).overlap)


def test_pairs_that_are_told_apart_better_are_named():
    """Margins and near-misses are measured on the pairs with vectors and described by phenomenon."""
    documents, worse = np.array([[1.0, 0.1], [1.0, 0.0]]), np.array([[1.0, 0.1], [1.0, 0.9]])
    before, after = (
        Snapshot(
            rankings={}, depth=10, queries=Embedded(("q",), np.array([[1.0, 0.1]])), stored=Embedded(("yes", "no"), of)
        )
        for of in (documents, worse)
    )
    pairs = [Labelled(Pair("q", "yes", "no"), "negation"), Labelled(Pair("q2", "yes", "no"), "role")]
    geometry = compare_spaces(before, after, pairs)
    assert set(geometry.after.margins) == {"negation"}
    assert geometry.after.near_misses["negation"] < geometry.before.near_misses["negation"]
    assert "more clearly in negation" in describe(geometry)


def test_recall_of_an_index_is_measured_against_exact_search():
    """The share of the exact top k that was returned; queries without an exact ranking are left out."""
    exact = {"q1": Ranking(doc_ids=("a", "b")), "q2": Ranking(doc_ids=()), "q3": Ranking(doc_ids=("a",))}
    served = {"q1": Ranking(doc_ids=("a", "c")), "q2": Ranking(doc_ids=("a",))}
    assert recall_of_exact(exact, served, 2) == 0.5
    assert np.isnan(recall_of_exact({}, served, 2))
    geometry = Geometry(
        before=Space(recall_of_exact=0.99), after=Space(recall_of_exact=0.9), overlap=1.0, rank_biased_overlap=1.0
    )
    assert "The index returns 90.0% of the results of exact search, before 99.0%." in describe(geometry)


def test_an_index_that_misses_is_told_from_a_model_that_changed():
    """With the same vectors, recall against exact search falls and the space stays."""
    geometry = compare_spaces(SERVED.look(), replace(SERVED, missed=0.1).look(1))
    assert geometry.before.recall_of_exact == 1.0
    assert geometry.after.recall_of_exact < 0.95
    assert geometry.kernel_alignment.value == pytest.approx(1.0)
