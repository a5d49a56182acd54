"""Canary loading: documents beside those in production, written and removed through a target's own adapter."""

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
from tests.conftest import started
from tests.contract.local_server import Answer as Reply
from tests.contract.local_server import ReceivedRequest, reply, reset, serving, silence, unused_port

LOCAL = {"kind": "local", "corpus": ["x"]}
DOCUMENTS = [{"id": f"d{n}", "title": f"title {n}", "text": f"text {{id}} {n}"} for n in range(5)]


def build(
    url: str, *, path: str = "/documents", seed: dict[str, Any] | None = None, unseed: dict[str, Any] | None = None
) -> Any:
    """The HTTP retriever with templates for seeding, built from its configuration."""
    stated = {
        "kind": "http",
        "url": f"{url}/search",
        "timeout": "60s",
        "headers": {"x-key": "k"},
        "seed": {"url": f"{url}{path}", **(seed or {})},
        "unseed": {"url": f"{url}/documents/canary", **(unseed or {})},
    }
    return registry.resolve("retriever", stated, where="targets.t.retriever").build()


def asked_of(
    work: Callable[[Any], Awaitable[None]], answer: Reply | None = None, **options: Any
) -> list[ReceivedRequest]:
    """What a server is asked while a retriever is put to work."""

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
    """Remove them."""
    return retriever.unseed()


def test_the_http_retriever_is_seedable_and_still_a_retriever():
    """The port is fulfilled, and building alone asks nobody."""
    assert isinstance(build("http://127.0.0.1:1"), Seedable)
    assert isinstance(build("http://127.0.0.1:1"), Retriever)


def test_the_local_retriever_is_not_seedable():
    """The port is optional: not every retriever can take documents."""
    assert not isinstance(registry.resolve("retriever", LOCAL, where="t").build(), Seedable)


def test_every_document_arrives_once_in_batches():
    """Five documents in batches of two are three requests, in order, with the target's own headers."""
    asked = asked_of(seed, seed={"batch": 2})
    assert [(each.method, each.path, each.headers["x-key"]) for each in asked] == [("POST", "/documents", "k")] * 3
    batches = [json.loads(each.body)["documents"] for each in asked]
    assert [len(batch) for batch in batches] == [2, 2, 1]
    assert [document for batch in batches for document in batch] == DOCUMENTS


def test_a_template_puts_documents_where_the_target_wants_them():
    """The list of one item is repeated, at any depth; the rest is sent as it stands."""
    item = {"key": "{id}", "body": {"content": "{title}: {text}"}, "lang": "en"}
    asked = asked_of(seed, seed={"method": "PUT", "request": {"index": {"name": "canary", "upserts": [item]}}})
    sent = json.loads(asked[0].body)["index"]
    assert asked[0].method == "PUT"
    assert sent["name"] == "canary"
    assert sent["upserts"][2] == {"key": "d2", "body": {"content": "title 2: text {id} 2"}, "lang": "en"}


def test_a_target_without_lists_gets_a_request_for_each_document():
    """With ``batch: 1`` the id may stand in the URL; it is encoded there."""
    strange = [{"id": "a/b?c", "title": "", "text": "x"}]
    template = {"batch": 1, "request": {"text": "{text}"}}

    asked = asked_of(lambda retriever: retriever.seed(strange), path="/documents/{id}", seed=template)
    assert asked[0].path == "/documents/a%2Fb%3Fc"
    assert json.loads(asked[0].body) == {"text": "x"}


def test_removing_is_one_request():
    """The namespace goes as a whole, without a body unless one is stated."""
    (asked,) = asked_of(unseed)
    assert (asked.method, asked.path, asked.body) == ("DELETE", "/documents/canary", b"")
    (asked,) = asked_of(unseed, unseed={"method": "POST", "request": {"drop": "canary"}})
    assert (asked.method, json.loads(asked.body)) == ("POST", {"drop": "canary"})


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
def test_whatever_goes_wrong_is_a_retriever_error_with_its_reason(work, answer, reason):
    """Nothing else leaves the adapter, and no redirect is followed."""
    with pytest.raises(RetrieverError) as refused:
        asked_of(work, answer)
    assert refused.value.reason is reason


def test_a_target_that_nobody_runs_is_unreachable():
    """A wrong port is told as such."""

    async def ask() -> None:
        retriever = build(f"http://127.0.0.1:{unused_port()}")
        try:
            await retriever.unseed()
        finally:
            await retriever.close()

    with pytest.raises(RetrieverError, match="unreachable"):
        asyncio.run(ask())


def test_a_failure_half_way_says_how_much_arrived():
    """Whoever cleans up must know that something was written."""
    times = iter([reply(), reply(), reply(500)])

    async def answer(asked: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        await next(times)(asked, writer)

    with pytest.raises(RetrieverError, match=r"HTTP 500; 4 of 5 documents were written before"):
        asked_of(seed, answer, seed={"batch": 2})


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
def test_a_template_that_cannot_work_is_refused_by_its_key(template, told):
    """Before anything is sent, with the key."""
    with pytest.raises(ConfigError, match=told) as refused:
        build("http://127.0.0.1:1", seed=template)
    assert refused.value.where.startswith("targets.t.retriever.seed")


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A live retriever with two documents of its own."""
    folder = tmp_path_factory.mktemp("production")
    texts = {"p1": "The tram runs every hour.", "p2": "Tenants may keep a dog."}
    rows = [json.dumps({"_id": doc_id, "text": text}) for doc_id, text in texts.items()]
    (folder / "corpus.jsonl").write_text("\n".join(rows), encoding="utf-8")
    with started("tests/word_retriever.py", str(folder)) as said:
        yield said["url"]


def a_config(folder: Path, production: str, **retriever: Any) -> Path:
    """A configuration whose target ``canary`` searches a namespace of the live retriever."""
    canary = {
        "kind": "http",
        "url": f"{production}/search",
        "request": {"query": "{query}", "k": "{k}", "namespace": "recallwatch"},
        "seed": {
            "url": f"{production}/documents",
            "request": {"namespace": "recallwatch", "documents": [{each: f"{{{each}}}" for each in DOCUMENTS[0]}]},
        },
        "unseed": {"url": f"{production}/documents/recallwatch"},
        **retriever,
    }
    stated = {key: value for key, value in canary.items() if value is not None}
    path = folder / "recallwatch.yaml"
    path.write_text(yaml.safe_dump({"targets": {"canary": {"retriever": stated}}}), encoding="utf-8")
    return path


def hits(production: str, query: str, namespace: str = "") -> list[str]:
    """What the live retriever returns."""
    asked = {"query": query, "k": 3, "namespace": namespace}
    return [hit["id"] for hit in httpx.post(f"{production}/search", json=asked).json()["hits"]]


def load(config: Path, suite: str = "compositional", **kind: bool) -> Result:
    """Run the command."""
    return asyncio.run(seed_suite(config, suite, "canary", remove=kind.get("remove", False)))


def test_the_built_in_documents_go_beside_production_and_away_again(production, tmp_path):
    """Probes find them in their namespace; what users search stays as it was, before, during and after."""
    config = a_config(tmp_path, production)
    question = "Third-floor tenants can have pets as long as they register them."
    before = hits(production, question)
    answer = load(config)
    assert answer.data["documents"] == 1_980
    assert "negation-002a" in hits(production, question, "recallwatch")
    assert hits(production, question) == before == ["p2", "p1"]
    load(config, remove=True)
    assert hits(production, question, "recallwatch") == []
    assert hits(production, question) == before


def test_seeding_twice_is_seeding_once(production, tmp_path):
    """Documents keep their ids, so that an interrupted load can simply be run again."""
    config = a_config(tmp_path, production)
    load(config)
    load(config)
    found = hits(production, "enamel saucepan dishwasher", "recallwatch")
    assert len(set(found)) == len(found) == 3
    load(config, remove=True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seed": None}, r"targets\.canary\.retriever\.seed: is missing"),
        ({"unseed": None}, r"targets\.canary\.retriever\.unseed: is missing"),
    ],
)
def test_what_could_not_be_removed_is_not_written(production, tmp_path, options, told):
    """A target must say both how documents come and how they go."""
    with pytest.raises(ConfigError, match=told):
        load(a_config(tmp_path, production, **options))
    assert hits(production, "saucepan", "recallwatch") == []


def test_a_retriever_that_takes_no_documents_is_refused(production, tmp_path):
    """The in-process retriever has no namespace to write into."""
    config = tmp_path / "recallwatch.yaml"
    config.write_text(yaml.safe_dump({"targets": {"canary": {"retriever": LOCAL}}}), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"targets\.canary\.retriever\.kind: .*takes no documents"):
        load(config)


def test_a_suite_without_documents_is_refused(production, tmp_path):
    """There is nothing to write, and saying “0 documents written” would look like success."""
    suite = tmp_path / "suite"
    (suite / "qrels").mkdir(parents=True)
    (suite / "queries.jsonl").write_text('{"_id": "q", "text": "who?"}\n', encoding="utf-8")
    (suite / "qrels" / "test.tsv").write_text("q\td\t1\n", encoding="utf-8")
    with pytest.raises(SuiteError, match="nothing to write"):
        load(a_config(tmp_path, production), str(suite))


def test_the_command_asks_before_it_writes(production, tmp_path):
    """Without a yes nothing is sent."""
    config = a_config(tmp_path, production)
    asked = ["suite", "seed", "builtin:compositional", "--target", "canary", "--config", str(config)]
    answered = CliRunner().invoke(app, asked, input="n\n")
    assert answered.exit_code != 0
    assert hits(production, "saucepan", "recallwatch") == []
