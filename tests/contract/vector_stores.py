"""Vector stores with one small corpus each; real servers if a package includes one."""

import asyncio
import base64
import hashlib
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent import futures
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psycopg

from tests.contract.local_server import ReceivedRequest, reply, serving, unused_port
from tests.contract.proxy import Wire, wired
from tests.contract.redis_search import RedisSearch, serving_redis
from tests.waiting import PATIENCE_S

DIMENSION = 8
PASSWORD = "s3cret-password"
TOKEN = "s3cret-token"
SECRETS = (PASSWORD, TOKEN)


def vector_of(text: str, dimension: int = DIMENSION) -> np.ndarray:
    """A deterministic vector of length 1 for a text."""
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")
    drawn = np.random.default_rng(seed).normal(size=dimension)
    return (drawn / np.linalg.norm(drawn)).astype(np.float32)


@dataclass(frozen=True)
class Chunk:
    """A document of the corpus: a chunk of a source document."""

    doc_id: str
    text: str
    source: str
    start: int
    end: int
    vector: np.ndarray


CORPUS = tuple(
    Chunk(f"d{n}", text, f"source-{n % 3}", 10 * n, 10 * n + 9, vector_of(text))
    for n, text in enumerate(["naïve Grüße", "東京 の 天気", "🦊 fox", *(f"text number {n}" for n in range(3, 24))])
)
PLACES = {"document": "source", "start": "start_at", "end": "end_at"}


def nearest(text: str, k: int) -> list[str]:
    """Document ids by cosine similarity with the text, best first."""
    return [chunk.doc_id for chunk in sorted(CORPUS, key=lambda chunk: -float(chunk.vector @ vector_of(text)))[:k]]


@asynccontextmanager
async def embedding(under_way: list[int] | None = None) -> AsyncIterator[dict[str, Any]]:
    """Run an embedder until the block ends and yield its options; ``under_way`` holds current and peak concurrency."""

    async def answer(request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        body = json.loads(request.body)
        if under_way is not None:
            under_way[0] += 1
            under_way[1] = max(under_way[:2])
            await asyncio.sleep(0.02)
            under_way[0] -= 1
        vector = vector_of(body["text"], body.get("dimension", DIMENSION)).tolist()
        await reply(body={"embedding": vector})(request, writer)

    async with serving(answer) as server:
        yield {"kind": "http", "url": server.url(), "headers": {"authorization": f"Bearer {TOKEN}"}}


@dataclass
class Opened:
    """A reachable store."""

    options: dict[str, Any]
    """Options of its retriever."""
    wire: Wire | None = None
    """Proxy in front of a store with a network connection."""


@dataclass(frozen=True)
class Store:
    """A kind of store and its properties."""

    name: str
    opened: Callable[[], AbstractAsyncContextManager[Opened]]
    collection: str
    """Option with the name of the collection."""
    wrong_credentials: Mapping[str, Any] | None = None
    """Options with wrong credentials, if the store has any."""
    text: str = "text"
    is_exact: bool = False


@contextmanager
def pgvector(postgres_url: str) -> Iterator[Store]:
    """PostgreSQL with pgvector, and a user with a password."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE vectors")
        connection.execute(f"CREATE ROLE watcher LOGIN PASSWORD '{PASSWORD}'")
        (hba,) = connection.execute("SHOW hba_file").fetchone() or ("",)
        rules = "local all watcher scram-sha-256\nlocal all all trust"
        connection.execute(f"COPY (SELECT unnest(string_to_array('{rules}', E'\\n'))) TO '{hba}'")
        connection.execute("SELECT pg_reload_conf()")
    with psycopg.connect(postgres_url.replace("/postgres?", "/vectors?"), autocommit=True) as connection:
        connection.execute("CREATE EXTENSION vector")
        connection.execute(
            "CREATE TABLE chunks (id text, embedding vector(8), text text, source text, start_at int, end_at bigint)"
        )
        for chunk in CORPUS:
            row = (chunk.doc_id, str(chunk.vector.tolist()), chunk.text, chunk.source, chunk.start, chunk.end)
            connection.execute("INSERT INTO chunks VALUES (%s, %s, %s, %s, %s, %s)", row)
        connection.execute("CREATE INDEX ON chunks USING hnsw (embedding vector_cosine_ops)")
        connection.execute("GRANT SELECT ON chunks TO watcher")
        connection.execute("CREATE TABLE hidden (LIKE chunks)")
    socket = Path(postgres_url.partition("host=")[2]) / ".s.PGSQL.5432"

    @asynccontextmanager
    async def opened() -> AsyncIterator[Opened]:
        async with wired(socket) as wire:
            url = f"postgresql://watcher:{PASSWORD}@127.0.0.1:{wire.port}/vectors"
            yield Opened({"kind": "pgvector", "url": url, "table": "chunks"}, wire)

    wrong = {"url": lambda url: url.replace(PASSWORD, f"{PASSWORD}-of-yesterday")}
    yield Store("pgvector", opened, "table", wrong, is_exact=True)


@contextmanager
def chroma(folder: Path) -> Iterator[Store]:
    """The Chroma server. It has no credentials."""
    port = unused_port()
    program = Path(sys.executable).parent / "chroma"
    arguments: list[str | Path] = [program, "run", "--path", folder, "--host", "127.0.0.1", "--port", str(port)]
    server = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        collections_url = (
            f"http://127.0.0.1:{port}/api/v2/tenants/default_tenant/databases/default_database/collections"
        )
        created = _post_when_up(collections_url, {"name": "chunks", "configuration": {"hnsw": {"space": "cosine"}}})
        records = {
            "ids": [each.doc_id for each in CORPUS],
            "embeddings": [each.vector.tolist() for each in CORPUS],
            "documents": [each.text for each in CORPUS],
            "metadatas": [{"source": each.source, "start_at": each.start, "end_at": each.end} for each in CORPUS],
        }
        _post(f"{collections_url}/{created['id']}/add", records)

        @asynccontextmanager
        async def opened() -> AsyncIterator[Opened]:
            async with wired(port) as wire:
                url = f"http://user:{PASSWORD}@127.0.0.1:{wire.port}"
                yield Opened({"kind": "chroma", "url": url, "token": TOKEN, "collection": "chunks"}, wire)

        yield Store("chroma", opened, "collection", text="document")
    finally:
        server.terminate()
        server.wait(10)


def _post(url: str, body: object) -> Any:
    response = httpx.post(url, json=body, timeout=60)
    assert response.is_success, response.text
    return response.json() if response.content else None


def _post_when_up(url: str, body: object) -> Any:
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            return _post(url, body)
        except httpx.TransportError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


@contextmanager
def milvus(folder: Path) -> Iterator[Store]:
    """Milvus Lite behind its gRPC server, with the credential check of the Milvus proxy."""
    import grpc
    from milvus_lite.adapter.grpc.servicer import MilvusServicer
    from milvus_lite.db import MilvusLite
    from pymilvus.grpc_gen import milvus_pb2_grpc

    expected = base64.b64encode(f"watcher:{PASSWORD}".encode()).decode()

    class Check(grpc.ServerInterceptor):
        """Rejects credentials as Milvus does."""

        def intercept_service(self, proceed: Any, call: Any) -> Any:
            if dict(call.invocation_metadata).get("authorization") == expected:
                return proceed(call)
            message = "auth check failure, please check username [watcher] and password are correct"
            return grpc.unary_unary_rpc_method_handler(
                lambda _, context: context.abort(grpc.StatusCode.UNAUTHENTICATED, message)
            )

    database = MilvusLite(str(folder))
    server = grpc.server(futures.ThreadPoolExecutor(4), interceptors=[Check()])
    milvus_pb2_grpc.add_MilvusServiceServicer_to_server(MilvusServicer(database), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        fill_milvus(f"http://127.0.0.1:{port}", token=f"watcher:{PASSWORD}")

        @asynccontextmanager
        async def opened() -> AsyncIterator[Opened]:
            async with wired(port) as wire:
                options = {"uri": f"http://127.0.0.1:{wire.port}", "token": f"watcher:{PASSWORD}"}
                yield Opened({"kind": "milvus", "collection": "chunks", **options}, wire)

        yield Store("milvus", opened, "collection", {"token": lambda token: f"{token}-of-yesterday"}, is_exact=True)
    finally:
        server.stop(None)
        database.close()


def fill_milvus(uri: str, token: str = "") -> None:
    """Write the corpus into a collection of Milvus."""
    from pymilvus import DataType, MilvusClient

    client = MilvusClient(uri, token=token)
    schema = client.create_schema(auto_id=False)
    schema.add_field("id", DataType.VARCHAR, is_primary=True, max_length=100)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=DIMENSION)
    for name in ("text", "source"):
        schema.add_field(name, DataType.VARCHAR, max_length=100)
    for name in ("start_at", "end_at"):
        schema.add_field(name, DataType.INT64)
    index = client.prepare_index_params()
    index.add_index("vector", index_type="FLAT", metric_type="COSINE")
    client.create_collection("chunks", schema=schema, index_params=index)
    client.insert("chunks", [_as_row(each) for each in CORPUS])
    client.close()


@contextmanager
def lancedb(folder: Path) -> Iterator[Store]:
    """A folder of LanceDB."""
    import lancedb as library

    database = library.connect(folder)
    rows = [{**_as_row(each), "vector": each.vector} for each in CORPUS]
    database.create_table("chunks", rows)

    @asynccontextmanager
    async def opened() -> AsyncIterator[Opened]:
        yield Opened({"kind": "lancedb", "uri": str(folder), "table": "chunks", "metric": "cosine"})

    yield Store("lancedb", opened, "table", is_exact=True)


@contextmanager
def redis() -> Iterator[Store]:
    """The fake of the Redis search."""
    documents = {
        f"doc:{each.doc_id}": {
            "embedding": each.vector.tobytes(),
            "text": each.text.encode(),
            "source": each.source.encode(),
            "start_at": str(each.start).encode(),
            "end_at": str(each.end).encode(),
        }
        for each in CORPUS
    }

    @asynccontextmanager
    async def opened() -> AsyncIterator[Opened]:
        async with serving_redis(RedisSearch(documents, DIMENSION, PASSWORD)) as port, wired(port) as wire:
            url = f"redis://:{PASSWORD}@127.0.0.1:{wire.port}"
            yield Opened({"kind": "redis", "url": url, "index": "idx", "prefix": "doc:"}, wire)

    yield Store("redis", opened, "index", {"url": lambda url: url.replace(PASSWORD, f"{PASSWORD}-of-yesterday")})


def _as_row(chunk: Chunk) -> dict[str, Any]:
    return {
        "id": chunk.doc_id,
        "vector": chunk.vector.tolist(),
        "text": chunk.text,
        "source": chunk.source,
        "start_at": chunk.start,
        "end_at": chunk.end,
    }
