"""Paging of the HTTP retriever, against a server with small pages."""

import asyncio
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from monitor.adapters import registry
from monitor.errors import ConfigError, Reason, RetrieverError
from monitor.model.runs import Ranking
from tests.contract.local_server import LocalServer, ReceivedRequest, reply, serving

N_DOCUMENTS, PAGE = 7, 3


async def paged(request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
    """At most three hits from the requested offset, and the next offset."""
    query = parse_qs(urlsplit(request.path).query)
    parameters = json.loads(request.body) if request.body else {name: values[0] for name, values in query.items()}
    start = int(parameters.get("from", 0))
    hits = [{"id": f"d{n}", "score": 1 - n / 10} for n in range(start, min(start + PAGE, N_DOCUMENTS))]
    next_page = str(start + PAGE) if start + PAGE < N_DOCUMENTS else None
    await reply(body={"hits": hits, "meta": {"next": next_page}})(request, writer)


async def endless(request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
    """The same page for each request, always with a next page."""
    parameters = json.loads(request.body)
    await reply(body={"hits": [{"id": f"d{parameters.get('from')}"}], "meta": {"next": "same"}})(request, writer)


async def slow(request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
    """Pages that are each in time, but not together."""
    await asyncio.sleep(0.15)
    await paged(request, writer)


def ask(k: int, answer: Any = paged, **options: Any) -> tuple[Ranking, LocalServer]:
    """The ranking of k hits, and the server with its requests."""

    async def run() -> tuple[Ranking, LocalServer]:
        async with serving(answer) as server:
            section = {"kind": "http", "url": server.url(), "timeout": "60s", **options}
            retriever = registry.resolve("retriever", section, where="r").build()
            try:
                return await retriever.retrieve("who?", k), server
            finally:
                await retriever.close()

    return asyncio.run(run())


WAYS = [{"parameter": "from"}, {"parameter": "from", "cursor": "meta.next"}]


@pytest.mark.parametrize("method", ["POST", "GET"])
@pytest.mark.parametrize("paging", WAYS, ids=["by offset", "by cursor"])
@pytest.mark.parametrize(("k", "n_pages"), [(1, 1), (3, 1), (4, 2), (7, 3)])
def test_pages_are_requested_until_there_are_enough_hits(method, paging, k, n_pages):
    """A target with three hits per page receives exactly the necessary requests."""
    ranking, server = ask(k, method=method, paging=paging)
    assert ranking.doc_ids == tuple(f"d{n}" for n in range(k))
    assert len(server.requests) == n_pages


@pytest.mark.parametrize("paging", WAYS, ids=["by offset", "by cursor"])
def test_the_last_page_is_the_end(paging):
    """Requests stop at the final page; a short ranking is still a failure."""
    ranking, server = ask(20, paging=paging, short_rankings="accept")
    assert len(ranking.doc_ids) == N_DOCUMENTS
    assert len(server.requests) <= 4
    with pytest.raises(RetrieverError, match="7 of 20 requested hits"):
        ask(20, paging=paging)


def test_a_repeated_cursor_ends_paging():
    """A target that repeats its cursor is not requested forever."""
    ranking, server = ask(50, endless, paging=WAYS[1], short_rankings="accept")
    assert len(server.requests) == 2
    assert ranking.doc_ids == ("dNone", "dsame")


def test_the_timeout_holds_for_all_pages_together():
    """All pages of a probe share one timeout."""
    with pytest.raises(RetrieverError) as caught:
        ask(7, slow, paging=WAYS[0], timeout="200ms")
    assert caught.value.reason is Reason.TIMEOUT


def test_a_cursor_that_is_not_jmespath_is_refused():
    """An invalid path is rejected when the configuration is checked."""
    section = {"kind": "http", "url": "http://t/", "paging": {"parameter": "from", "cursor": "a["}}
    with pytest.raises(ConfigError, match=r"r\.paging\.cursor: is not valid JMESPath"):
        registry.resolve("retriever", section, where="r")
