"""A Milvus Lite file that another process wrote is searched at once, and an engine's own message is passed on."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from monitor.adapters import registry
from monitor.adapters.retrievers.vector_store.retriever import engine_message
from monitor.errors import RetrieverError
from monitor.model.runs import Ranking
from tests.contract.vector_stores import embedding, nearest

FILL = "import sys; from tests.contract.vector_stores import fill_milvus; fill_milvus(sys.argv[1])"
QUERY = "where are the foxes?"


@pytest.mark.slow
def test_a_file_of_another_process_is_searched(tmp_path: Path):
    """The collection is loaded first: a file that was only opened answers no search."""
    path = tmp_path / "lite.db"
    subprocess.run([sys.executable, "-c", FILL, str(path)], check=True, capture_output=True)

    async def ask(collection: str) -> Ranking:
        async with embedding() as embedder:
            section = {"kind": "milvus", "uri": str(path), "collection": collection, "timeout": "60s"}
            retriever = registry.resolve("retriever", section | {"embedder": embedder}, where="r").build()
            try:
                ranking: Ranking = await retriever.retrieve(QUERY, 3)
            finally:
                await retriever.close()
        return ranking

    assert list(asyncio.run(ask("chunks")).doc_ids) == nearest(QUERY, 3)
    with pytest.raises(RetrieverError, match="unknown collection nowhere"):
        asyncio.run(ask("nowhere"))


def test_clients_are_imported_before_the_time_limit():
    """Each store with a client library names it, so that a cold import is no part of the first probe's time."""
    libraries = {
        kind: registry.find("retriever", kind, where="r").client_library for kind in ("milvus", "lancedb", "redis")
    }
    assert libraries == {
        "milvus": ("pymilvus", "milvus"),
        "lancedb": ("lancedb", "lancedb"),
        "redis": ("redis", "redis"),
    }


def test_the_message_of_an_engine_is_bounded_and_without_secrets():
    """The first line is kept; tokens, users and passwords are not."""
    error = ValueError("collection not loaded for watcher:s3cret-password\nTraceback …")
    assert engine_message(error, ["watcher:s3cret-password"]) == "collection not loaded for …"
    assert engine_message(ValueError("bad s3cret-password"), ["watcher:s3cret-password"]) == "bad …"
    assert engine_message(ValueError(), [""]) == "ValueError"
    assert len(engine_message(ValueError("x" * 5_000), [])) <= 301
