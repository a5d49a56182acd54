"""Contract of the callable retriever: any result or exception is one ranking or one failure."""

import asyncio
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from monitor.adapters import registry
from monitor.errors import ConfigError, Reason, RetrieverError
from monitor.model.passages import Sources
from monitor.model.runs import Ranking
from tests.waiting import PATIENCE_S, wait_until

RANKING = Ranking(doc_ids=("d1", "d2"), scores=(0.9, 0.4))
CHUNKS = {"d1": "No refunds.", "d2": "Refunds in thirty days."}


@pytest.fixture
def module() -> Iterator[ModuleType]:
    """An importable module."""
    module = ModuleType("named_in_a_test")
    sys.modules[module.__name__] = module
    yield module
    del sys.modules[module.__name__]


def build(**options: Any) -> Any:
    """The retriever, built from its configuration."""
    section = {"kind": "callable", "call": "named_in_a_test:target", "timeout": "60s", **options}
    return registry.resolve("retriever", section, where="r").build()


def ask(module: ModuleType, target: Any, k: int = 2, **options: Any) -> Ranking:
    """The ranking that a callable returns."""
    module.target = target  # type: ignore[attr-defined]  # a module takes anything

    async def run() -> Ranking:
        retriever = build(**options)
        ranking: Ranking = await retriever.retrieve("who?", k)
        await retriever.close()
        return ranking

    return asyncio.run(run())


def failure_of(module: ModuleType, target: Any, **options: Any) -> RetrieverError:
    """The failure that a callable causes."""
    with pytest.raises(RetrieverError) as caught:
        ask(module, target, **options)
    return caught.value


async def asynchronous(query: str, k: int) -> Any:
    """An asynchronous function."""
    await asyncio.sleep(0)
    return [("d1", 0.9), ("d2", 0.4), ("d3", 0.1)]


class Object:
    """A callable object."""

    def __call__(self, query: str, k: int) -> Any:
        """Yield two hits with numpy numbers."""
        yield from [{"id": "d1", "score": np.float32(0.9)}, {"id": "d2", "score": np.float64(0.4)}]


SHAPES = {
    "pairs": lambda query, k: [("d1", 0.9), ("d2", 0.4)],
    "mappings": lambda query, k: [{"id": "d1", "score": 0.9}, {"id": "d2", "score": 0.4}],
    "more than asked for": asynchronous,
    "an object that yields": Object(),
    "an awaitable": lambda query, k: asynchronous(query, k),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_common_form_of_hits_is_read(module, shape):
    """Pairs, mappings, generators and awaitables give the same ranking."""
    ranking = ask(module, SHAPES[shape])
    assert ranking.doc_ids == RANKING.doc_ids
    assert ranking.scores == pytest.approx(RANKING.scores)


def test_ids_alone_are_a_ranking_without_scores(module):
    """A list of ids is a ranking without scores; integers are valid ids."""
    assert ask(module, lambda query, k: ["d1", 7]) == Ranking(doc_ids=("d1", "7"))


# The three libraries are recognised by their methods. These classes have the published attributes.


@dataclass
class LangChainDocument:
    """Like `langchain_core.documents.Document`."""

    page_content: str
    metadata: dict[str, Any]
    id: str | None = None
    type: str = "Document"


@dataclass
class LangChain:
    """Like a `VectorStoreRetriever` of langchain-core."""

    search_kwargs: dict[str, Any] = field(default_factory=lambda: {"k": 4})

    def invoke(self, query: str) -> Any:
        """Not used."""
        raise AssertionError("the asynchronous method must be used")

    async def ainvoke(self, query: str, config: Any = None, **kwargs: Any) -> Any:
        """Documents."""
        assert (query, kwargs) == ("who?", {"k": 2})
        return [LangChainDocument(text, {"id": doc_id, "source": "s"}) for doc_id, text in CHUNKS.items()]


@dataclass
class Node:
    """Like `llama_index.core.schema.TextNode`."""

    node_id: str
    text: str
    metadata: dict[str, Any]


@dataclass
class NodeWithScore:
    """Like `llama_index.core.schema.NodeWithScore`."""

    node: Node
    score: float | None


@dataclass
class LlamaIndex:
    """Like a `VectorIndexRetriever` of llama-index-core."""

    similarity_top_k: int = 1

    async def aretrieve(self, query: str) -> Any:
        """Nodes with scores."""
        nodes = [NodeWithScore(Node(key, text, {"source": "s"}), 0.5) for key, text in CHUNKS.items()]
        return nodes[: self.similarity_top_k]


@dataclass
class HaystackDocument:
    """Like `haystack.Document`."""

    id: str
    content: str
    meta: dict[str, Any]
    score: float | None = 0.5


class Haystack:
    """Like `InMemoryBM25Retriever` of haystack-ai."""

    def run(self, query: str, filters: Any = None, top_k: int | None = None) -> dict[str, Any]:
        """Return documents."""
        documents = [HaystackDocument(key, text, {"source": "s"}) for key, text in CHUNKS.items()]
        return {"documents": documents[:top_k]}


@pytest.mark.parametrize("library", [LangChain, LlamaIndex, Haystack])
def test_retrievers_of_the_known_libraries_are_recognised(module, library):
    """A retriever object needs no further configuration of its methods, documents and metadata."""
    ranking = ask(module, library(), text=True, document="source")
    assert ranking.doc_ids == ("d1", "d2")
    assert ranking.texts == tuple(CHUNKS.values())
    assert ranking.sources == Sources(("s", "s"))


def test_the_key_of_the_id_can_be_configured(module):
    """The option id selects the key for documents with several ids."""
    hits = [{"id": 1, "metadata": {"id": "x", "ref": "d1"}}, {"id": 2, "metadata": {"ref": "d2"}}]
    assert ask(module, lambda query, k: hits, id="ref").doc_ids == ("d1", "d2")
    assert ask(module, lambda query, k: hits).doc_ids == ("1", "2")


def test_a_factory_is_called_once(module):
    """A factory is called at the first probe only."""
    objects: list[Object] = []

    def factory() -> Object:
        objects.append(Object())
        return objects[-1]

    module.target = factory

    async def run() -> None:
        retriever = build(is_factory=True)
        await retriever.retrieve("a", 2)
        await retriever.retrieve("b", 2)

    asyncio.run(run())
    assert len(objects) == 1


def test_a_module_is_imported_from_the_configured_folder(tmp_path, monkeypatch):
    """The option path adds a folder to the import path."""
    (tmp_path / "beside_it.py").write_text(
        "class Search:\n    @staticmethod\n    def find(query, k):\n        return ['d1']\n"
    )
    monkeypatch.setattr(sys, "path", sys.path.copy())
    retriever = build(call="beside_it:Search.find", path=str(tmp_path))
    assert asyncio.run(retriever.retrieve("q", 1)).doc_ids == ("d1",)


def fail(query: str, k: int) -> Any:
    """A function that raises an error with a password."""
    raise ConnectionError("http://user:s3cret-password@host")


def stop(query: str, k: int) -> Any:
    """A function that raises StopIteration, which a future cannot hold."""
    raise StopIteration


def yield_and_fail(query: str, k: int) -> Any:
    """A generator that fails after the first hit."""
    yield "d1"
    raise ValueError("s3cret-password")


MISBEHAVIOUR: dict[str, tuple[Any, Reason]] = {
    "it raises": (fail, Reason.BROKEN),
    "it raises StopIteration": (stop, Reason.BROKEN),
    "it raises while it yields": (yield_and_fail, Reason.BROKEN),
    "it takes no k": (lambda query: [], Reason.BROKEN),
    "it gives nothing": (lambda query, k: None, Reason.MALFORMED),
    "it gives a text": (lambda query, k: "d1", Reason.MALFORMED),
    "it gives a mapping": (lambda query, k: {"d1": 1}, Reason.MALFORMED),
    "hits without id": (lambda query, k: [{"score": 1}, {"score": 1}], Reason.MALFORMED),
    "a document twice": (lambda query, k: ["d1", "d1"], Reason.MALFORMED),
    "too few": (lambda query, k: ["d1"], Reason.MALFORMED),
    "a score of NaN": (lambda query, k: [("d1", float("nan")), ("d2", 1.0)], Reason.MALFORMED),
    "a score that is a text": (lambda query, k: [("d1", "high"), ("d2", "low")], Reason.MALFORMED),
    "no callable": (42, Reason.REJECTED),
}


@pytest.mark.parametrize("case", MISBEHAVIOUR)
def test_every_misbehaviour_is_one_failure_with_its_reason_and_no_secret(module, case):
    """Every misbehaviour of a callable is one failure with the right reason, without its own text."""
    target, reason = MISBEHAVIOUR[case]
    failure = failure_of(module, target)
    assert failure.reason is reason, failure
    assert "s3cret" not in str(failure)


@pytest.mark.parametrize("call", ["no_such_module:find", "named_in_a_test:no_such_attribute"])
def test_an_unknown_name_is_a_failure(module, call):
    """The failure for a misspelt name contains the name."""
    failure = failure_of(module, None, call=call)
    assert failure.reason is Reason.UNREACHABLE
    assert call in failure.detail


def test_a_call_without_an_attribute_is_refused():
    """The format of the name is checked before any import."""
    with pytest.raises(ConfigError, match=r"r\.call"):
        registry.resolve("retriever", {"kind": "callable", "call": "os.system"}, where="r")


def test_a_stuck_callable_blocks_nothing_else(module):
    """A call that never returns times out; other calls continue, and the loop ends."""
    released, returned = threading.Event(), []

    def find(query: str, k: int) -> Any:
        if query == "stuck":
            released.wait(PATIENCE_S)
            returned.append(query)
        return ["d1"]

    module.target = find

    async def run() -> tuple[RetrieverError, Ranking]:
        retriever = build(concurrency=2, timeout="2s")
        stuck = asyncio.create_task(retriever.retrieve("stuck", 1))
        ranking = await retriever.retrieve("quick", 1)
        with pytest.raises(RetrieverError) as caught:
            await stuck
        return caught.value, ranking

    failure, ranking = asyncio.run(run())
    assert returned == []
    released.set()
    assert (failure.reason, ranking.doc_ids) == (Reason.TIMEOUT, ("d1",))


def test_the_number_of_stuck_calls_is_limited(module):
    """After eight stuck calls the callable is not called again."""
    released, calls = threading.Event(), []

    def find(query: str, k: int) -> Any:
        calls.append(query)
        released.wait(PATIENCE_S)

    module.target = find

    async def run() -> list[RetrieverError]:
        retriever = build(concurrency=1, timeout="10ms")
        failures = []
        for _ in range(12):
            with pytest.raises(RetrieverError) as caught:
                await retriever.retrieve("q", 1)
            failures.append(caught.value)
        return failures

    failures = asyncio.run(run())
    wait_until(lambda: len(calls) >= 8)  # a busy machine starts threads late
    released.set()
    assert len(calls) == 8
    assert {failure.reason for failure in failures} == {Reason.TIMEOUT}
    assert "8 earlier calls have not returned" in failures[-1].detail


def test_checking_a_callable_imports_nothing(tmp_path: Path, monkeypatch):
    """Checking a configuration runs no code of the target."""
    (tmp_path / "has_effects.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    build(call="has_effects:find")
