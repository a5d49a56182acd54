"""Retrievers built with real libraries, over one small corpus. Each returns what its library returns."""

from typing import Any

from haystack import Document as HaystackDocument
from haystack import Pipeline, component
from haystack.components.joiners import DocumentJoiner
from haystack.components.retrievers.in_memory import InMemoryBM25Retriever, InMemoryEmbeddingRetriever
from haystack.document_stores.in_memory import InMemoryDocumentStore
from langchain_core.documents import Document as LangChainDocument
from langchain_core.embeddings import Embeddings
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableLambda, RunnableParallel, RunnablePassthrough
from langchain_core.vectorstores import InMemoryVectorStore
from llama_index.core import MockEmbedding, VectorStoreIndex
from llama_index.core.llms import MockLLM
from llama_index.core.retrievers import QueryFusionRetriever
from llama_index.core.retrievers.fusion_retriever import FUSION_MODES
from llama_index.core.schema import TextNode

from tests.contract.vector_stores import CORPUS, vector_of


class HashEmbeddings(Embeddings):
    """Deterministic vectors of texts."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """One vector for each text."""
        return [vector_of(text).tolist() for text in texts]

    def embed_query(self, text: str) -> list[float]:
        """The vector of a query."""
        return vector_of(text).tolist()


class HashEmbedding(MockEmbedding):
    """The same vectors for LlamaIndex."""

    def __init__(self) -> None:
        super().__init__(embed_dim=8)

    def _get_text_embedding(self, text: str) -> list[float]:
        return vector_of(text).tolist()

    def _get_query_embedding(self, query: str) -> list[float]:
        return vector_of(query).tolist()

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return vector_of(query).tolist()


def langchain_store() -> InMemoryVectorStore:
    """A vector store whose ids are random and whose metadata have the ids of the corpus."""
    store = InMemoryVectorStore(HashEmbeddings())
    store.add_documents(
        [LangChainDocument(chunk.text, metadata={"doc_id": chunk.doc_id, "page": 1}) for chunk in CORPUS]
    )
    return store


def langchain_retriever() -> BaseRetriever:
    """A retriever of a vector store."""
    return langchain_store().as_retriever()


def langchain_chain() -> Any:
    """A chain of LCEL that returns four hits unless its retriever is built with another number."""
    return langchain_store().as_retriever() | RunnableLambda(lambda documents: documents)


def langchain_rag() -> Any:
    """A chain that returns the documents beside the question and an answer."""
    retriever = langchain_store().as_retriever(search_kwargs={"k": 10})
    found = RunnableParallel({"context": retriever, "question": RunnablePassthrough()})
    return found.assign(answer=RunnableLambda(lambda _: "an answer"))


def _llama_index() -> VectorStoreIndex:
    nodes = [TextNode(id_=chunk.doc_id, text=chunk.text) for chunk in CORPUS]
    return VectorStoreIndex(nodes, embed_model=HashEmbedding())


def llama_index_retriever() -> Any:
    """A retriever of an index; it returns two hits by default."""
    return _llama_index().as_retriever()


def llama_index_fusion() -> Any:
    """Two retrievers combined by reciprocal ranks; each returns two hits by default."""
    index = _llama_index()
    return QueryFusionRetriever(
        [index.as_retriever(), index.as_retriever()],
        llm=MockLLM(),
        num_queries=1,
        similarity_top_k=2,
        mode=FUSION_MODES.RECIPROCAL_RANK,
        use_async=False,
    )


def llama_index_engine() -> Any:
    """A query engine: retrieval and answer from one call."""
    return _llama_index().as_query_engine(llm=MockLLM(), similarity_top_k=10)


@component
class HashTextEmbedder:
    """Embeds a query for Haystack."""

    @component.output_types(embedding=list[float])
    def run(self, text: str) -> dict[str, list[float]]:
        """The vector of a query."""
        return {"embedding": vector_of(text).tolist()}


def _haystack_store() -> InMemoryDocumentStore:
    store = InMemoryDocumentStore(embedding_similarity_function="cosine")
    store.write_documents(
        [HaystackDocument(id=chunk.doc_id, content=chunk.text, embedding=chunk.vector.tolist()) for chunk in CORPUS]
    )
    return store


def haystack_words() -> Any:
    """A component that searches by words."""
    return InMemoryBM25Retriever(_haystack_store())


def haystack_embedding() -> Any:
    """A component that takes a vector."""
    return InMemoryEmbeddingRetriever(_haystack_store())


def haystack_pipeline() -> Pipeline:
    """A text embedder and an embedding retriever."""
    pipeline = Pipeline()
    pipeline.add_component("embedder", HashTextEmbedder())
    pipeline.add_component("retriever", InMemoryEmbeddingRetriever(_haystack_store(), top_k=2))
    pipeline.connect("embedder.embedding", "retriever.query_embedding")
    return pipeline


def haystack_hybrid() -> Pipeline:
    """Vectors and words, joined."""
    pipeline = haystack_pipeline()
    pipeline.add_component("words", InMemoryBM25Retriever(_haystack_store()))
    pipeline.add_component("joiner", DocumentJoiner(join_mode="concatenate"))
    pipeline.connect("retriever.documents", "joiner.documents")
    pipeline.connect("words.documents", "joiner.documents")
    return pipeline
