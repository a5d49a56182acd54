"""Search functions of retrievers of known libraries, recognised by their methods; no library is imported here.

LangChain retrievers, vector stores and runnables (LCEL), LlamaIndex retrievers and query engines, Haystack components
and pipelines, DSPy retrievers, txtai embeddings, and any other callable of a query and ``k``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from monitor.errors import Reason, RetrieverError

Search = Callable[[str, int], Any]
_TEXT_INPUTS = ("query", "text", "question", "prompt")


class Searcher(NamedTuple):
    """A search function, and how to raise the number of hits in its library."""

    search: Search
    remedy: str = ""


def to_searcher(retriever: Any) -> Searcher:
    """Return the search function of a retriever of a known library, or of any other callable."""
    for library, builder in _BUILDERS:
        if library(retriever):
            return builder(retriever)
    if not callable(retriever):
        raise RetrieverError(Reason.REJECTED, f"{type(retriever).__name__} is neither callable nor a known retriever")
    call = retriever if inspect.isroutine(retriever) else type(retriever).__call__.__get__(retriever)
    search: Search = call
    return Searcher(search)


def _has(*methods: str) -> Callable[[Any], bool]:
    return lambda retriever: all(callable(getattr(retriever, method, None)) for method in methods)


def _takes(method: str, *parameters: str) -> Callable[[Any], bool]:
    def check(retriever: Any) -> bool:
        call = getattr(retriever, method, None)
        return callable(call) and {*parameters} <= {*inspect.signature(call).parameters}

    return check


def _langchain_store(store: Any) -> Searcher:
    async def search(query: str, k: int) -> Any:
        return await store.asimilarity_search_with_score(query, k=k)

    return Searcher(search)


def _langchain(runnable: Any) -> Searcher:
    takes_k = hasattr(runnable, "search_kwargs")

    async def search(query: str, k: int) -> Any:
        # Retrievers on vector stores take k as an argument; others ignore it.
        return await runnable.ainvoke(query, **({"k": k} if takes_k else {}))

    return Searcher(search, 'set k where the retriever is built, as in as_retriever(search_kwargs={"k": 50})')


def _llama_index(retriever: Any) -> Searcher:
    async def search(query: str, k: int) -> Any:
        for part in _with_parts(retriever):
            if getattr(part, "similarity_top_k", k) < k:
                part.similarity_top_k = k
        return await retriever.aretrieve(query)

    return Searcher(search, "set similarity_top_k of the retriever and of those that it combines")


def _llama_index_engine(engine: Any) -> Searcher:
    async def search(query: str, k: int) -> Any:  # noqa: ARG001 - k is fixed where the engine is built
        return (await engine.aquery(query)).source_nodes

    return Searcher(search, "build the engine with as_query_engine(similarity_top_k=50)")


def _with_parts(retriever: Any) -> Iterator[Any]:
    """The retriever, and those that a fusion retriever combines."""
    yield retriever
    for part in getattr(retriever, "_retrievers", ()):
        yield from _with_parts(part)


def _haystack_pipeline(pipeline: Any) -> Searcher:
    async def search(query: str, k: int) -> Any:
        inputs = pipeline.inputs()
        data = {
            component: {name: value for name in sockets for value in _haystack_values(name, query, k)}
            for component, sockets in inputs.items()
        }
        outputs = pipeline.outputs(include_components_with_connected_outputs=True)
        names = {name for name, sockets in outputs.items() if "documents" in sockets}
        run = getattr(pipeline, "run_async", None)
        data = {component: values for component, values in data.items() if values}
        result = await run(data, include_outputs_from=names) if run else pipeline.run(data, include_outputs_from=names)
        return _final_documents(pipeline, result)

    return Searcher(search, "set top_k of the retriever and of the components behind it")


def _haystack_values(name: str, query: str, k: int) -> Iterator[Any]:
    if name in _TEXT_INPUTS:
        yield query
    elif name == "top_k":
        yield k


def _final_documents(pipeline: Any, result: Mapping[str, Any]) -> Any:
    """The documents of the component that no other component with documents follows."""
    names = [name for name, values in result.items() if "documents" in values]
    senders = {sender for sender, receiver in pipeline.graph.edges() if sender in names and receiver in names}
    final = [name for name in names if name not in senders] or names
    if not final:
        raise RetrieverError(Reason.MALFORMED, "no component of the pipeline returns documents")
    return result[final[-1]]["documents"]


def _haystack(component: Any) -> Searcher:
    takes_k = _takes("run", "top_k")(component)

    def search(query: str, k: int) -> Any:
        result = component.run(query=query, **({"top_k": k} if takes_k else {}))
        return result.get("documents") if isinstance(result, Mapping) else result

    return Searcher(search, "set top_k of the component")


def _haystack_embedding(component: Any) -> Searcher:
    name = type(component).__name__
    raise RetrieverError(
        Reason.REJECTED, f"{name} takes a vector; return a Pipeline of its text embedder and the retriever"
    )


def _dspy(retriever: Any) -> Searcher:
    takes_k = _takes("forward", "k")(retriever)

    def search(query: str, k: int) -> Any:
        prediction = retriever(query, **({"k": k} if takes_k else {}))
        ids = getattr(prediction, "indices", None)
        return list(ids) if ids is not None else prediction.passages

    return Searcher(search, "set k of the retriever")


def _txtai(embeddings: Any) -> Searcher:
    return Searcher(lambda query, k: embeddings.search(query, limit=k))


def _is_of(library: str) -> Callable[[Any], bool]:
    return lambda retriever: any(each.__module__.partition(".")[0] == library for each in type(retriever).__mro__)


def _all(*checks: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda retriever: all(check(retriever) for check in checks)


_BUILDERS: Iterable[tuple[Callable[[Any], bool], Callable[[Any], Searcher]]] = (
    (_has("ainvoke"), _langchain),
    (_has("asimilarity_search_with_score"), _langchain_store),
    (_has("aretrieve"), _llama_index),
    (_has("aquery"), _llama_index_engine),
    (_has("run", "inputs", "outputs"), _haystack_pipeline),
    (_takes("run", "query"), _haystack),
    (_takes("run", "query_embedding"), _haystack_embedding),
    (_all(_is_of("dspy"), callable), _dspy),
    (_takes("search", "limit"), _txtai),
)
"""Checked in this order: a query engine of LlamaIndex also retrieves, a pipeline of Haystack also runs."""
