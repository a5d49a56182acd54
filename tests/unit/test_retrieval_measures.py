"""The rank measures are trec_eval's, to the last digits."""

import pytest

from monitor.evaluation.retrieval import locate, ndcg


def test_one_of_five_relevant_documents_at_rank_one_gives_the_textbook_ndcg():
    """One of five relevant retrieved first at k = 5 is 0.339."""
    relevance = locate([(["a"], dict.fromkeys("abcde", 1))])
    assert ndcg(relevance, 5)[0] == pytest.approx(0.3391602052736161, abs=1e-12)
