"""Contract of the callable retriever on real objects of LangChain, LlamaIndex and Haystack."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from monitor.adapters import registry
from monitor.errors import Reason, RetrieverError
from monitor.evaluation.recognition import field_with_ids
from monitor.model.runs import Ranking
from tests.contract.vector_stores import CORPUS, nearest

pytestmark = pytest.mark.slow
QUERY = "where are the foxes?"


def build(factory: str, **options: Any) -> Any:
    """The retriever of a factory in `frameworks`, built from its configuration."""
    section = {"kind": "callable", "call": f"tests.contract.frameworks:{factory}", "is_factory": True, "timeout": "60s"}
    return registry.resolve("retriever", section | options, where="r").build()


def ask(factory: str, k: int = 5, query: str = QUERY, **options: Any) -> Ranking:
    """The ranking that an object of a library returns."""
    ranking: Ranking = asyncio.run(build(factory, **options).retrieve(query, k))
    return ranking


WHOLE: dict[str, dict[str, Any]] = {
    "langchain_retriever": {"id": "doc_id"},
    "langchain_store": {"id": "doc_id"},
    "langchain_rag": {"id": "doc_id"},
    "llama_index_retriever": {},
    "llama_index_fusion": {},
    "llama_index_engine": {},
    "haystack_pipeline": {},
    "haystack_hybrid": {},
}


@pytest.mark.parametrize("factory", WHOLE)
def test_the_nearest_documents_come_best_first(factory):
    """The object returns the k nearest documents of the corpus, whatever its default number of hits."""
    ranking = ask(factory, **WHOLE[factory])
    assert ranking.doc_ids[:2] == tuple(nearest(QUERY, 2)) or factory == "haystack_hybrid"
    assert len(ranking.doc_ids) == 5
    assert set(ranking.doc_ids) <= {chunk.doc_id for chunk in CORPUS}


def test_a_chain_with_fewer_hits_says_how_to_raise_its_own_number():
    """The message names the setting of the library before it offers to accept short rankings."""
    with pytest.raises(RetrieverError, match="4 of 10 requested hits") as caught:
        ask("langchain_chain", 10)
    detail = caught.value.detail
    assert detail.index('as_retriever(search_kwargs={"k": 50})') < detail.index("short_rankings: accept")


def test_a_component_that_takes_a_vector_needs_its_embedder():
    """The failure says that a pipeline is needed."""
    with pytest.raises(RetrieverError, match="return a Pipeline of its text embedder") as caught:
        ask("haystack_embedding")
    assert caught.value.reason is Reason.REJECTED


def test_random_ids_are_found_out_and_the_right_field_is_named():
    """LangChain's random ids are foreign to a suite; the metadata have the field with the known ids."""
    hits: Sequence[Any] = asyncio.run(build("langchain_retriever").raw_hits(QUERY, 5))
    assert field_with_ids(hits, {chunk.doc_id for chunk in CORPUS}) == "doc_id"
    assert not set(ask("langchain_retriever").doc_ids) & {chunk.doc_id for chunk in CORPUS}


def test_words_are_searched_with_the_requested_number_of_hits():
    """A component with `top_k` returns k hits."""
    assert len(ask("haystack_words", 7, "text number").doc_ids) == 7
