"""Calls any Python callable in this process, or a retriever of LangChain, LlamaIndex or Haystack.

Retrievers are recognised by their methods; the libraries are not imported here. The configured code runs with the
rights of the daemon.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import reduce
from pathlib import Path
from typing import Any

from pydantic import Field

from monitor.adapters.retrievers.callable.hits import read_hits
from monitor.adapters.retrievers.callable.threads import Threads
from monitor.adapters.retrievers.hits import ShortRankings, to_ranking
from monitor.config.config import Duration, Section
from monitor.errors import Reason, RetrieverError
from monitor.model.runs import Ranking

Search = Callable[[str, int], Any]


class CallableOptions(Section):
    """Python callable, and the keys of its hits."""

    call: str = Field(pattern=r"^[\w.]+:[\w.]+$")
    """``module:attribute``: a function of a query and ``k``, or a retriever of LangChain, LlamaIndex or Haystack."""
    path: Path | None = None
    """Extra folder on the import path of the module."""
    is_factory: bool = False
    """Whether the attribute is a factory: it is called once, without arguments, and returns the retriever."""
    id: str | None = None
    """Key with the document id, in a hit or in its metadata; default: the id of the hit."""
    text: bool = False
    """Whether to match the texts of hits with judged quotes; texts are not stored."""
    document: str | None = None
    """Key with the source document of a chunk."""
    timeout: Duration = 10.0
    """Time limit for a probe."""
    concurrency: int = Field(default=4, ge=1, le=64)
    """Maximum number of concurrent probes; synchronous callables run in separate threads."""
    short_rankings: ShortRankings = "fail"
    """Whether fewer than ``k`` hits are a failure (``fail``, reason ``malformed``) or valid (``accept``)."""


class CallableRetriever:
    """Calls the configured callable."""

    Options = CallableOptions

    def __init__(self, options: CallableOptions) -> None:
        self.concurrency = options.concurrency
        self._options = options
        self._slots = asyncio.Semaphore(options.concurrency)
        self._threads = Threads(options.concurrency * 8)
        self._search: Search | None = None

    async def retrieve(self, query: str, k: int) -> Ranking:
        """Return the ``k`` best documents for the query, best first."""
        timeout_s = self._options.timeout
        try:
            async with asyncio.timeout(timeout_s), self._slots:
                result = await self._call(query, k)
            hits = read_hits(result, k, self._options.id, self._options.document, needs_text=self._options.text)
        except TimeoutError as error:
            raise RetrieverError(Reason.TIMEOUT, f"no answer within {timeout_s:g} s") from error
        except RetrieverError:
            raise
        except Exception as error:  # any exception of the callable; its text may include secrets
            raise RetrieverError(Reason.BROKEN, f"the callable raised {type(error).__name__}") from error
        return to_ranking(hits, k, short=self._options.short_rankings)

    async def close(self) -> None:
        """Release the callable."""
        self._search = None

    async def _call(self, query: str, k: int) -> Any:
        if self._search is None:
            self._search = await self._threads.run(self._load)
        if inspect.iscoroutinefunction(self._search):
            return await self._search(query, k)
        result = await self._threads.run(_exhaust, self._search, query, k)
        return await result if inspect.isawaitable(result) else result

    def _load(self) -> Search:
        module, _, attribute = self._options.call.partition(":")
        folder = None if self._options.path is None else str(self._options.path.resolve())
        if folder is not None and folder not in sys.path:
            sys.path.append(folder)
        try:
            retriever: Any = reduce(getattr, attribute.split("."), importlib.import_module(module))
        except (ImportError, AttributeError) as error:
            raise RetrieverError(Reason.UNREACHABLE, f"{self._options.call} cannot be imported: check path") from error
        return to_search(retriever() if self._options.is_factory else retriever)


def _exhaust(search: Search, query: str, k: int) -> Any:
    """Call the search and exhaust a generator, here rather than in the event loop."""
    result = search(query, k)
    return list(result) if isinstance(result, Iterator) else result


def to_search(retriever: Any) -> Search:
    """Return the search function of a retriever of a known library, or of any other callable."""
    if callable(getattr(retriever, "ainvoke", None)):
        return _langchain(retriever)
    if callable(getattr(retriever, "aretrieve", None)):
        return _llama_index(retriever)
    if callable(getattr(retriever, "run", None)) and "query" in inspect.signature(retriever.run).parameters:
        return _haystack(retriever)
    if not callable(retriever):
        raise RetrieverError(Reason.REJECTED, f"{type(retriever).__name__} is neither callable nor a known retriever")
    call = retriever if inspect.isroutine(retriever) else type(retriever).__call__.__get__(retriever)
    search: Search = call
    return search


def _langchain(retriever: Any) -> Search:
    async def search(query: str, k: int) -> Any:
        # Retrievers on vector stores take k as an argument; others ignore it.
        return await retriever.ainvoke(query, **({"k": k} if hasattr(retriever, "search_kwargs") else {}))

    return search


def _llama_index(retriever: Any) -> Search:
    async def search(query: str, k: int) -> Any:
        if getattr(retriever, "similarity_top_k", k) < k:
            retriever.similarity_top_k = k
        return await retriever.aretrieve(query)

    return search


def _haystack(component: Any) -> Search:
    takes_k = "top_k" in inspect.signature(component.run).parameters

    def search(query: str, k: int) -> Any:
        result = component.run(query=query, **({"top_k": k} if takes_k else {}))
        return result.get("documents") if isinstance(result, Mapping) else result

    return search
