"""Calls any Python callable in this process, or a retriever of a known library (`frameworks`).

The configured code runs with the rights of the daemon.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from pathlib import Path
from typing import Any, TypeVar

from pydantic import Field

from monitor.adapters.retrievers.callable.frameworks import Search, Searcher, to_searcher
from monitor.adapters.retrievers.callable.hits import fields_of, read_hits
from monitor.adapters.retrievers.callable.threads import Threads
from monitor.adapters.retrievers.hits import Hits, RankingOptions, to_ranking
from monitor.config.config import Duration
from monitor.errors import Reason, RetrieverError
from monitor.model.runs import Ranking

T = TypeVar("T")
COLD_START_S = 120.0
"""Seconds for the first import and construction."""


class CallableOptions(RankingOptions):
    """Python callable, and the keys of its hits."""

    call: str = Field(pattern=r"^[\w.]+:[\w.]+$")
    """``module:attribute``: a function of a query and ``k``, or an object of a known library: a retriever, vector store
    or runnable of LangChain, a retriever or query engine of LlamaIndex, a component or pipeline of Haystack, a
    retriever of DSPy, embeddings of txtai."""
    path: Path | None = None
    """Extra folder on the import path of the module."""
    is_factory: bool = False
    """Whether the attribute is a factory: it is called once, without arguments, and returns the retriever."""
    id: str | None = None
    """Key with the document id, in a hit or in its metadata; use dots for nested keys. Default: the id of the hit."""
    text: bool = False
    """Whether to match the texts of hits with judged quotes; texts are not stored."""
    document: str | None = None
    """Key with the source document of a chunk."""
    timeout: Duration = 10.0
    """Time limit for a probe."""
    concurrency: int = Field(default=4, ge=1, le=64)
    """Maximum number of concurrent probes; synchronous callables run in separate threads."""


class CallableRetriever:
    """Calls the configured callable."""

    Options = CallableOptions

    def __init__(self, options: CallableOptions) -> None:
        self.concurrency = options.concurrency
        self._options = options
        self._slots = asyncio.Semaphore(options.concurrency)
        self._threads = Threads(options.concurrency * 8)
        self._opening = asyncio.Lock()
        self._searcher: Searcher | None = None

    async def retrieve(self, query: str, k: int) -> Ranking:
        """Return the ``k`` best documents for the query, best first."""
        options = self._options

        def read(result: Any) -> Hits:
            return read_hits(result, k, options.id, options.document, needs_text=options.text)

        hits = await self._call(query, k, read)
        return to_ranking(hits, k, options, remedy=self._searcher.remedy if self._searcher else "")

    async def raw_hits(self, query: str, k: int) -> Sequence[Any]:
        """Return the fields of the hits, with those of their metadata."""
        return await self._call(query, k, lambda result: fields_of(result, k))

    async def close(self) -> None:
        """Release the callable."""
        self._searcher = None

    async def _call(self, query: str, k: int, read: Callable[[Any], T]) -> T:
        timeout_s = self._options.timeout
        try:
            searcher = self._searcher or await self._open()
            async with asyncio.timeout(timeout_s), self._slots:
                return read(await self._run(searcher.search, query, k))
        except TimeoutError as error:
            raise RetrieverError(Reason.TIMEOUT, f"no answer within {timeout_s:g} s") from error
        except RetrieverError:
            raise
        except Exception as error:  # any exception of the callable; its text may include secrets
            raise RetrieverError(Reason.BROKEN, f"the callable raised {type(error).__name__}") from error

    async def _run(self, search: Search, query: str, k: int) -> Any:
        if inspect.iscoroutinefunction(search):
            return await search(query, k)
        result = await self._threads.run(_exhaust, search, query, k)
        return await result if inspect.isawaitable(result) else result

    async def _open(self) -> Searcher:
        """Import and build once, outside of the time limit of a probe: cold imports take seconds."""
        async with self._opening, asyncio.timeout(COLD_START_S):
            if self._searcher is None:
                self._searcher = await self._threads.run(self._load)
            return self._searcher

    def _load(self) -> Searcher:
        module, _, attribute = self._options.call.partition(":")
        folder = None if self._options.path is None else str(self._options.path.resolve())
        if folder is not None and folder not in sys.path:
            sys.path.append(folder)
        try:
            retriever: Any = reduce(getattr, attribute.split("."), importlib.import_module(module))
        except (ImportError, AttributeError) as error:
            raise RetrieverError(Reason.UNREACHABLE, f"{self._options.call} cannot be imported: check path") from error
        return to_searcher(retriever() if self._options.is_factory else retriever)


def _exhaust(search: Search, query: str, k: int) -> Any:
    """Call the search and exhaust a generator, here rather than in the event loop."""
    result = search(query, k)
    return list(result) if isinstance(result, Iterator) else result
