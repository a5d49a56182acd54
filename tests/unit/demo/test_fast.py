"""The parts of the fast demo: word vectors, exact search, a part of a suite, and training without a library."""

import json
from pathlib import Path

import numpy as np
import pytest

from monitor.demo.near_misses import near_misses
from monitor.demo.sampling import sample_suite
from monitor.demo.tuning import apply, contrast_gradient, tune
from monitor.demo.word_vectors import ExactIndex, WordVectors
from monitor.suites.locating import built_in_probes
from monitor.suites.reading import read_suite

CORPUS = ["The harbour closes at noon.", "A lease ends after two years.", "Insulin is kept cold."]


def test_a_text_is_closest_to_the_document_that_shares_its_rare_words():
    """Word vectors are a retriever: the query finds its document, and every vector has unit length."""
    model = WordVectors(CORPUS)
    vectors = model.encode(CORPUS)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1.0, abs=1e-5)
    _, places = ExactIndex(vectors).search(model.encode(["when does the lease end", "keeping insulin"]), 1)
    assert places.ravel().tolist() == [1, 2]


def test_a_text_without_words_has_no_direction():
    """Punctuation alone gives a vector of zeros, not a division by zero."""
    assert not WordVectors(CORPUS).encode(["?!"]).any()


def test_exact_search_returns_the_best_in_order():
    """The order is that of a full sort."""
    rng = np.random.default_rng(0)
    vectors, queries = (rng.normal(size=(count, 8)).astype(np.float32) for count in (50, 6))
    scores, places = ExactIndex(vectors).search(queries, 10)
    full = queries @ vectors.T
    assert places.tolist() == np.argsort(-full, axis=1)[:, :10].tolist()
    assert np.all(np.diff(scores, axis=1) <= 0)
    assert scores == pytest.approx(np.take_along_axis(full, places, axis=1), abs=0.01)
    alone, _ = ExactIndex(vectors).search(queries[:1], 10)
    assert alone[0].tolist() == scores[0].tolist()  # the same to the last bit, whatever else is in the batch


@pytest.mark.parametrize("name", ["broad", "compositional"])
def test_a_part_of_a_suite_is_a_valid_suite_of_whole_clusters(name: str, tmp_path: Path):
    """A quarter of the clusters is kept whole, with all documents, judgements and pairs."""
    source = built_in_probes() / name
    whole, part = read_suite(source), read_suite(sample_suite(source, tmp_path / name, every=4))
    assert 0.15 < len(part.queries) / len(whole.queries) < 0.35
    kept = {query.cluster for query in part.queries}
    assert {query.query_id for query in whole.queries if query.cluster in kept} == {
        query.query_id for query in part.queries
    }
    by_id = {query.query_id: query for query in whole.queries}
    assert all(query.grades == by_id[query.query_id].grades for query in part.queries)
    assert {pair.query_id for pair in part.pairs} == {
        pair.query_id for pair in whole.pairs if by_id[pair.query_id].cluster in kept
    }
    documents = (source / "corpus.jsonl").read_text(encoding="utf-8")
    assert (tmp_path / name / "corpus.jsonl").read_text(encoding="utf-8") == documents
    assert all(json.loads(line) for line in documents.splitlines())


def _loss(matrix: np.ndarray, anchors: np.ndarray, negatives: np.ndarray) -> float:
    units = np.concatenate([anchors, negatives]) @ matrix.T
    units /= np.linalg.norm(units, axis=1, keepdims=True)
    logits = 20.0 * units[: len(anchors)] @ units.T
    right = logits[np.arange(len(anchors)), np.arange(len(anchors))]
    return float((np.log(np.exp(logits).sum(axis=1)) - right).mean())


def test_the_gradient_equals_the_slope_of_the_loss():
    """Finite differences agree with the derivative that training uses."""
    rng = np.random.default_rng(1)
    anchors, negatives = (rng.normal(size=(8, 5)) for _ in range(2))
    anchors, negatives = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in (anchors, negatives))
    matrix = np.eye(5) + 0.1 * rng.normal(size=(5, 5))
    gradient = contrast_gradient(*(np.asarray(each, np.float32) for each in (matrix, anchors, negatives)))
    for place in ((0, 0), (1, 3), (4, 2)):
        step = np.zeros((5, 5))
        step[place] = 1e-5
        slope = (_loss(matrix + step, anchors, negatives) - _loss(matrix - step, anchors, negatives)) / 2e-5
        assert gradient[place] == pytest.approx(slope, abs=1e-3)


def test_training_separates_near_misses():
    """After a few steps a sentence and its near-miss are less alike, the metric that its authors would check."""
    sentences, misses = zip(*near_misses(300, seed=1), strict=True)
    model = WordVectors([*sentences, *misses])
    adapter = tune(model.encode(sentences), model.encode(misses), steps=5, seed=1)
    assert adapter.cosine_after < adapter.cosine_before
    assert np.linalg.norm(apply(adapter.matrix, model.encode(CORPUS)), axis=1) == pytest.approx(1.0, abs=1e-4)
