"""What a Python callable as a retriever promises: whatever it gives or raises, one ranking or one failure."""

import asyncio
import sys
import threading
import time
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

RANKING = Ranking(("d1", "d2"), (0.9, 0.4))
CHUNKS = {"d1": "No refunds.", "d2": "Refunds in thirty days."}


@pytest.fixture
def module() -> Iterator[ModuleType]:
    """A module that a configuration can name."""
    made = ModuleType("named_in_a_test")
    sys.modules[made.__name__] = made
    yield made
    del sys.modules[made.__name__]


def build(**options: Any) -> Any:
    """The retriever, built as a configuration would build it."""
    stated = {"kind": "callable", "call": "named_in_a_test:found", "timeout": "5s", **options}
    return registry.resolve("retriever", stated, where="r").build()


def ask(module: ModuleType, found: Any, k: int = 2, **options: Any) -> Ranking:
    """What comes of asking a callable."""
    module.found = found  # type: ignore[attr-defined]  # a module takes anything

    async def run() -> Ranking:
        retriever = build(**options)
        ranking: Ranking = await retriever.retrieve("who?", k)
        await retriever.close()
        return ranking

    return asyncio.run(run())


def failure_of(module: ModuleType, found: Any, **options: Any) -> RetrieverError:
    """The failure that comes of asking a callable."""
    with pytest.raises(RetrieverError) as caught:
        ask(module, found, **options)
    return caught.value


async def asynchronous(query: str, k: int) -> Any:
    """An asynchronous function."""
    await asyncio.sleep(0)
    return [("d1", 0.9), ("d2", 0.4), ("d3", 0.1)]


class Object:
    """An object that is called."""

    def __call__(self, query: str, k: int) -> Any:
        """Two hits, with numbers of numpy."""
        yield from [{"id": "d1", "score": np.float32(0.9)}, {"id": "d2", "score": np.float64(0.4)}]


SHAPES = {
    "pairs": lambda query, k: [("d1", 0.9), ("d2", 0.4)],
    "mappings": lambda query, k: [{"id": "d1", "score": 0.9}, {"id": "d2", "score": 0.4}],
    "more than asked for": asynchronous,
    "an object that yields": Object(),
    "an awaitable": lambda query, k: asynchronous(query, k),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_usual_shape_of_hits_is_read(module, shape):
    """Pairs, mappings, generators and awaitables become the same ranking."""
    ranking = ask(module, SHAPES[shape])
    assert ranking.doc_ids == RANKING.doc_ids
    assert ranking.scores == pytest.approx(RANKING.scores)


def test_ids_alone_are_a_ranking_without_scores(module):
    """A function that only orders documents is read as that; whole numbers are ids too."""
    assert ask(module, lambda query, k: ["d1", 7]) == Ranking(("d1", "7"))


# The three libraries are known by their methods. These have the attributes that the published ones have.


@dataclass
class LangChainDocument:
    """As `langchain_core.documents.Document`."""

    page_content: str
    metadata: dict[str, Any]
    id: str | None = None
    type: str = "Document"


@dataclass
class LangChain:
    """As a `VectorStoreRetriever` of langchain-core."""

    search_kwargs: dict[str, Any] = field(default_factory=lambda: {"k": 4})

    def invoke(self, query: str) -> Any:
        """Not used."""
        raise AssertionError("it has an asynchronous way")

    async def ainvoke(self, query: str, config: Any = None, **kwargs: Any) -> Any:
        """Documents."""
        assert (query, kwargs) == ("who?", {"k": 2})
        return [LangChainDocument(text, {"id": doc_id, "source": "s"}) for doc_id, text in CHUNKS.items()]


@dataclass
class Node:
    """As `llama_index.core.schema.TextNode`."""

    node_id: str
    text: str
    metadata: dict[str, Any]


@dataclass
class NodeWithScore:
    """As `llama_index.core.schema.NodeWithScore`."""

    node: Node
    score: float | None


@dataclass
class LlamaIndex:
    """As a `VectorIndexRetriever` of llama-index-core."""

    similarity_top_k: int = 1

    async def aretrieve(self, query: str) -> Any:
        """Nodes with scores."""
        found = [NodeWithScore(Node(key, text, {"source": "s"}), 0.5) for key, text in CHUNKS.items()]
        return found[: self.similarity_top_k]


@dataclass
class HaystackDocument:
    """As `haystack.Document`."""

    id: str
    content: str
    meta: dict[str, Any]
    score: float | None = 0.5


class Haystack:
    """As `InMemoryBM25Retriever` of haystack-ai."""

    def run(self, query: str, filters: Any = None, top_k: int | None = None) -> dict[str, Any]:
        """Documents under their name."""
        found = [HaystackDocument(key, text, {"source": "s"}) for key, text in CHUNKS.items()]
        return {"documents": found[:top_k]}


@pytest.mark.parametrize("library", [LangChain, LlamaIndex, Haystack])
def test_retrievers_of_the_known_libraries_are_recognised(module, library):
    """A retriever object is enough: its method, its documents and its metadata are known."""
    ranking = ask(module, library(), text=True, document="source")
    assert ranking.doc_ids == ("d1", "d2")
    assert ranking.texts == tuple(CHUNKS.values())
    assert ranking.sources == Sources(("s", "s"))


def test_the_key_of_the_id_can_be_named(module):
    """Where documents carry several ids, the option says which one the suite knows."""
    found = [{"id": 1, "metadata": {"id": "x", "ref": "d1"}}, {"id": 2, "metadata": {"ref": "d2"}}]
    assert ask(module, lambda query, k: found, id="ref").doc_ids == ("d1", "d2")
    assert ask(module, lambda query, k: found).doc_ids == ("1", "2")


def test_a_factory_is_called_once(module):
    """What loads a model is called at the first probe and never again."""
    made: list[Object] = []

    def factory() -> Object:
        made.append(Object())
        return made[-1]

    module.found = factory  # type: ignore[attr-defined]  # a module takes anything

    async def run() -> None:
        retriever = build(is_factory=True)
        await retriever.retrieve("a", 2)
        await retriever.retrieve("b", 2)

    asyncio.run(run())
    assert len(made) == 1


def test_a_module_is_found_in_the_folder_that_is_named(tmp_path, monkeypatch):
    """The code may stand beside the configuration."""
    (tmp_path / "beside_it.py").write_text(
        "class Search:\n    @staticmethod\n    def find(query, k):\n        return ['d1']\n"
    )
    monkeypatch.setattr(sys, "path", sys.path.copy())
    retriever = build(call="beside_it:Search.find", path=str(tmp_path))
    assert asyncio.run(retriever.retrieve("q", 1)).doc_ids == ("d1",)


def fail(query: str, k: int) -> Any:
    """A function that fails, and tells too much."""
    raise ConnectionError("http://user:s3cret-password@host")


def stop(query: str, k: int) -> Any:
    """A function that raises what a future does not take."""
    raise StopIteration


def yield_and_fail(query: str, k: int) -> Any:
    """A generator that fails on the way."""
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
    """Whatever a callable does wrong is one failure with the right reason, and its own text is not told."""
    found, reason = MISBEHAVIOUR[case]
    failure = failure_of(module, found)
    assert failure.reason is reason, failure
    assert "s3cret" not in str(failure)


@pytest.mark.parametrize("call", ["no_such_module:find", "named_in_a_test:no_such_attribute"])
def test_a_name_that_leads_to_nothing_is_told(module, call):
    """A misspelt name is a failure that repeats it."""
    failure = failure_of(module, None, call=call)
    assert failure.reason is Reason.UNREACHABLE
    assert call in failure.detail


def test_a_call_without_an_attribute_is_refused():
    """The form of the name is checked before anything is imported."""
    with pytest.raises(ConfigError, match=r"r\.call"):
        registry.resolve("retriever", {"kind": "callable", "call": "os.system"}, where="r")


def test_a_stuck_callable_holds_up_nothing_else(module):
    """A call that does not return is given up on; others go on, and the loop ends without it."""
    released = threading.Event()

    def find(query: str, k: int) -> Any:
        if query == "stuck":
            released.wait(30)
        return ["d1"]

    module.found = find  # type: ignore[attr-defined]  # a module takes anything

    async def run() -> tuple[RetrieverError, Ranking]:
        retriever = build(concurrency=2, timeout="200ms")
        stuck = asyncio.create_task(retriever.retrieve("stuck", 1))
        ranking = await retriever.retrieve("quick", 1)
        with pytest.raises(RetrieverError) as caught:
            await stuck
        return caught.value, ranking

    started = time.perf_counter()
    failure, ranking = asyncio.run(run())
    released.set()
    assert (failure.reason, ranking.doc_ids) == (Reason.TIMEOUT, ("d1",))
    assert time.perf_counter() - started < 2


def test_stuck_calls_do_not_pile_up_without_end(module):
    """A callable that never returns is not called any more after a while."""
    released, calls = threading.Event(), []

    def find(query: str, k: int) -> Any:
        calls.append(query)
        released.wait(30)

    module.found = find  # type: ignore[attr-defined]  # a module takes anything

    async def run() -> list[RetrieverError]:
        retriever = build(concurrency=1, timeout="10ms")
        failures = []
        for _ in range(12):
            with pytest.raises(RetrieverError) as caught:
                await retriever.retrieve("q", 1)
            failures.append(caught.value)
        return failures

    failures = asyncio.run(run())
    released.set()
    assert len(calls) == 8
    assert {each.reason for each in failures} == {Reason.TIMEOUT}
    assert "8 earlier calls have not returned" in failures[-1].detail


def test_naming_a_callable_imports_nothing(tmp_path: Path, monkeypatch):
    """Checking a configuration runs no code of the target."""
    (tmp_path / "has_effects.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    build(call="has_effects:find")
