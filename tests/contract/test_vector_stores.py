"""Contract of every vector store, tested on real servers if a package includes one."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monitor.adapters import registry
from monitor.errors import ConfigError, Reason, RetrieverError
from monitor.model.passages import Sources
from monitor.model.runs import Ranking
from monitor.ports.targets import ExactSearch, Retriever, VectorAccess
from tests.contract import vector_stores
from tests.contract.vector_stores import CORPUS, PLACES, SECRETS, Opened, Store, embedding, nearest, vector_of

pytestmark = pytest.mark.slow

STORES = ("pgvector", "chroma", "milvus", "lancedb", "redis")
WITH_NETWORK = tuple(name for name in STORES if name != "lancedb")
WITH_CREDENTIALS = ("pgvector", "milvus", "redis")
EXACT = ("pgvector", "milvus", "lancedb")
QUERY = "where are the foxes? 🦊 où?"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for the data of the stores."""
    return tmp_path_factory.mktemp("stores")


@pytest.fixture(scope="module")
def pgvector(postgres_server: str) -> Iterator[Store]:
    """PostgreSQL."""
    with vector_stores.pgvector(postgres_server) as store:
        yield store


@pytest.fixture(scope="module")
def chroma(folder: Path) -> Iterator[Store]:
    """Chroma."""
    with vector_stores.chroma(folder / "chroma") as store:
        yield store


@pytest.fixture(scope="module")
def milvus(folder: Path) -> Iterator[Store]:
    """Milvus."""
    with vector_stores.milvus(folder / "milvus") as store:
        yield store


@pytest.fixture(scope="module")
def lancedb(folder: Path) -> Iterator[Store]:
    """LanceDB."""
    with vector_stores.lancedb(folder / "lancedb") as store:
        yield store


@pytest.fixture(scope="module")
def redis() -> Iterator[Store]:
    """Redis."""
    with vector_stores.redis() as store:
        yield store


@pytest.fixture
def store(request: pytest.FixtureRequest) -> Store:
    """The store of a test."""
    return request.getfixturevalue(request.param)


def on_stores(*names: str) -> pytest.MarkDecorator:
    """Run a test on each of these stores."""
    return pytest.mark.parametrize("store", names, indirect=True)


@asynccontextmanager
async def watching(store: Store, opened: Opened, **options: Any) -> AsyncIterator[Any]:
    """The retriever of a store, built from its configuration."""
    async with embedding() as embedder:
        section = {**opened.options, "embedder": embedder, "timeout": "60s", **options}
        retriever = registry.resolve("retriever", section, where="targets.t.retriever").build()
        try:
            yield retriever
        finally:
            await retriever.close()


def ask(store: Store, act: Callable[[Any], Awaitable[Any]], **options: Any) -> Any:
    """Run an action on the retriever of a store."""

    async def run() -> Any:
        async with store.opened() as opened, watching(store, opened, **options) as retriever:
            return await act(retriever)

    return asyncio.run(run())


def failure_of(store: Store, act: Callable[[Any], Awaitable[Any]] | None = None, **options: Any) -> RetrieverError:
    """The failure of an action; it must contain no secret."""
    with pytest.raises(RetrieverError) as caught:
        ask(store, act or (lambda retriever: retriever.retrieve(QUERY, 3)), **options)
    assert not any(secret in str(caught.value) for secret in SECRETS)
    assert "\n" not in str(caught.value)
    return caught.value


@on_stores(*STORES)
@pytest.mark.parametrize("k", [1, 10, len(CORPUS)])
def test_the_nearest_documents_come_best_first(store, k):
    """The k nearest documents, best first; their scores are cosines."""
    ranking = ask(store, lambda retriever: retriever.retrieve(QUERY, k))
    assert list(ranking.doc_ids) == nearest(QUERY, k)
    vectors = {chunk.doc_id: chunk.vector for chunk in CORPUS}
    cosines = [float(vectors[doc_id] @ vector_of(QUERY)) for doc_id in ranking.doc_ids]
    assert ranking.scores == pytest.approx(cosines, abs=1e-5)


@on_stores(*STORES)
def test_fewer_hits_than_requested_are_a_failure_unless_accepted(store):
    """A short ranking is a failure, unless the configuration accepts it."""
    k = len(CORPUS) + 1
    assert failure_of(store, lambda retriever: retriever.retrieve(QUERY, k)).reason is Reason.MALFORMED
    ranking = ask(store, lambda retriever: retriever.retrieve(QUERY, k), short_rankings="accept")
    assert list(ranking.doc_ids) == nearest(QUERY, k)


@on_stores(*STORES)
def test_texts_and_sources_of_hits_are_read(store):
    """Texts and offsets of chunks match the stored ones; deployment and corpus are part of the ranking."""
    declared = {"text": store.text, "deployment": "minilm-v2", "corpus": "march"}
    ranking = ask(store, lambda retriever: retriever.retrieve("naïve Grüße", 3), **PLACES, **declared)
    assert isinstance(ranking, Ranking)
    chunks = [next(chunk for chunk in CORPUS if chunk.doc_id == doc_id) for doc_id in ranking.doc_ids]
    assert chunks[0].text == "naïve Grüße"
    assert ranking.texts == tuple(chunk.text for chunk in chunks)
    assert ranking.sources == Sources(
        tuple(chunk.source for chunk in chunks),
        tuple(chunk.start for chunk in chunks),
        tuple(chunk.end for chunk in chunks),
    )
    assert (ranking.deployment, ranking.corpus) == ("minilm-v2", "march")


@on_stores(*STORES)
def test_an_unknown_collection_is_named(store):
    """A misspelt collection is rejected by name; it is not an empty ranking."""
    failure = failure_of(store, **{store.collection: "chunkz"})
    assert failure.reason is Reason.REJECTED
    assert "chunkz" in failure.detail


@on_stores(*STORES)
def test_an_unknown_field_is_a_failure(store):
    """A misspelt field of a chunk is a failure of the probe, never a ranking without it."""
    failure = failure_of(store, text="txet")
    assert failure.reason in (Reason.REJECTED, Reason.MALFORMED)


@on_stores(*STORES)
def test_a_dimension_mismatch_names_both_dimensions(store):
    """The error for an embedder of another dimension contains both dimensions."""

    async def run() -> None:
        async with store.opened() as opened, embedding() as embedder:
            wrong = embedder | {"request": {"text": "{text}", "dimension": 5}}
            async with watching(store, opened, embedder=wrong) as retriever:
                await retriever.retrieve(QUERY, 3)

    with pytest.raises(RetrieverError, match="has vectors of 8 dimensions, the embedder returns 5") as caught:
        asyncio.run(run())
    assert caught.value.reason is Reason.REJECTED


@on_stores(*WITH_CREDENTIALS)
def test_wrong_credentials_are_unauthorised(store):
    """Rejected credentials are unauthorised, and no message contains them."""

    async def run() -> None:
        async with store.opened() as opened:
            wrong = {name: change(opened.options[name]) for name, change in store.wrong_credentials.items()}
            async with watching(store, opened, **wrong) as retriever:
                await retriever.retrieve(QUERY, 3)

    with pytest.raises(RetrieverError) as caught:
        asyncio.run(run())
    assert caught.value.reason is Reason.UNAUTHORISED, caught.value
    assert not any(secret in str(caught.value) for secret in SECRETS)


@on_stores(*WITH_NETWORK)
def test_probes_fail_while_the_server_is_away(store):
    """Probes fail with a retryable reason while the server is away, and succeed after its return."""

    async def run() -> tuple[RetrieverError, RetrieverError, Ranking]:
        async with store.opened() as opened, watching(store, opened) as retriever:
            await retriever.retrieve(QUERY, 3)
            await opened.wire.cut()
            failures = []
            for _ in range(2):
                with pytest.raises(RetrieverError) as caught:
                    await retriever.retrieve(QUERY, 3)
                failures.append(caught.value)
            await opened.wire.restore()
            return *failures, await retriever.retrieve(QUERY, 3)

    *failures, ranking = asyncio.run(run())
    for failure in failures:
        assert failure.reason in (Reason.UNREACHABLE, Reason.BROKEN, Reason.TIMEOUT), failure
        assert not any(secret in str(failure) for secret in SECRETS)
    assert list(ranking.doc_ids) == nearest(QUERY, 3)


@on_stores(*WITH_NETWORK)
@pytest.mark.parametrize("moment", ["at once", "mid-run"])
def test_a_silent_server_times_out(store, moment):
    """The timeout covers the whole probe, and a late response is not used for a later probe."""

    async def run() -> tuple[float, RetrieverError, Ranking]:
        async with store.opened() as opened, watching(store, opened, timeout="300ms") as retriever:
            if moment == "mid-run":
                await _answer(retriever, QUERY)
            opened.wire.freeze()
            started = asyncio.get_running_loop().time()
            with pytest.raises(RetrieverError) as caught:
                await retriever.retrieve(QUERY, 3)
            took_s = asyncio.get_running_loop().time() - started
            await opened.wire.restore()
            return took_s, caught.value, await _answer(retriever, "another")

    took_s, failure, ranking = asyncio.run(run())
    assert failure.reason is Reason.TIMEOUT, failure
    assert took_s > 0.25
    assert list(ranking.doc_ids) == nearest("another", 3)


async def _answer(retriever: Retriever, query: str) -> Ranking:
    """The first answer within the timeout: a busy machine may need several attempts."""
    for _ in range(200):
        with suppress(RetrieverError):
            return await retriever.retrieve(query, 3)
    raise AssertionError("no answer in 200 attempts")


@on_stores(*STORES)
def test_no_more_probes_than_configured_are_running(store):
    """At most ``concurrency`` probes run at once, and each gets its own response."""
    running = [0, 0]

    async def run() -> list[Ranking]:
        async with (
            store.opened() as opened,
            embedding(running) as embedder,
            watching(store, opened, embedder=embedder, concurrency=3) as retriever,
        ):
            return await asyncio.gather(*(retriever.retrieve(f"query {n}", 5) for n in range(9)))

    rankings = asyncio.run(run())
    assert [list(ranking.doc_ids) for ranking in rankings] == [nearest(f"query {n}", 5) for n in range(9)]
    assert running[1] == 3


@on_stores(*STORES)
def test_a_closed_retriever_can_be_used_again(store):
    """Closing releases the connections; the next probe opens new ones."""

    async def act(retriever: Any) -> Ranking:
        await retriever.retrieve(QUERY, 2)
        await retriever.close()
        return await retriever.retrieve(QUERY, 2)

    assert list(ask(store, act).doc_ids) == nearest(QUERY, 2)


@on_stores(*STORES)
def test_stored_vectors_can_be_read(store):
    """Stored vectors are returned by document id, without missing documents."""

    async def act(retriever: Any) -> Any:
        assert isinstance(retriever, VectorAccess)
        return await retriever.stored_vectors(["d2", "d0", 'it\'s "not" \\there']), await retriever.embed([QUERY])

    stored, embedded = ask(store, act)
    assert set(stored) == {"d0", "d2"}
    for doc_id, vector in stored.items():
        assert vector.dtype == np.float32
        np.testing.assert_allclose(vector, CORPUS[int(doc_id[1:])].vector, rtol=1e-6)
    np.testing.assert_allclose(embedded, [vector_of(QUERY)], rtol=1e-6)


@on_stores(*EXACT)
def test_an_exact_search_compares_every_document(store):
    """Exact search finds the nearest documents of the whole corpus."""

    async def act(retriever: Any) -> Ranking:
        assert isinstance(retriever, ExactSearch)
        return await retriever.search_exact(vector_of(QUERY), 10)

    assert list(ask(store, act).doc_ids) == nearest(QUERY, 10)


@on_stores("chroma", "redis")
def test_a_store_without_exact_search_does_not_offer_it(store):
    """Exact search is offered only by stores that support it."""

    async def act(retriever: Any) -> bool:
        return isinstance(retriever, ExactSearch)

    assert ask(store, act) is False


@on_stores(*STORES)
def test_a_failing_embedder_is_named(store):
    """The error distinguishes a failed embedder from a failed store."""
    wrong = {"kind": "http", "url": f"http://user:{SECRETS[0]}@127.0.0.1:1/"}
    failure = failure_of(store, embedder=wrong)
    assert failure.reason is Reason.UNREACHABLE
    assert failure.detail.startswith("embedder: ")


@on_stores(*STORES)
def test_a_wrong_key_of_the_embedder_is_named_with_its_whole_path(store):
    """The error for a misspelt nested key contains its full path."""

    async def run() -> None:
        async with store.opened() as opened:
            section = {**opened.options, "embedder": {"kind": "openai", "modle": "m"}}
            registry.resolve("retriever", section, where="targets.t.retriever")

    with pytest.raises(ConfigError, match=r"targets\.t\.retriever\.embedder\.(modle|model): ") as caught:
        asyncio.run(run())
    assert not any(secret in str(caught.value) for secret in SECRETS)
