"""A retriever inside this process: any Python callable, or a retriever of LangChain, LlamaIndex or Haystack.

Those are recognised by the methods they have; none of the libraries is imported here. The code that is named runs with
the rights of the daemon.
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

Ask = Callable[[str, int], Any]


class CallableOptions(Section):
    """What is called, and which key of its hits holds what."""

    call: str = Field(pattern=r"^[\w.]+:[\w.]+$")
    """``module:attribute``: a function of a query and ``k``, or a retriever of LangChain, LlamaIndex or Haystack."""
    path: Path | None = None
    """A folder where the module is looked for besides."""
    is_factory: bool = False
    """Whether the attribute is called once, without arguments, for what is to be asked."""
    id: str | None = None
    """Key with the document id, in a hit or in its metadata; if left out, the hit's own id."""
    text: bool = False
    """Whether the texts of the hits are looked through for judged quotes; they are not kept."""
    document: str | None = None
    """Key with the source document of a chunk."""
    timeout: Duration = 10.0
    """For a whole probe."""
    concurrency: int = Field(default=4, ge=1, le=64)
    """Probes under way at once; what does not await is called in threads of its own."""
    short_rankings: ShortRankings = "fail"
    """Whether fewer hits than asked for are a failure (``malformed``) or an answer."""


class CallableRetriever:
    """Calls what the options name."""

    Options = CallableOptions

    def __init__(self, options: CallableOptions) -> None:
        self.concurrency = options.concurrency
        self._options = options
        self._turns = asyncio.Semaphore(options.concurrency)
        self._threads = Threads(options.concurrency * 8)
        self._ask: Ask | None = None

    async def retrieve(self, query: str, k: int) -> Ranking:
        """Return the ``k`` best documents for the query, best first."""
        timeout_s = self._options.timeout
        try:
            async with asyncio.timeout(timeout_s), self._turns:
                found = await self._call(query, k)
            hits = read_hits(found, k, self._options.id, self._options.document, is_text_asked=self._options.text)
        except TimeoutError as error:
            raise RetrieverError(Reason.TIMEOUT, f"no answer within {timeout_s:g} s") from error
        except RetrieverError:
            raise
        except Exception as error:  # whatever the callable raises; its text may carry anything
            raise RetrieverError(Reason.BROKEN, f"it raised {type(error).__name__}") from error
        return to_ranking(hits, k, short=self._options.short_rankings)

    async def close(self) -> None:
        """Let go of the callable."""
        self._ask = None

    async def _call(self, query: str, k: int) -> Any:
        if self._ask is None:
            self._ask = await self._threads.run(self._load)
        if inspect.iscoroutinefunction(self._ask):
            return await self._ask(query, k)
        found = await self._threads.run(_exhausted, self._ask, query, k)
        return await found if inspect.isawaitable(found) else found

    def _load(self) -> Ask:
        module, _, attribute = self._options.call.partition(":")
        folder = None if self._options.path is None else str(self._options.path.resolve())
        if folder is not None and folder not in sys.path:
            sys.path.append(folder)
        try:
            found: Any = reduce(getattr, attribute.split("."), importlib.import_module(module))
        except (ImportError, AttributeError) as error:
            raise RetrieverError(Reason.UNREACHABLE, f"{self._options.call} cannot be imported: check path") from error
        return recognise(found() if self._options.is_factory else found)


def _exhausted(ask: Ask, query: str, k: int) -> Any:
    """What comes of asking; a generator does its work here, not in the event loop."""
    found = ask(query, k)
    return list(found) if isinstance(found, Iterator) else found


def recognise(found: Any) -> Ask:
    """How to ask what was found: a retriever by its method, anything else by calling it."""
    if callable(getattr(found, "ainvoke", None)):
        return _langchain(found)
    if callable(getattr(found, "aretrieve", None)):
        return _llama_index(found)
    if callable(getattr(found, "run", None)) and "query" in inspect.signature(found.run).parameters:
        return _haystack(found)
    if not callable(found):
        raise RetrieverError(Reason.REJECTED, f"{type(found).__name__} is neither callable nor a known retriever")
    call = found if inspect.isroutine(found) else type(found).__call__.__get__(found)
    ask: Ask = call
    return ask


def _langchain(retriever: Any) -> Ask:
    async def ask(query: str, k: int) -> Any:
        # Retrievers that stand on a vector store take k so; others take no notice of it.
        return await retriever.ainvoke(query, **({"k": k} if hasattr(retriever, "search_kwargs") else {}))

    return ask


def _llama_index(retriever: Any) -> Ask:
    async def ask(query: str, k: int) -> Any:
        if getattr(retriever, "similarity_top_k", k) < k:
            retriever.similarity_top_k = k
        return await retriever.aretrieve(query)

    return ask


def _haystack(component: Any) -> Ask:
    takes_k = "top_k" in inspect.signature(component.run).parameters

    def ask(query: str, k: int) -> Any:
        found = component.run(query=query, **({"top_k": k} if takes_k else {}))
        return found.get("documents") if isinstance(found, Mapping) else found

    return ask
