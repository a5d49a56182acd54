"""Canary documents: written beside production documents and removed through the target's adapter."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from typer.testing import CliRunner

from monitor.adapters import registry
from monitor.cli.main import app
from monitor.cli.result import Result
from monitor.cli.suite_seed import seed_suite
from monitor.errors import ConfigError, Reason, RetrieverError, SuiteError
from monitor.ports.targets import Retriever, Seedable
from monitor.suites.locating import built_in_probes
from monitor.suites.reading import read_corpus
from tests.conftest import started
from tests.contract.local_server import Answer as Reply
from tests.contract.local_server import ReceivedRequest, reply, reset, serving, silence, unused_port

LOCAL = {"kind": "local", "corpus": ["x"]}
DOCUMENTS = [{"id": f"d{n}", "title": f"title {n}", "text": f"text {{id}} {n}"} for n in range(5)]


def build(
    url: str,
    *,
    path: str = "/documents",
    seed: dict[str, Any] | None = None,
    unseed: dict[str, Any] | None = None,
    timeout: str = "60s",
) -> Any:
    """The HTTP retriever with templates for seeding, built from its configuration."""
    section = {
        "kind": "http",
        "url": f"{url}/search",
        "timeout": timeout,
        "headers": {"x-key": "k"},
        "seed": {"url": f"{url}{path}", **(seed or {})},
        "unseed": {"url": f"{url}/documents/canary", **(unseed or {})},
    }
    return registry.resolve("retriever", section, where="targets.t.retriever").build()


def requests_of(
    work: Callable[[Any], Awaitable[None]], answer: Reply | None = None, **options: Any
) -> list[ReceivedRequest]:
    """The requests that an action of the retriever sends."""

    async def run() -> list[ReceivedRequest]:
        async with serving(answer or reply()) as server:
            retriever = build(server.url(""), **options)
            try:
                await work(retriever)
            finally:
                await retriever.close()
            return server.requests

    return asyncio.run(run())


def seed(retriever: Any) -> Awaitable[None]:
    """Write the documents."""
    return retriever.seed(DOCUMENTS)


def unseed(retriever: Any) -> Awaitable[None]:
    """Delete the documents."""
    return retriever.unseed()


def test_the_http_retriever_is_seedable_and_still_a_retriever():
    """The retriever implements the port, and building it sends no request."""
    assert isinstance(build("http://127.0.0.1:1"), Seedable)
    assert isinstance(build("http://127.0.0.1:1"), Retriever)


def test_the_local_retriever_is_not_seedable():
    """The port is optional: the local retriever takes no documents."""
    assert not isinstance(registry.resolve("retriever", LOCAL, where="t").build(), Seedable)


def test_every_document_arrives_once_in_batches():
    """Five documents in batches of two are three requests, in order, with the target's own headers."""
    requests = requests_of(seed, seed={"batch": 2})
    heads = [(request.method, request.path, request.headers["x-key"]) for request in requests]
    assert heads == [("POST", "/documents", "k")] * 3
    batches = [json.loads(request.body)["documents"] for request in requests]
    assert [len(batch) for batch in batches] == [2, 2, 1]
    assert [document for batch in batches for document in batch] == DOCUMENTS


def test_a_template_defines_the_request():
    """The list of one item is repeated, at any depth; the rest is sent unchanged."""
    item = {"key": "{id}", "body": {"content": "{title}: {text}"}, "lang": "en"}
    requests = requests_of(seed, seed={"method": "PUT", "request": {"index": {"name": "canary", "upserts": [item]}}})
    sent = json.loads(requests[0].body)["index"]
    assert requests[0].method == "PUT"
    assert sent["name"] == "canary"
    assert sent["upserts"][2] == {"key": "d2", "body": {"content": "title 2: text {id} 2"}, "lang": "en"}


def test_a_target_without_lists_gets_a_request_for_each_document():
    """With ``batch: 1`` the URL may contain the id, percent-encoded."""
    strange = [{"id": "a/b?c", "title": "", "text": "x"}]
    template = {"batch": 1, "request": {"text": "{text}"}}

    requests = requests_of(lambda retriever: retriever.seed(strange), path="/documents/{id}", seed=template)
    assert requests[0].path == "/documents/a%2Fb%3Fc"
    assert json.loads(requests[0].body) == {"text": "x"}


def test_removing_is_one_request():
    """The whole namespace is deleted with one request, without a body by default."""
    (request,) = requests_of(unseed)
    assert (request.method, request.path, request.body) == ("DELETE", "/documents/canary", b"")
    (request,) = requests_of(unseed, unseed={"method": "POST", "request": {"drop": "canary"}})
    assert (request.method, json.loads(request.body)) == ("POST", {"drop": "canary"})


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (reply(401), Reason.UNAUTHORISED),
        (reply(404), Reason.REJECTED),
        (reply(429), Reason.RATE_LIMITED),
        (reply(503), Reason.BROKEN),
        (reply(302, headers={"location": "http://127.0.0.1:1/"}), Reason.REJECTED),
        (reset, Reason.BROKEN),
        (silence, Reason.TIMEOUT),
    ],
)
@pytest.mark.parametrize("work", [seed, unseed])
def test_every_fault_is_a_retriever_error_with_its_reason(work, answer, reason):
    """No other exception leaves the adapter, and no redirect is followed."""
    with pytest.raises(RetrieverError) as refused:
        requests_of(work, answer, timeout="300ms" if reason is Reason.TIMEOUT else "60s")
    assert refused.value.reason is reason


def test_a_port_without_a_listener_is_unreachable():
    """A refused connection is unreachable."""

    async def ask() -> None:
        retriever = build(f"http://127.0.0.1:{unused_port()}")
        try:
            await retriever.unseed()
        finally:
            await retriever.close()

    with pytest.raises(RetrieverError, match="unreachable"):
        asyncio.run(ask())


def test_a_partial_failure_names_the_number_of_written_documents():
    """The error contains the number of documents to clean up."""
    replies = iter([reply(), reply(), reply(500)])

    async def answer(request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        await next(replies)(request, writer)

    with pytest.raises(RetrieverError, match=r"HTTP 500; 4 of 5 documents were written before"):
        requests_of(seed, answer, seed={"batch": 2})


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ({"request": {"documents": []}}, "no document is sent"),
        ({"request": {"id": "{id}"}}, "set batch: 1"),
        ({"batch": 0}, "batch"),
        ({"url": "documents"}, "is not a URL"),
        ({"methd": "PUT"}, "did you mean method"),
    ],
)
def test_a_template_that_cannot_work_is_refused_by_its_key(template, message):
    """The error contains the key, and no request is sent."""
    with pytest.raises(ConfigError, match=message) as refused:
        build("http://127.0.0.1:1", seed=template)
    assert refused.value.where.startswith("targets.t.retriever.seed")


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A live retriever with two documents."""
    folder = tmp_path_factory.mktemp("production")
    texts = {"p1": "The tram runs every hour.", "p2": "Tenants may keep a dog."}
    rows = [json.dumps({"_id": doc_id, "text": text}) for doc_id, text in texts.items()]
    (folder / "corpus.jsonl").write_text("\n".join(rows), encoding="utf-8")
    with started("tests/word_retriever.py", str(folder)) as ready:
        yield ready["url"]


def a_config(folder: Path, production: str, **retriever: Any) -> Path:
    """A configuration whose target ``canary`` searches a namespace of the live retriever."""
    canary = {
        "kind": "http",
        "url": f"{production}/search",
        "request": {"query": "{query}", "k": "{k}", "namespace": "recallwatch"},
        "seed": {
            "url": f"{production}/documents",
            "request": {"namespace": "recallwatch", "documents": [{name: f"{{{name}}}" for name in DOCUMENTS[0]}]},
        },
        "unseed": {"url": f"{production}/documents/recallwatch"},
        **retriever,
    }
    section = {key: value for key, value in canary.items() if value is not None}
    path = folder / "recallwatch.yaml"
    path.write_text(yaml.safe_dump({"targets": {"canary": {"retriever": section}}}), encoding="utf-8")
    return path


def hits(production: str, query: str, namespace: str = "") -> list[str]:
    """Ids that the live retriever returns."""
    request = {"query": query, "k": 3, "namespace": namespace}
    return [hit["id"] for hit in httpx.post(f"{production}/search", json=request).json()["hits"]]


def load(config: Path, suite: str = "compositional", **kind: bool) -> Result:
    """Run the command."""
    return asyncio.run(seed_suite(config, suite, "canary", remove=kind.get("remove", False)))


def test_documents_are_written_beside_production_and_removed(production, tmp_path):
    """Probes find the documents in their namespace; results of production searches do not change."""
    config = a_config(tmp_path, production)
    question = "Third-floor tenants can have pets as long as they register them."
    before = hits(production, question)
    answer = load(config)
    assert answer.data["documents"] == sum(1 for _ in read_corpus(built_in_probes() / "compositional"))
    assert "negation-002a" in hits(production, question, "recallwatch")
    assert hits(production, question) == before == ["p2", "p1"]
    load(config, remove=True)
    assert hits(production, question, "recallwatch") == []
    assert hits(production, question) == before


def test_seeding_is_idempotent(production, tmp_path):
    """Documents keep their ids, so that an interrupted load can be repeated."""
    config = a_config(tmp_path, production)
    load(config)
    load(config)
    doc_ids = hits(production, "enamel saucepan dishwasher", "recallwatch")
    assert len(set(doc_ids)) == len(doc_ids) == 3
    load(config, remove=True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seed": None}, r"targets\.canary\.retriever\.seed: is missing"),
        ({"unseed": None}, r"targets\.canary\.retriever\.unseed: is missing"),
    ],
)
def test_seeding_needs_a_way_to_remove(production, tmp_path, options, message):
    """A target must configure both seed and unseed."""
    with pytest.raises(ConfigError, match=message):
        load(a_config(tmp_path, production, **options))
    assert hits(production, "saucepan", "recallwatch") == []


def test_a_retriever_that_takes_no_documents_is_refused(production, tmp_path):
    """The local retriever has no namespace."""
    config = tmp_path / "recallwatch.yaml"
    config.write_text(yaml.safe_dump({"targets": {"canary": {"retriever": LOCAL}}}), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"targets\.canary\.retriever\.kind: .*takes no documents"):
        load(config)


def test_a_suite_without_documents_is_refused(production, tmp_path):
    """A suite without documents is an error; “0 documents written” would look like success."""
    suite = tmp_path / "suite"
    (suite / "qrels").mkdir(parents=True)
    (suite / "queries.jsonl").write_text('{"_id": "q", "text": "who?"}\n', encoding="utf-8")
    (suite / "qrels" / "test.tsv").write_text("q\td\t1\n", encoding="utf-8")
    with pytest.raises(SuiteError, match="nothing to write"):
        load(a_config(tmp_path, production), str(suite))


def test_the_command_prompts_before_it_writes(production, tmp_path):
    """Without confirmation no request is sent."""
    config = a_config(tmp_path, production)
    arguments = ["suite", "seed", "builtin:compositional", "--target", "canary", "--config", str(config)]
    result = CliRunner().invoke(app, arguments, input="n\n")
    assert result.exit_code != 0
    assert hits(production, "saucepan", "recallwatch") == []
