"""Contract of every retriever, tested with the HTTP adapter against a misbehaving server."""

import asyncio
import base64
import gzip
import json
import ssl
import tracemalloc
import zlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import httpx
import pytest
from aiohttp.client_reqrep import ConnectionKey
from pydantic import ValidationError

from monitor.adapters import registry
from monitor.adapters.http.transport import retry_after_s
from monitor.adapters.retrievers.http.retriever import ResponsePaths
from monitor.errors import Reason, RetrieverError
from monitor.model.passages import Manner, Passage, Quoted, Sources
from monitor.model.runs import Outcome, Ranking
from monitor.model.suites import Query
from monitor.probing.replay import probe
from tests.contract.local_server import (
    Answer,
    LocalServer,
    ReceivedRequest,
    flood,
    hang_up,
    raw,
    reply,
    reset,
    serving,
    silence,
    trickle,
    unused_port,
)

QUERY = Query(query_id="q1", text="who loves whom?", stratum="stratum", cluster="cluster", grades={"d1": 1})
TWO_HITS = {"hits": [{"id": "d1", "score": 0.9}, {"id": "d2", "score": 0.4}]}
SECRETS = ("s3cret-token", "s3cret-password")


def build(url: str, **options: Any) -> Any:
    """The HTTP retriever, built from its configuration."""
    section = {"kind": "http", "url": url, "timeout": "60s", **options}
    return registry.resolve("retriever", section, where="targets.t.retriever").build()


async def ask(url: str, k: int = 2, **options: Any) -> Outcome:
    """The outcome of one probe."""
    retriever = build(url, **options)
    try:
        return await probe(QUERY, retriever, depth=k, attempts=1)
    finally:
        await retriever.close()


def outcome_of(answer: Answer, k: int = 2, **options: Any) -> tuple[Outcome, LocalServer]:
    """The outcome of one probe with this handler, and the server with its requests."""

    async def run() -> tuple[Outcome, LocalServer]:
        async with serving(answer) as server:
            return await ask(server.url(), k, **options), server

    return asyncio.run(run())


def ranking_of(answer: object, k: int = 2, **options: Any) -> Ranking:
    """The ranking read from a JSON response."""
    outcome, _ = outcome_of(reply(body=answer), k, **options)
    assert outcome.failure is None, outcome.failure
    assert outcome.ranking is not None
    return outcome.ranking


def hits(*doc_ids: object) -> dict[str, object]:
    """A response with these documents and falling scores."""
    return {"hits": [{"id": doc_id, "score": 1.0 / rank} for rank, doc_id in enumerate(doc_ids, 1)]}


MISBEHAVIOUR: dict[str, tuple[Answer, Reason]] = {
    "no answer": (silence, Reason.TIMEOUT),
    "a byte at a time": (trickle, Reason.TIMEOUT),
    "401": (reply(401), Reason.UNAUTHORISED),
    "403": (reply(403), Reason.UNAUTHORISED),
    "404": (reply(404), Reason.REJECTED),
    "400": (reply(400), Reason.REJECTED),
    "302": (reply(302, headers={"location": "/elsewhere"}), Reason.REJECTED),
    "429": (reply(429), Reason.RATE_LIMITED),
    "500": (reply(500), Reason.BROKEN),
    "503": (reply(503), Reason.BROKEN),
    "HTML": (reply(body=b"<html><title>Welcome</title></html>"), Reason.MALFORMED),
    "nothing": (reply(), Reason.MALFORMED),
    "204": (reply(204), Reason.MALFORMED),
    "not UTF-8": (reply(body=b'{"hits": ["\xff"]}'), Reason.MALFORMED),
    "JSON nested too deep": (reply(body=b"[" * 100_000), Reason.MALFORMED),
    "a list": (reply(body=[1, 2]), Reason.MALFORMED),
    "null": (reply(body=None), Reason.MALFORMED),
    "no hits field": (reply(body={"results": []}), Reason.MALFORMED),
    "hits is a mapping": (reply(body={"hits": {"d1": 1}}), Reason.MALFORMED),
    "hits are numbers": (reply(body={"hits": [1, 2]}), Reason.MALFORMED),
    "a hit without id": (reply(body={"hits": [{"id": "d1"}, {"score": 0.4}]}), Reason.MALFORMED),
    "an id of null": (reply(body=hits("d1", None)), Reason.MALFORMED),
    "an id with U+0000": (reply(body=hits("d1", "d\x00")), Reason.MALFORMED),
    "an id with a line break": (reply(body=hits("d1", "d\n2")), Reason.MALFORMED),
    "an id with half a surrogate pair": (
        reply(body=b'{"hits": [{"id": "d1"}, {"id": "\\ud800"}]}'),
        Reason.MALFORMED,
    ),
    "an id of three megabytes": (reply(body=hits("d1", "d" * 3_000_000)), Reason.MALFORMED),
    "an empty id": (reply(body=hits("d1", "")), Reason.MALFORMED),
    "an id that is true": (reply(body=hits("d1", True)), Reason.MALFORMED),
    "a document twice": (reply(body=hits("d1", "d1")), Reason.MALFORMED),
    "too few hits": (reply(body=hits("d1")), Reason.MALFORMED),
    "no hits": (reply(body={"hits": []}), Reason.MALFORMED),
    "a score of NaN": (
        reply(body=b'{"hits": [{"id": "d1", "score": NaN}, {"id": "d2", "score": 1}]}'),
        Reason.MALFORMED,
    ),
    "a score of 'NaN'": (
        reply(body={"hits": [{"id": "d1", "score": "NaN"}, {"id": "d2", "score": 1}]}),
        Reason.MALFORMED,
    ),
    "a score of Infinity": (
        reply(body=b'{"hits": [{"id": "d1", "score": Infinity}, {"id": "d2", "score": 1}]}'),
        Reason.MALFORMED,
    ),
    "a score of 1e999": (
        reply(body=b'{"hits": [{"id": "d1", "score": 1e999}, {"id": "d2", "score": 1}]}'),
        Reason.MALFORMED,
    ),
    "a score on the first hit only": (
        reply(body={"hits": [{"id": "d1", "score": 1}, {"id": "d2"}]}),
        Reason.MALFORMED,
    ),
    "ten megabytes": (reply(body=b'"' + b"x" * 10_000_000 + b'"'), Reason.MALFORMED),
    "an endless body": (flood(), Reason.MALFORMED),
    "a body cut short": (raw(b'HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{"hits": ['), Reason.BROKEN),
    "a chunk cut short": (raw(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nff\r\n{"), Reason.BROKEN),
    "a chunk without a size": (raw(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n{"), Reason.BROKEN),
    "gzip that is not": (reply(body=b"plain", headers={"content-encoding": "gzip"}), Reason.BROKEN),
    "connection reset": (reset, Reason.BROKEN),
    "connection closed": (hang_up, Reason.BROKEN),
}


@pytest.mark.parametrize("case", MISBEHAVIOUR)
def test_every_misbehaviour_is_one_failure_with_its_reason_and_no_secret(case):
    """Every misbehaviour of a retriever is one failure with the right reason, and its text contains no credential."""
    answer, reason = MISBEHAVIOUR[case]
    timeout = "300ms" if reason is Reason.TIMEOUT else "60s"
    outcome, server = outcome_of(answer, timeout=timeout, headers={"authorization": f"Bearer {SECRETS[0]}"})
    assert outcome.ranking is None
    assert outcome.failure is not None
    assert outcome.failure.reason is reason, outcome.failure
    assert not any(secret in outcome.failure.detail for secret in SECRETS)
    assert len(server.requests) == 1


def test_bytes_that_are_not_http_are_a_failure():
    """A port that speaks another protocol is a counted failure, not an exception."""
    outcome, _ = outcome_of(raw(b"220 mail.example.org ESMTP\r\n"))
    assert outcome.failure is not None
    assert outcome.failure.reason in (Reason.UNREACHABLE, Reason.BROKEN)


def test_a_port_without_a_listener_is_unreachable():
    """A refused connection is unreachable, not a timeout."""
    outcome = asyncio.run(ask(f"http://127.0.0.1:{unused_port()}/search"))
    assert outcome.failure is not None
    assert outcome.failure.reason is Reason.UNREACHABLE


def test_a_host_that_does_not_exist_is_unreachable():
    """A name that does not resolve is unreachable."""
    outcome = asyncio.run(ask("http://nowhere.invalid/search"))
    assert outcome.failure is not None
    assert outcome.failure.reason is Reason.UNREACHABLE


@pytest.mark.parametrize("url", ["http://127.0.0.1:99999/", "http://exa mple/"])
def test_an_unusable_url_is_a_failure_not_an_exception(url):
    """A URL that the library rejects is a failure with a reason."""
    outcome = asyncio.run(ask(url))
    assert outcome.failure is not None


@pytest.mark.parametrize("status", [401, 404, 500])
def test_credentials_in_the_url_are_in_no_message(status):
    """The user and password of a URL are not part of a failure."""

    async def run() -> list[Outcome]:
        async with serving(reply(status)) as server:
            answered = await ask(server.url(credentials=f"user:{SECRETS[1]}@"))
        return [answered, await ask(f"http://user:{SECRETS[1]}@127.0.0.1:{unused_port()}/")]

    for outcome in asyncio.run(run()):
        assert outcome.failure is not None
        assert SECRETS[1] not in outcome.failure.detail


def test_credentials_in_the_url_are_sent():
    """The user and password of a URL reach the target as basic authentication."""

    async def run() -> LocalServer:
        async with serving(reply(body=TWO_HITS)) as server:
            outcome = await ask(server.url(credentials="user:s3cret-password@"))
            assert outcome.failure is None, outcome.failure
            return server

    (request,) = asyncio.run(run()).requests
    assert request.headers["authorization"] == "Basic " + base64.b64encode(b"user:s3cret-password").decode()


def test_credentials_echoed_by_the_target_are_not_repeated():
    """A debugging page that repeats the request's headers leaves no credential in the failure."""

    async def echo(request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        await reply(body=request.headers["authorization"].encode())(request, writer)

    outcome, _ = outcome_of(echo, headers={"authorization": f"Bearer {SECRETS[0]}"})
    assert outcome.failure is not None
    assert SECRETS[0] not in outcome.failure.detail


def test_a_timeout_holds_for_the_whole_probe():
    """A server that sends single bytes slowly fails at the timeout, not after its last byte."""
    outcome, _ = outcome_of(trickle, timeout="200ms")
    assert 0.15 < outcome.duration_s < 1.0


def test_a_redirect_is_not_followed():
    """A redirect is rejected: the response of another host does not describe the target."""
    outcome, server = outcome_of(reply(302, headers={"location": "/elsewhere"}))
    assert outcome.failure is not None
    assert [request.path for request in server.requests] == ["/search"]


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_read(status):
    """The delay of Retry-After is part of the error."""

    async def run() -> RetrieverError:
        async with serving(reply(status, headers={"retry-after": "7"})) as server:
            retriever = build(server.url())
            with pytest.raises(RetrieverError) as caught:
                await retriever.retrieve("q", 2)
            await retriever.close()
            return caught.value

    assert asyncio.run(run()).retry_after_s == 7.0


def test_a_retry_after_can_be_a_date():
    """A date of HTTP is the time until then; a date in the past is no delay."""
    at = datetime.now(UTC) + timedelta(seconds=90)
    delay_s = retry_after_s(httpx.Response(503, headers={"retry-after": format_datetime(at, usegmt=True)}))
    assert delay_s is not None
    assert 80 < delay_s <= 90
    assert retry_after_s(httpx.Response(503, headers={"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"})) is None


@pytest.mark.parametrize("value", ["86401", "9" * 400, "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_a_retry_after_is_at_most_a_day(value):
    """A number without end stops nothing for ever."""
    assert retry_after_s(httpx.Response(429, headers={"retry-after": value})) == 86_400.0


@pytest.mark.parametrize("value", ["Wed, 21 Oct 2026 07:28:00", "soon", "-1", "\xb2", "", "0"])
def test_an_unreadable_retry_after_is_ignored(value):
    """An unreadable Retry-After does not change the reason."""
    outcome, _ = outcome_of(reply(429, headers={"retry-after": value}))
    assert outcome.failure is not None
    assert outcome.failure.reason is Reason.RATE_LIMITED


@pytest.mark.parametrize("answer", [flood(), flood(50_000_000)], ids=["endless", "announced"])
def test_a_huge_body_is_rejected_before_it_is_in_memory(answer):
    """At most the configured limit of a body is read."""
    outcome, peak = _with_peak(answer, max_body_bytes=1_000_000)
    assert outcome.failure is not None
    assert "max_body_bytes" in outcome.failure.detail
    assert peak < 6_000_000


def test_a_gzip_bomb_is_rejected_before_it_is_in_memory():
    """A small body that decompresses to 200 MB is not held in memory."""
    bomb = gzip.compress(b"x" * 200_000_000, compresslevel=1, mtime=0)
    outcome, peak = _with_peak(reply(body=bomb, headers={"content-encoding": "gzip"}), max_body_bytes=1_000_000)
    assert outcome.failure is not None
    assert outcome.failure.reason is Reason.MALFORMED
    assert peak < 50_000_000


@pytest.mark.parametrize("coding", ["gzip, gzip", "gzip,gzip,gzip", "br", "zstd"])
def test_a_bomb_within_a_bomb_is_rejected_before_it_is_decompressed(coding):
    """Nested and unbounded content codings are not decoded: 500 bytes could become gigabytes in one step."""
    bomb = gzip.compress(gzip.compress(b"x" * 200_000_000, compresslevel=9, mtime=0), compresslevel=9)
    outcome, peak = _with_peak(reply(body=bomb, headers={"content-encoding": coding}))
    assert outcome.failure is not None
    assert outcome.failure.reason is Reason.BROKEN
    assert peak < 6_000_000


DEFLATED = json.dumps(TWO_HITS).encode()


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzip.compress(DEFLATED, mtime=0)),
        ("x-gzip", gzip.compress(DEFLATED[:9], mtime=0) + gzip.compress(DEFLATED[9:], mtime=0)),
        ("deflate", zlib.compress(DEFLATED)),
        ("deflate", zlib.compress(DEFLATED, wbits=-15)),
        ("identity", DEFLATED),
    ],
)
def test_compressed_bodies_are_read(coding, body):
    """Gzip with several members and both forms of deflate are read; only these codings are requested."""
    outcome, server = outcome_of(reply(body=body, headers={"content-encoding": coding}))
    assert outcome.ranking is not None
    assert outcome.ranking.doc_ids == ("d1", "d2")
    assert server.requests[0].headers["accept-encoding"] == "gzip, deflate"


def test_a_compressed_body_that_ends_early_is_broken():
    """Half of a gzip body is no answer, even if the half is JSON."""
    outcome, _ = outcome_of(reply(body=gzip.compress(DEFLATED, mtime=0)[:-4], headers={"content-encoding": "gzip"}))
    assert outcome.failure is not None
    assert outcome.failure.reason is Reason.BROKEN


def _with_peak(answer: Answer, **options: Any) -> tuple[Outcome, int]:
    tracemalloc.start()
    try:
        outcome, _ = outcome_of(answer, **options)
        return outcome, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_query_and_k_fill_the_template():
    """A POST body contains the query as text and k as a number, at any depth of the template."""
    template = {"search": {"text": "{query}", "size": "{k}"}, "note": "top {k} for {query}", "tags": ["{query}", 3]}
    _, server = outcome_of(reply(body=TWO_HITS), request=template)
    (request,) = server.requests
    assert request.method == "POST"
    assert request.headers["content-type"] == "application/json"
    assert json.loads(request.body) == {
        "search": {"text": QUERY.text, "size": 2},
        "note": f"top 2 for {QUERY.text}",
        "tags": [QUERY.text, 3],
    }


def test_a_query_that_looks_like_a_placeholder_is_sent_as_it_is():
    """Braces in a query are text; placeholders are filled once."""

    async def run() -> LocalServer:
        async with serving(reply(body=hits("d1"))) as server:
            retriever = build(server.url(), request={"q": "{query}", "line": "k={k} q={query}"})
            await retriever.retrieve('what is {k}, "quoted"?', 1)
            await retriever.close()
            return server

    body = json.loads(asyncio.run(run()).requests[0].body)
    assert body == {"q": 'what is {k}, "quoted"?', "line": 'k=1 q=what is {k}, "quoted"?'}


def test_get_sends_the_template_as_parameters():
    """With GET the template becomes the query string, escaped."""
    _, server = outcome_of(reply(body=TWO_HITS), method="GET", request={"q": "{query}", "n": "{k}"})
    (request,) = server.requests
    assert request.method == "GET"
    assert request.body == b""
    assert parse_qs(urlsplit(request.path).query) == {"q": [QUERY.text], "n": ["2"]}


def test_get_keeps_the_parameters_of_the_url():
    """A parameter of the URL, such as an API version, is sent with each probe."""

    async def run() -> LocalServer:
        async with serving(reply(body=TWO_HITS)) as server:
            await ask(server.url("/search?api-version=2"), method="GET", request={"q": "{query}"})
            return server

    (request,) = asyncio.run(run()).requests
    assert parse_qs(urlsplit(request.path).query) == {"api-version": ["2"], "q": [QUERY.text]}


def test_every_probe_is_marked():
    """Requests carry the probe header and the configured headers."""
    _, server = outcome_of(reply(body=TWO_HITS), headers={"x-tenant": "monitoring"})
    (request,) = server.requests
    assert request.headers["x-recallwatch-probe"] == "1"
    assert request.headers["user-agent"] == "recallwatch"
    assert request.headers["x-tenant"] == "monitoring"


def test_nested_responses_are_read_by_jmespath():
    """A response of Elasticsearch is read by paths only."""
    answer = {"hits": {"hits": [{"_id": "d1", "_score": 3.5}, {"_id": "d2", "_score": 1.25}]}, "index": {"name": "v7"}}
    paths = {"hits": "hits.hits", "id": "_id", "score": "_score", "deployment": "index.name"}
    ranking = ranking_of(answer, response=paths)
    assert ranking == Ranking(doc_ids=("d1", "d2"), scores=(3.5, 1.25), deployment="v7")


def test_an_expression_can_rearrange_the_response():
    """JMESPath reaches into lists and through projections."""
    answer = {"matches": [[{"meta": {"doc": "d1"}, "s": 2}, {"meta": {"doc": "d2"}, "s": 1}]]}
    ranking = ranking_of(answer, response={"hits": "matches[0]", "id": "meta.doc", "score": "s"})
    assert ranking == Ranking(doc_ids=("d1", "d2"), scores=(2.0, 1.0))


def test_a_response_that_does_not_fit_the_expression_is_malformed():
    """An expression that fails on a response is a failure of this probe, not an exception."""
    paths = {"hits": "sort_by(hits, &score)", "id": "id", "score": "score"}
    answer = {"hits": [{"id": "d1", "score": "high"}, {"id": "d2", "score": 1}]}
    outcome, _ = outcome_of(reply(body=answer), response=paths)
    assert outcome.failure is not None
    assert outcome.failure.reason is Reason.MALFORMED


def test_the_reported_deployment_is_read():
    """The reported deployment is part of the ranking; a number becomes text, and a missing one is None."""
    paths = {"deployment": "model"}
    assert ranking_of(TWO_HITS | {"model": "minilm-v2"}, response=paths).deployment == "minilm-v2"
    assert ranking_of(TWO_HITS | {"model": 7}, response=paths).deployment == "7"
    assert ranking_of(TWO_HITS, response=paths).deployment is None


def test_the_deployment_may_be_in_a_header():
    """A marker in a response header is the deployment, unless the body names one."""
    answer = reply(body=TWO_HITS | {"model": "m1"}, headers={"X-Model": "v7"})
    outcome, _ = outcome_of(answer, deployment_header="X-Model")
    assert outcome.ranking is not None
    assert outcome.ranking.deployment == "v7"
    outcome, _ = outcome_of(answer, deployment_header="X-Model", response={"deployment": "model"})
    assert outcome.ranking is not None
    assert outcome.ranking.deployment == "m1"


def test_caches_can_be_bypassed():
    """By headers, or by a text that is another one in each probe."""
    _, server = outcome_of(reply(body=TWO_HITS), bypass_cache=True)
    assert server.requests[0].headers["cache-control"] == "no-cache"
    bodies = []
    for _ in range(2):
        _, server = outcome_of(reply(body=TWO_HITS), request={"q": "{query}", "nonce": "{unique}"})
        bodies.append(json.loads(server.requests[0].body)["nonce"])
    assert len({*bodies}) == 2
    assert all(len(nonce) == 32 for nonce in bodies)


def test_integer_ids_become_text():
    """Numeric ids are read like text ids."""
    assert ranking_of(hits(7, 0)).doc_ids == ("7", "0")


def test_an_integer_and_its_text_are_the_same_document():
    """The ids 1 and "1" are a duplicate."""
    outcome, _ = outcome_of(reply(body=hits(1, "1")))
    assert outcome.failure is not None
    assert outcome.failure.reason is Reason.MALFORMED


def test_surplus_hits_are_cut():
    """Only the first k hits are read; later ones are not even parsed."""
    ranking = ranking_of({"hits": [*hits("d1", "d2")["hits"], {"no": "id"}]})
    assert ranking.doc_ids == ("d1", "d2")


def test_ties_keep_the_order_of_the_target():
    """Rank is position: equal or rising scores do not change it."""
    answer = {"hits": [{"id": "b", "score": 1}, {"id": "a", "score": 1}, {"id": "c", "score": 5}]}
    assert ranking_of(answer, k=3) == Ranking(doc_ids=("b", "a", "c"), scores=(1.0, 1.0, 5.0))


def test_a_target_without_scores_is_read():
    """Scores are optional, and so is the path to them."""
    answer = {"hits": [{"id": "d1"}, {"id": "d2"}]}
    assert ranking_of(answer).scores is None
    assert ranking_of(answer, response={"score": None}).scores is None


@pytest.mark.parametrize(("doc_ids", "expected"), [(["d1"], ("d1",)), ([], ())])
def test_short_rankings_can_be_accepted(doc_ids, expected):
    """A target that returns only matching documents can be accepted."""
    ranking = ranking_of(hits(*doc_ids), short_rankings="accept")
    assert ranking.doc_ids == expected


def test_repeated_documents_keep_their_best_rank():
    """With `duplicates: first` chunks of one document become one hit at its best rank, with its score."""
    ranking = ranking_of(hits("d1", "d2", "d1", "d3", "d2"), k=5, duplicates="first")
    assert ranking == Ranking(doc_ids=("d1", "d2", "d3"), scores=(1.0, 0.5, 0.25))


def test_folding_is_no_excuse_for_too_few_hits():
    """The target must return k hits before repeated documents are folded."""
    outcome, _ = outcome_of(reply(body=hits("d1", "d1")), k=3, duplicates="first")
    assert outcome.failure is not None
    assert outcome.failure.detail.startswith("2 of 3 requested hits")


def test_a_repeated_document_names_the_option():
    """The failure has the number of repeated hits and the option that folds them."""
    outcome, _ = outcome_of(reply(body=hits("d1", "d1", "d2", "d1")), k=4)
    assert outcome.failure is not None
    assert "(2 of 4 hits repeat an id)" in outcome.failure.detail
    assert "duplicates: first" in outcome.failure.detail


def test_the_name_of_a_deployment_can_be_stored():
    """A reported name keeps a bounded length, and control characters are replaced."""
    ranking = ranking_of(TWO_HITS | {"model": "v\x002" + "x" * 1_000}, response={"deployment": "model"})
    assert ranking.deployment is not None
    assert ranking.deployment.startswith("v\ufffd2xx")
    assert len(ranking.deployment) == 200


def test_the_hits_can_be_read_before_their_ids():
    """The fields of the hits are returned as the target sends them, at most k."""

    async def run() -> Any:
        async with serving(reply(body={"hits": [{"no": "id"}, {"pk": 7}, {"pk": 8}]})) as server:
            retriever = build(server.url())
            raw_hits = await retriever.raw_hits("q", 2)
            await retriever.close()
            return raw_hits

    assert asyncio.run(run()) == [{"no": "id"}, {"pk": 7}]


CHUNKS = {
    "index": {"version": 7},
    "hits": [
        {"id": "c1", "score": 2, "meta": {"doc": 9, "from": 0, "to": 40}, "text": "No refunds after thirty days."},
        {"id": "c2", "score": 1, "meta": {"doc": "d", "from": 5, "to": 5}, "text": ""},
    ],
}
PLACES = {"document": "meta.doc", "start": "meta.from", "end": "meta.to"}


def test_spans_texts_and_corpus_are_read():
    """Sources, offsets, texts and the corpus of hits are read by their paths."""
    ranking = ranking_of(CHUNKS, response=PLACES | {"text": "text", "corpus": "index.version"})
    assert ranking.sources == Sources(("9", "d"), (0, 5), (40, 5))
    assert ranking.corpus == "7"
    assert ranking.texts is None, "texts are matched and not stored"
    assert ranking_of(CHUNKS, response={"document": "meta.doc"}).sources == Sources(("9", "d"))
    assert ranking_of(CHUNKS, response={"text": "text"}).sources is None


def test_judged_quotes_are_matched_and_texts_dropped():
    """An outcome keeps the positions of judged quotes, and none of the texts."""
    query = replace(QUERY, passages=(Passage(1, quote="thirty days"),))

    async def run() -> Outcome:
        async with serving(reply(body=CHUNKS)) as server:
            retriever = build(server.url(), response={"text": "text"})
            outcome = await probe(query, retriever, depth=2)
            await retriever.close()
            return outcome

    assert asyncio.run(run()).ranking.sources == Sources(quoted=(Quoted(0, 0, 0, 11, 11, Manner.EXACT),))


@pytest.mark.parametrize(
    "broken",
    [
        {"meta": {"from": 0, "to": 4}},
        {"meta": {"doc": "d", "from": 4, "to": 3}},
        {"meta": {"doc": "d", "from": -1, "to": 3}},
        {"meta": {"doc": "d", "from": "0", "to": 3}},
        {"meta": {"doc": "d", "from": True, "to": 3}},
        {"text": None},
    ],
    ids=str,
)
def test_a_hit_with_an_incomplete_span_or_text_is_malformed(broken):
    """Incomplete spans or texts are a failure of the probe; they are not guessed."""
    answer = CHUNKS | {"hits": [CHUNKS["hits"][0], CHUNKS["hits"][1] | broken]}
    outcome, _ = outcome_of(reply(body=answer), response=PLACES | {"text": "text"})
    assert outcome.failure is not None
    assert outcome.failure.reason is Reason.MALFORMED


@pytest.mark.parametrize("paths", [{"document": "d", "start": "s"}, {"start": "s", "end": "e"}], ids=str)
def test_a_span_needs_document_start_and_end(paths):
    """An incomplete span is rejected when the configuration is checked."""
    with pytest.raises(ValidationError, match="start and end must be set together, and need document"):
        ResponsePaths(**paths)


def test_connections_are_shared_up_to_the_concurrency():
    """The configured number of probes runs concurrently."""
    n_running, peak = 0, 0
    all_busy = asyncio.Event()

    async def answer(request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        nonlocal n_running, peak
        n_running += 1
        peak = max(peak, n_running)
        if peak == 3:
            all_busy.set()
        await all_busy.wait()
        await asyncio.sleep(0.01)  # a fourth probe, if there were one, would arrive now
        await reply(body=TWO_HITS)(request, writer)
        n_running -= 1

    async def run() -> None:
        async with serving(answer) as server:
            retriever = build(server.url(), concurrency=3)
            await asyncio.gather(*(retriever.retrieve("q", 2) for _ in range(9)))
            await retriever.close()

    asyncio.run(run())
    assert peak == 3


def test_a_closed_retriever_can_be_used_again():
    """Closing releases the connections; the next probe opens new ones."""

    async def run() -> Ranking:
        async with serving(reply(body=TWO_HITS)) as server:
            retriever = build(server.url())
            await retriever.retrieve("q", 2)
            await retriever.close()
            again = await retriever.retrieve("q", 2)
            await retriever.close()
            return again

    assert asyncio.run(run()).doc_ids == ("d1", "d2")


def _tree(root: type[Exception]) -> list[type[Exception]]:
    """The class and all its subclasses."""
    return [root, *(each for child in root.__subclasses__() for each in _tree(child))]


LIBRARY_ERRORS = sorted(
    {
        each
        for root in (
            httpx.HTTPError,
            httpx.InvalidURL,
            httpx.CookieConflict,
            httpx.StreamError,
            aiohttp.ClientError,
        )
        for each in _tree(root)
        if each.__module__.split(".")[0] in ("httpx", "aiohttp")
    },
    key=lambda error: (error.__module__, error.__name__),
)


def an_instance_of(kind: type[Exception]) -> Exception:
    """An error of the library with a credential in its text."""
    text = f"http://user:{SECRETS[1]}@target/"
    request = httpx.Request("POST", "http://target/")
    key = ConnectionKey("target", 443, True, True, None, None, None)
    info = aiohttp.RequestInfo(aiohttp.client.URL(text), "POST", {}, aiohttp.client.URL(text))  # type: ignore[arg-type]  # no multidict needed
    ways: list[Callable[[], Exception]] = [
        lambda: kind(info, ()),
        lambda: kind(text, key, OSError(111, text)),
        lambda: kind(key, ssl.SSLCertVerificationError(1, text)),
        lambda: kind(text, request=request, response=httpx.Response(500, request=request)),
        lambda: kind(b"expected", b"got", "target", 443),
        lambda: kind(text),
        lambda: kind(),
    ]
    for way in ways:
        try:
            error = way()
            str(error)
        except (TypeError, AttributeError):
            continue
        return error
    raise AssertionError(f"cannot create {kind}")


def test_the_list_of_library_errors_is_complete():
    """The list is not empty and covers every base class."""
    names = {each.__name__ for each in LIBRARY_ERRORS}
    assert {"ConnectError", "InvalidURL", "CookieConflict", "StreamClosed", "ClientPayloadError"} <= names
    assert len(LIBRARY_ERRORS) > 50


@pytest.mark.parametrize("kind", LIBRARY_ERRORS, ids=lambda error: f"{error.__module__}.{error.__name__}")
@pytest.mark.parametrize("moment", ["while asking", "while reading"])
def test_no_error_of_a_library_leaves_the_adapter(kind, moment, monkeypatch):
    """Every exception of httpx and aiohttp becomes a RetrieverError with a reason, and without its text."""

    def fail(*_: object, **__: object) -> object:
        raise an_instance_of(kind)

    if moment == "while asking":
        monkeypatch.setattr(aiohttp.ClientSession, "request", fail)
    else:
        monkeypatch.setattr(aiohttp.StreamReader, "iter_chunked", fail)
    outcome, _ = outcome_of(reply(body=TWO_HITS))
    assert outcome.failure is not None
    assert SECRETS[1] not in outcome.failure.detail
