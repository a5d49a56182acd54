"""Talks to a child process through JSON lines: one request per line in, one response per line out.

    {"id": 7, "query": "who wrote it?", "k": 10}
    {"id": 7, "hits": [{"id": "d1", "score": 0.9}, …]}    or    {"id": 7, "error": "…"}

Responses may arrive in any order. A process that exits is restarted at the next probe.
"""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path
from typing import Any

import orjson
from pydantic import Field

from monitor.adapters.http import json_request
from monitor.adapters.retrievers.hits import Hits, RankingOptions, to_ranking
from monitor.adapters.retrievers.process.child_process import EXIT_GRACE_S, ChildProcess
from monitor.config.config import Duration
from monitor.errors import Reason, RetrieverError
from monitor.model.runs import Ranking


class ProcessOptions(RankingOptions):
    """Program that answers queries."""

    command: tuple[str, ...] = Field(min_length=1, repr=False)
    """Program and arguments as a list; they are not passed to a shell."""
    cwd: Path | None = None
    """Working directory of the program."""
    env: dict[str, str] = Field(default_factory=dict, repr=False)
    """Environment variables in addition to those of the daemon; use ``${ENV}`` for secrets."""
    timeout: Duration = 10.0
    """Time limit for a probe, including a start of the program; an unresponsive process is restarted."""
    concurrency: int = Field(default=1, ge=1, le=64)
    """Maximum number of concurrent queries."""
    max_line_bytes: int = Field(default=json_request.MAX_BODY_BYTES, ge=1_024)
    """Maximum length of a response; a longer one is a failure (``malformed``), and the process is restarted."""


class ProcessRetriever:
    """Sends queries to a child process that runs as long as the retriever."""

    Options = ProcessOptions

    def __init__(self, options: ProcessOptions) -> None:
        self.concurrency = options.concurrency
        self._options = options
        self._slots = asyncio.Semaphore(options.concurrency)
        self._starting = asyncio.Lock()
        self._numbers = itertools.count(1)
        self._child: ChildProcess | None = None

    async def retrieve(self, query: str, k: int) -> Ranking:
        """Return the ``k`` best documents for the query, best first."""
        timeout_s = self._options.timeout
        async with self._slots:
            n_responses = self._child.n_responses if self._child else 0
            try:
                async with asyncio.timeout(timeout_s):
                    response = await self._request(query, k)
            except TimeoutError as error:
                if self._child is not None and self._child.n_responses <= n_responses:
                    await self._stop(0.0)  # unresponsive: the next probe starts a new process
                raise RetrieverError(Reason.TIMEOUT, f"no answer within {timeout_s:g} s") from error
        return self._to_ranking(response, k)

    async def close(self) -> None:
        """Stop the process and its children."""
        await self._stop(EXIT_GRACE_S)

    async def _stop(self, grace_s: float) -> None:
        child, self._child = self._child, None
        if child is not None:
            await child.stop(grace_s)

    async def _request(self, query: str, k: int) -> Any:
        async with self._starting:
            if self._child is None or self._child.has_ended:
                await self._stop(0.0)
                options = self._options
                self._child = await ChildProcess.start(
                    options.command, options.cwd, options.env, options.max_line_bytes
                )
            child = self._child
        number = next(self._numbers)
        return await child.request(number, orjson.dumps({"id": number, "query": query, "k": k}))

    def _to_ranking(self, response: dict[str, Any], k: int) -> Ranking:
        if "error" in response:
            raise RetrieverError(Reason.REJECTED, "the process returned an error")
        hits = response.get("hits")
        if not isinstance(hits, list) or not all(isinstance(hit, dict) for hit in hits):
            raise RetrieverError(Reason.MALFORMED, "the response has no list of objects at hits")
        columns = {name: [hit.get(name) for hit in hits[:k]] for name in ("id", "score")}
        return to_ranking(Hits(doc_ids=columns["id"], scores=columns["score"]), k, self._options)
