"""A retriever in a process of its own that is asked by JSON lines: one question a line in, one answer a line out.

    {"id": 7, "query": "who loves whom?", "k": 10}
    {"id": 7, "hits": [{"id": "d1", "score": 0.9}, …]}    or    {"id": 7, "error": "…"}

Answers may come in any order. A process that ends is started again at the next probe.
"""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path
from typing import Any

import orjson
from pydantic import Field

from monitor.adapters.http import json_request
from monitor.adapters.retrievers.hits import Hits, ShortRankings, to_ranking
from monitor.adapters.retrievers.process.child_process import PATIENCE_S, Child
from monitor.config.config import Duration, Section
from monitor.errors import Reason, RetrieverError
from monitor.model.runs import Ranking


class ProcessOptions(Section):
    """Which program answers."""

    command: tuple[str, ...] = Field(min_length=1, repr=False)
    """Program and arguments, as a list; no shell reads them."""
    cwd: Path | None = None
    """The folder it is started in."""
    env: dict[str, str] = Field(default_factory=dict, repr=False)
    """Environment variables besides those of the daemon; secrets by ``${ENV}``."""
    timeout: Duration = 10.0
    """For a whole probe, a start included; a process that answers nothing in that time is started again."""
    concurrency: int = Field(default=1, ge=1, le=64)
    """Questions under way at once."""
    max_line_bytes: int = Field(default=json_request.MAX_BODY_BYTES, ge=1_024)
    """A longer line is a failure (``malformed``), and the process is started again."""
    short_rankings: ShortRankings = "fail"
    """Whether fewer hits than asked for are a failure (``malformed``) or an answer."""


class ProcessRetriever:
    """Asks a child process that lives as long as the retriever."""

    Options = ProcessOptions

    def __init__(self, options: ProcessOptions) -> None:
        self.concurrency = options.concurrency
        self._options = options
        self._turns = asyncio.Semaphore(options.concurrency)
        self._starting = asyncio.Lock()
        self._numbers = itertools.count(1)
        self._child: Child | None = None

    async def retrieve(self, query: str, k: int) -> Ranking:
        """Return the ``k`` best documents for the query, best first."""
        timeout_s = self._options.timeout
        async with self._turns:
            heard = self._child.n_answers if self._child else 0
            try:
                async with asyncio.timeout(timeout_s):
                    answer = await self._ask(query, k)
            except TimeoutError as error:
                if self._child is not None and self._child.n_answers <= heard:
                    await self._end(0.0)  # it answers nobody: the next probe starts another
                raise RetrieverError(Reason.TIMEOUT, f"no answer within {timeout_s:g} s") from error
        return self._to_ranking(answer, k)

    async def close(self) -> None:
        """End the process and those that it started."""
        await self._end(PATIENCE_S)

    async def _end(self, patience_s: float) -> None:
        child, self._child = self._child, None
        if child is not None:
            await child.end(patience_s)

    async def _ask(self, query: str, k: int) -> Any:
        async with self._starting:
            if self._child is None or self._child.has_ended:
                await self._end(0.0)
                options = self._options
                self._child = await Child.start(options.command, options.cwd, options.env, options.max_line_bytes)
            child = self._child
        number = next(self._numbers)
        return await child.ask(number, orjson.dumps({"id": number, "query": query, "k": k}))

    def _to_ranking(self, answer: dict[str, Any], k: int) -> Ranking:
        if "error" in answer:
            raise RetrieverError(Reason.REJECTED, "it answered with an error")
        hits = answer.get("hits")
        if not isinstance(hits, list) or not all(isinstance(hit, dict) for hit in hits):
            raise RetrieverError(Reason.MALFORMED, "the answer has no list of objects at hits")
        columns = {name: [hit.get(name) for hit in hits[:k]] for name in ("id", "score")}
        return to_ranking(Hits(columns["id"], columns["score"]), k, short=self._options.short_rankings)
