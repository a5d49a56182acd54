"""Contract of every answerer."""

import asyncio
import json
from typing import Any

import pytest

from monitor.adapters import registry
from monitor.errors import AnswererError, ConfigError, Reason
from monitor.evaluation.answers.abstention import is_abstention, is_empty
from monitor.model.answers import Answer
from tests.contract import local_server
from tests.contract.chat_service import KEY, completion, cut, saying, stream
from tests.contract.local_server import LocalServer, flood, hang_up, raw, reply, reset, serving, silence, trickle

QUERY = "Wer hat {contexts} gebaut?"
CONTEXTS = ["Ada built it. {query}", "東京 “quoted”"]
LONG = "x" * 200_000
REFUSAL = "I'm sorry, I can't help with that."
WITH_CONTEXTS = {"question": "{query}", "passages": "{contexts}"}


def options(kind: str, server: LocalServer) -> dict[str, Any]:
    """Options of an answerer of this kind for a server."""
    if kind == "openai":
        return {"kind": kind, "base_url": server.url("/v1"), "model": "m", "api_key": KEY, "timeout": "60s"}
    headers = {"authorization": f"Bearer {KEY}"}
    return {"kind": kind, "url": server.url("/ask"), "headers": headers, "timeout": "60s"}


def answered(
    kind: str, answer: local_server.Answer, texts: list[str] | None = None, **more: Any
) -> tuple[Answer, LocalServer]:
    """The answer of a server, and the server with its requests."""

    async def run() -> tuple[Answer, LocalServer]:
        async with serving(answer) as server:
            answerer = registry.resolve("answerer", {**options(kind, server), **more}, where="answerer").build()
            try:
                return await answerer.answer(QUERY, texts), server
            finally:
                await answerer.close()

    return asyncio.run(run())


def refused(kind: str, answer: local_server.Answer, texts: list[str] | None = None, **more: Any) -> AnswererError:
    """The error of a failed request."""
    with pytest.raises(AnswererError) as caught:
        answered(kind, answer, texts, **more)
    return caught.value


def sent(server: LocalServer) -> Any:
    """The body of the single request."""
    (request,) = server.requests
    return json.loads(request.body)


FAULTS: dict[str, tuple[local_server.Answer, Reason]] = {
    "401": (reply(401, {"error": {"message": f"Incorrect API key provided: {KEY}"}}), Reason.UNAUTHORISED),
    "403": (reply(403), Reason.UNAUTHORISED),
    "404": (reply(404), Reason.REJECTED),
    "302": (reply(302, headers={"location": "/elsewhere"}), Reason.REJECTED),
    "429": (reply(429, headers={"retry-after": "7"}), Reason.RATE_LIMITED),
    "500": (reply(500, KEY.encode()), Reason.BROKEN),
    "HTML": (reply(200, b"<html><title>Sign in</title></html>", {"content-type": "text/html"}), Reason.MALFORMED),
    "nothing": (reply(), Reason.MALFORMED),
    "not UTF-8": (reply(200, b'{"answer": "\xff"}'), Reason.MALFORMED),
    "JSON nested too deep": (reply(200, b"[" * 100_000), Reason.MALFORMED),
    "a list": (reply(200, [1, 2]), Reason.MALFORMED),
    "null": (reply(200, None), Reason.MALFORMED),
    "an error with status 200": (reply(200, {"error": {"message": KEY}}), Reason.MALFORMED),
    "an endless body": (flood(), Reason.MALFORMED),
    "an answer cut short": (cut(json.dumps(completion("It was Ada")).encode()), Reason.BROKEN),
    "no answer in time": (silence, Reason.TIMEOUT),
    "a byte at a time": (trickle, Reason.TIMEOUT),
    "connection reset": (reset, Reason.BROKEN),
    "connection closed": (hang_up, Reason.BROKEN),
}


@pytest.mark.parametrize("kind", ["http", "openai"])
@pytest.mark.parametrize("case", FAULTS)
def test_every_fault_is_a_failure_with_its_reason_and_no_secret(case, kind):
    """Every fault of a RAG service is one failure with the right reason, and its text contains no credential."""
    answer, reason = FAULTS[case]
    error = refused(kind, answer, timeout="200ms" if reason is Reason.TIMEOUT else "60s")
    assert error.reason is reason, error
    assert KEY not in str(error)


@pytest.mark.parametrize("kind", ["http", "openai"])
def test_retry_after_is_read(kind):
    """The delay of Retry-After is part of the error."""
    assert refused(kind, FAULTS["429"][0]).retry_after_s == 7.0


@pytest.mark.parametrize("kind", ["http", "openai"])
@pytest.mark.parametrize(
    "text", ["", LONG, REFUSAL, "Das war Ada — 東京 \u2028 🦊"], ids=["empty", "long", "no", "German"]
)
def test_every_text_is_an_answer(text, kind):
    """An empty text, a refusal, 200 kB and another language are answers for the scorers, not failures."""
    answer = saying(completion(text)) if kind == "openai" else reply(200, {"answer": text})
    assert answered(kind, answer)[0].text == text


# --- OpenAI


def test_requests_follow_the_openai_reference():
    """System message, query and configured settings are sent; the answer has model, deployment and tokens."""
    answer, server = answered("openai", saying(completion("Ada")), system="Be brief.", seed=7, max_tokens=50)
    assert answer == Answer(text="Ada", model="m-2026-01-01", deployment="fp_1", tokens={"prompt": 12, "completion": 3})
    assert sent(server) == {
        "model": "m",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": QUERY}],
        "temperature": 0.0,
        "seed": 7,
        "max_tokens": 50,
    }


def test_openai_receives_contexts_in_the_message():
    """Contexts are part of the message unchanged, including braces in them or in the query."""
    _, server = answered("openai", saying(completion("Ada")), CONTEXTS, contexts="{contexts}\n?? {query}")
    assert sent(server)["messages"] == [{"role": "user", "content": f"{CONTEXTS[0]}\n\n{CONTEXTS[1]}\n?? {QUERY}"}]


def test_openai_events_are_joined():
    """A streamed answer equals a complete one, including its usage."""
    answer, server = answered("openai", saying(stream("It ", "was", " Ada.")), stream=True)
    assert answer == Answer(
        text="It was Ada.", model="m-2026-01-01", deployment="fp_1", tokens={"prompt": 12, "completion": 3}
    )
    assert sent(server)["stream"] is True


STREAMS: dict[str, tuple[local_server.Answer, Reason]] = {
    "ended before [DONE]": (saying(stream("It", " was", done=False, finish="")), Reason.BROKEN),
    "cut in a piece": (cut(stream("It", " was")), Reason.BROKEN),
    "a chunk without a size": (raw(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nff\r\ndata"), Reason.BROKEN),
    "HTML": (reply(200, b"<html></html>"), Reason.MALFORMED),
    "no choice": (reply(200, b'data: {"choices": []}\n\ndata: [DONE]\n\n'), Reason.MALFORMED),
    "not JSON": (reply(200, b"data: {\n\ndata: [DONE]\n\n"), Reason.MALFORMED),
    "a slow stream": (trickle, Reason.TIMEOUT),
}


@pytest.mark.parametrize("case", STREAMS)
def test_a_truncated_stream_is_a_failure(case):
    """A truncated answer is a failure; otherwise it would be scored as a bad answer."""
    answer, reason = STREAMS[case]
    assert (
        refused("openai", answer, stream=True, timeout="200ms" if reason is Reason.TIMEOUT else "60s").reason is reason
    )


def test_an_openai_refusal_is_an_abstention():
    """The text of ``refusal`` is the answer: it is scored as an abstention and is not a failure."""
    answer, _ = answered("openai", saying(completion(None, refusal=REFUSAL)))
    assert answer.text == REFUSAL
    assert is_abstention(answer.text)
    assert not is_empty(answer.text)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({**completion("x"), "choices": []}, Reason.MALFORMED),
        ({**completion("x"), "choices": [{"text": "x"}]}, Reason.MALFORMED),
        ({**completion("x"), "choices": [{"message": {"content": ["x"]}}]}, Reason.MALFORMED),
        (completion("x", finish="content_filter"), Reason.REJECTED),
    ],
    ids=["no choice", "no message", "text is a list", "filtered"],
)
def test_an_openai_answer_without_its_text_is_a_failure(body, reason):
    """A response without a choice or text, or a filtered one, is a failure with its reason."""
    assert refused("openai", saying(body)).reason is reason


# --- HTTP


def test_templates_and_paths_define_request_and_answer():
    """Query and contexts fill the template; documents, citations, model and tokens are read by their paths."""
    response = {
        "out": {"text": "Ada", "by": "m1"},
        "used": [{"id": "d1"}, {"id": 7}],
        "cites": ["d1"],
        "usage": {"in": 5, "out": 2},
        "build": 31,
    }
    paths = {
        "answer": "out.text", "documents": "used[].id", "citations": "cites", "model": "out.by", "deployment": "build",
        "tokens": "usage.{prompt: in, completion: out}",
    }  # fmt: skip
    answer, server = answered(
        "http", reply(200, response), CONTEXTS, request={"q": "{query}"}, contexts_request=WITH_CONTEXTS, response=paths
    )
    assert answer == Answer(
        text="Ada",
        doc_ids=("d1", "7"),
        citations=("d1",),
        model="m1",
        deployment="31",
        tokens={"prompt": 5, "completion": 2},
    )
    assert sent(server) == {"question": QUERY, "passages": CONTEXTS}


def test_missing_fields_are_none():
    """A missing field is None, not an empty list, which would mean “no documents”."""
    assert answered("http", reply(200, {"answer": "Ada"}))[0] == Answer(text="Ada")


def test_a_list_that_holds_no_document_ids_is_a_failure():
    """Objects instead of ids are an error with the path."""
    error = refused("http", reply(200, {"answer": "Ada", "documents": [{"id": "d1"}]}))
    assert error.reason is Reason.MALFORMED
    assert "documents" in error.detail


def test_contexts_need_a_request_that_takes_them():
    """Contexts without contexts_request are an error, and no request is sent."""
    error = refused("http", reply(200, {"answer": "Ada"}), CONTEXTS)
    assert error.reason is Reason.REJECTED
    assert "contexts_request" in error.detail


@pytest.mark.parametrize(
    ("stream", "body"),
    [
        ("events", b': hi\r\nevent: token\r\ndata: {"answer": "It "}\r\n\r\ndata:{"answer": "was"}\r\n\r\n'
                   b'data: {"answer": " Ada", "model": "m1", "documents": ["d1"]}\r\n\r\ndata: [DONE]\r\n\r\n'),
        ("lines", b'{"answer": "It "}\n{"answer": "was"}\n\n{"answer": " Ada", "model": "m1", "documents": ["d1"]}\n'),
    ],
)  # fmt: skip
def test_streamed_events_are_joined(stream, body):
    """Events and JSON lines become one answer, with the metadata of the final event."""
    assert answered("http", reply(200, body), stream=stream)[0] == Answer(
        text="It was Ada", doc_ids=("d1",), citations=None, model="m1"
    )


def test_an_answer_beyond_the_limit_is_a_failure():
    """A response above ``max_body_bytes`` is an error with that key."""
    error = refused("http", reply(200, {"answer": LONG}), max_body_bytes=100_000)
    assert error.reason is Reason.MALFORMED
    assert "max_body_bytes" in error.detail


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"request": {"q": "fixed"}}, "{query}"),
        ({"contexts_request": {"question": "{query}"}}, "{contexts}"),
        ({"response": {"answer": "a["}}, "JMESPath"),
    ],
)
def test_a_template_without_its_placeholders_is_refused(section, message):
    """A template without its placeholders is rejected when the configuration is checked."""
    with pytest.raises(ConfigError) as caught:
        registry.resolve("answerer", {"kind": "http", "url": "http://127.0.0.1/", **section}, where="answerer")
    assert message in str(caught.value)
    assert str(caught.value).startswith("answerer")


def test_returned_contexts_are_read():
    """The texts that a service answered from are kept for a replay; anything else at the path is an error."""
    answer, _ = answered("http", reply(200, {"answer": "Ada", "read": ["a", "b"]}), response={"contexts": "read"})
    assert answer.contexts == ("a", "b")
    error = refused("http", reply(200, {"answer": "Ada", "read": [{"text": "a"}]}), response={"contexts": "read"})
    assert error.reason is Reason.MALFORMED
    assert "read" in error.detail


def test_a_plain_model_needs_contexts_unless_it_is_closed_book():
    """Only a service that retrieves by itself, or a model asked without retrieval, is sent the query alone."""
    section = {"kind": "openai", "base_url": "http://127.0.0.1:9/v1", "model": "m"}
    build = [registry.resolve("answerer", {**section, **more}, where="a") for more in ({}, {"closed_book": True})]
    assert [adapter.build().needs_contexts for adapter in build] == [True, False]
