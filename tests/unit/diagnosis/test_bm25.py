"""BM25 of the reference services: shared rare words match best."""

import doctest

from monitor.diagnosis import bm25
from monitor.diagnosis.bm25 import WordIndex


def test_words_match_best_where_rare_words_are_shared():
    """The best match of a query has 1; documents without any of its words have 0; an empty query matches nothing."""
    index = WordIndex(["the cat sat on the mat", "the dog sat", "a bird"])
    matches = index.match(["cat on mat", "the bird", ""])
    assert matches.max(axis=1).tolist() == [1.0, 1.0, 0.0]
    assert matches[0].tolist()[1:] == [0.0, 0.0]
    assert matches[1, 2] == 1.0


def test_the_example_is_right():
    """The example in the docstring gives the result that it shows."""
    assert doctest.testmod(bm25).failed == 0
