"""Contract of every embedder."""

import asyncio
import json
from typing import Any

import numpy as np
import pytest

from monitor.adapters import registry
from monitor.errors import ConfigError, Reason, RetrieverError
from tests.contract.local_server import (
    Answer,
    LocalServer,
    ReceivedRequest,
    reply,
    reset,
    serving,
    silence,
    unused_port,
)
from tests.contract.vector_stores import vector_of

KEY = "s3cret-key"
TEXTS = ["naïve Grüße", "東京", "", "🦊 {text}"]


def build(section: dict[str, Any]) -> Any:
    """The embedder, built from its configuration."""
    return registry.resolve("embedder", section, where="embedder").build()


def options(kind: str, url: str) -> dict[str, Any]:
    """Options of an embedder of this kind for a server."""
    if kind == "openai":
        return {"kind": kind, "base_url": url, "model": "small", "api_key": KEY, "batch_size": 3}
    return {"kind": kind, "url": url, "headers": {"authorization": f"Bearer {KEY}"}, "vector": "data[0].embedding"}


def embedded(kind: str, answer: Answer, texts: list[str] = TEXTS, **more: Any) -> tuple[np.ndarray, LocalServer]:
    """The vectors that an embedder returns, and the server with its requests."""

    async def run() -> tuple[np.ndarray, LocalServer]:
        async with serving(answer) as server:
            embedder = build({**options(kind, server.url("/v1")), **more})
            try:
                return await embedder.embed(texts), server
            finally:
                await embedder.close()

    return asyncio.run(run())


async def embed_as_openai(request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
    """Respond like OpenAI, with rows in reverse order, which the index permits."""
    body = json.loads(request.body)
    texts = body["input"] if "input" in body else [body["text"]]
    data = [{"object": "embedding", "index": n, "embedding": vector_of(text).tolist()} for n, text in enumerate(texts)]
    await reply(body={"object": "list", "data": data[::-1], "model": "small"})(request, writer)


@pytest.mark.parametrize("kind", ["openai", "http"])
def test_each_text_has_its_vector_in_order(kind):
    """One row of float32 for each text, independent of batches and response order."""
    vectors, _ = embedded(kind, embed_as_openai)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, [vector_of(text) for text in TEXTS], rtol=1e-6)


def test_requests_follow_the_openai_reference():
    """Model, batches, key and extra fields are sent as the OpenAI reference defines."""
    _, server = embedded("openai", embed_as_openai, dimensions=8, prefix="query: ", extra={"input_type": "query"})
    assert [request.path for request in server.requests] == ["/v1/embeddings"] * 2
    assert {request.headers["authorization"] for request in server.requests} == {f"Bearer {KEY}"}
    bodies = [json.loads(request.body) for request in server.requests]
    assert [body.pop("input") for body in bodies] == [[f"query: {text}" for text in TEXTS[:3]], [f"query: {TEXTS[3]}"]]
    rest = {"model": "small", "encoding_format": "float", "dimensions": 8, "input_type": "query"}
    assert bodies == [rest, rest]


def test_the_template_is_filled_in_once():
    """Braces in a text are text."""
    request = {"inputs": ["{text}"], "note": "for {text}"}

    async def answer(request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        await reply(body={"data": [{"embedding": [1.0]}]})(request, writer)

    _, server = embedded("http", answer, ["🦊 {text}"], request=request)
    assert json.loads(server.requests[0].body) == {"inputs": ["🦊 {text}"], "note": "for 🦊 {text}"}


def rows(*vectors: object) -> Answer:
    """A response with these vectors."""
    return reply(body={"data": [{"index": n, "embedding": vector} for n, vector in enumerate(vectors)]})


BROKEN: dict[str, tuple[Answer, Reason]] = {
    "401": (reply(401, {"error": {"message": f"Incorrect API key provided: {KEY}"}}), Reason.UNAUTHORISED),
    "429": (reply(429), Reason.RATE_LIMITED),
    "500": (reply(500), Reason.BROKEN),
    "silence": (silence, Reason.TIMEOUT),
    "reset": (reset, Reason.BROKEN),
    "HTML": (reply(body=b"<html>"), Reason.MALFORMED),
    "no data": (reply(body={"error": "no"}), Reason.MALFORMED),
    "a list": (reply(body=[1]), Reason.MALFORMED),
    "a text as vector": (rows("AAAA"), Reason.MALFORMED),
    "a vector of texts": (rows(["a"]), Reason.MALFORMED),
    "no numbers": (rows([]), Reason.MALFORMED),
    "a null among numbers": (rows([1.0, None]), Reason.MALFORMED),
    "nested": (rows([[1.0]]), Reason.MALFORMED),
    "1e39": (rows([1e39]), Reason.MALFORMED),
}


@pytest.mark.parametrize("case", BROKEN)
@pytest.mark.parametrize("kind", ["openai", "http"])
def test_every_misbehaviour_is_a_failure_with_its_reason_and_no_key(kind, case):
    """Every misbehaviour of an embedder is a RetrieverError without the key."""
    answer, reason = BROKEN[case]
    with pytest.raises(RetrieverError) as caught:
        embedded(kind, answer, ["a"], timeout="300ms" if reason is Reason.TIMEOUT else "60s")
    assert caught.value.reason is reason, caught.value
    assert KEY not in str(caught.value)


def test_too_few_vectors_are_malformed():
    """A missing vector is an error; it cannot shift later vectors."""
    with pytest.raises(RetrieverError, match="1 vectors for 2 texts"):
        embedded("openai", rows([1.0]), ["a", "b"])


@pytest.mark.parametrize("kind", ["openai", "http"])
def test_a_port_without_a_listener_is_unreachable(kind):
    """A refused connection is unreachable."""

    async def run() -> None:
        embedder = build(options(kind, f"http://127.0.0.1:{unused_port()}/"))
        try:
            await embedder.embed(["a"])
        finally:
            await embedder.close()

    with pytest.raises(RetrieverError) as caught:
        asyncio.run(run())
    assert caught.value.reason is Reason.UNREACHABLE


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"kind": "openai"}, "embedder.model: is missing"),
        ({"kind": "openai", "model": "m", "api_key": "a", "api_key_file": "b"}, "embedder: set either api_key"),
        ({"kind": "http", "url": "http://h", "request": {"text": "text"}}, "embedder.request: must contain {text}"),
        ({"kind": "http", "url": "http://h", "vector": "a["}, "embedder.vector: is not valid JMESPath"),
        ({"kind": "htpp"}, 'embedder.kind: unknown embedder "htpp"; did you mean http?'),
        ({}, "embedder.kind: is missing"),
    ],
)
def test_a_wrong_configuration_is_refused_by_key(section, message):
    """A wrong configuration is rejected when it is checked."""
    with pytest.raises(ConfigError) as caught:
        build(section)
    assert message in str(caught.value)


def test_a_key_can_be_read_from_a_file(tmp_path):
    """The key is read from the configured file, without the line end."""
    (tmp_path / "key").write_text(f"{KEY}\n")
    _, server = embedded("openai", embed_as_openai, api_key=None, api_key_file=tmp_path / "key")
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.slow
def test_the_bundled_model_embeds_in_this_process():
    """Vectors of the bundled model have length 1, and similar texts have similar vectors."""
    embedder = build({"kind": "local"})
    vectors = asyncio.run(embedder.embed(["a red fox", "a fox that is red", "tax law"]))
    assert vectors.shape == (3, 384)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    assert vectors[0] @ vectors[1] > 0.8 > vectors[0] @ vectors[2]


@pytest.mark.slow
def test_a_missing_model_is_a_failure(tmp_path, monkeypatch):
    """A folder without a model is a RetrieverError, not an error of the library."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(RetrieverError) as caught:
        asyncio.run(build({"kind": "local", "model": str(tmp_path)}).embed(["a"]))
    assert caught.value.reason is Reason.BROKEN
