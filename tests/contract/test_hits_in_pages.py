"""Hits that come a page at a time, from a server that keeps its pages small."""

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


async def paged(asked: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
    """Three hits at most, from the place that is asked for on, and the place of the next."""
    said = json.loads(asked.body) if asked.body else {k: v[0] for k, v in parse_qs(urlsplit(asked.path).query).items()}
    start = int(said.get("from", 0))
    hits = [{"id": f"d{n}", "score": 1 - n / 10} for n in range(start, min(start + PAGE, N_DOCUMENTS))]
    next_page = str(start + PAGE) if start + PAGE < N_DOCUMENTS else None
    await reply(body={"hits": hits, "meta": {"next": next_page}})(asked, writer)


async def endless(asked: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
    """The same page over and over, each time with a promise of another."""
    said = json.loads(asked.body)
    await reply(body={"hits": [{"id": f"d{said.get('from')}"}], "meta": {"next": "same"}})(asked, writer)


async def slow(asked: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
    """Pages that are each in time, and together are not."""
    await asyncio.sleep(0.15)
    await paged(asked, writer)


def ask(k: int, answer: Any = paged, **options: Any) -> tuple[Ranking, LocalServer]:
    """What comes of asking for k hits, and the server with its requests."""

    async def run() -> tuple[Ranking, LocalServer]:
        async with serving(answer) as server:
            stated = {"kind": "http", "url": server.url(), "timeout": "60s", **options}
            retriever = registry.resolve("retriever", stated, where="r").build()
            try:
                return await retriever.retrieve("who?", k), server
            finally:
                await retriever.close()

    return asyncio.run(run())


WAYS = [{"parameter": "from"}, {"parameter": "from", "cursor": "meta.next"}]


@pytest.mark.parametrize("method", ["POST", "GET"])
@pytest.mark.parametrize("paging", WAYS, ids=["by offset", "by cursor"])
@pytest.mark.parametrize(("k", "n_pages"), [(1, 1), (3, 1), (4, 2), (7, 3)])
def test_pages_are_asked_for_until_there_are_enough_hits(method, paging, k, n_pages):
    """A target that brings three hits at a time is asked as often as is needed, and not once more."""
    ranking, server = ask(k, method=method, paging=paging)
    assert ranking.doc_ids == tuple(f"d{n}" for n in range(k))
    assert len(server.requests) == n_pages


@pytest.mark.parametrize("paging", WAYS, ids=["by offset", "by cursor"])
def test_the_last_page_is_the_end(paging):
    """Where the documents end, so does the asking; too few are told as ever."""
    ranking, server = ask(20, paging=paging, short_rankings="accept")
    assert len(ranking.doc_ids) == N_DOCUMENTS
    assert len(server.requests) <= 4
    with pytest.raises(RetrieverError, match="7 of 20 requested hits"):
        ask(20, paging=paging)


def test_a_page_that_leads_to_itself_is_the_last():
    """A target that promises another page for ever is not asked for ever."""
    ranking, server = ask(50, endless, paging=WAYS[1], short_rankings="accept")
    assert len(server.requests) == 2
    assert ranking.doc_ids == ("dNone", "dsame")


def test_the_timeout_holds_for_all_pages_together():
    """Paging does not stretch a probe."""
    with pytest.raises(RetrieverError) as caught:
        ask(7, slow, paging=WAYS[0], timeout="200ms")
    assert caught.value.reason is Reason.TIMEOUT


def test_a_cursor_that_is_not_jmespath_is_refused():
    """A path that could never lead anywhere is found when the configuration is checked."""
    stated = {"kind": "http", "url": "http://t/", "paging": {"parameter": "from", "cursor": "a["}}
    with pytest.raises(ConfigError, match=r"r\.paging\.cursor: is not valid JMESPath"):
        registry.resolve("retriever", stated, where="r")
