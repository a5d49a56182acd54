"""The contract checks that plug-ins run hold for built-in adapters, and fail for broken ones."""

import asyncio
import json
import sys
from typing import Any

import pytest

from monitor.adapters import registry
from monitor.errors import NotifierError, Reason
from monitor.model.alerts import Alert
from monitor.model.runs import Ranking
from monitor.testing import notifiers, retrievers
from tests.contract.fakes import SERVICES, Service
from tests.contract.local_server import Answer, ReceivedRequest, reply, serving, unused_port
from tests.contract.test_process_lines import ANSWERS


def build(port: str, /, **options: Any) -> Any:
    """An adapter, built as a configuration would build it."""
    return registry.resolve(port, {"timeout": "60s", **options}, where=port).build()


def answer_k_hits() -> Answer:
    """Answer with as many hits as the request names."""

    async def answer(request: ReceivedRequest, writer: asyncio.StreamWriter) -> None:
        k = json.loads(request.body)["k"]
        await reply(body={"hits": [{"id": f"d{rank}", "score": 1 / (rank + 1)} for rank in range(k)]})(request, writer)

    return answer


@pytest.mark.parametrize("check", retrievers.CHECKS, ids=lambda check: check.__name__)
def test_the_http_retriever_keeps_the_shipped_contract(check: retrievers.Check) -> None:
    """The HTTP retriever passes the checks for any retriever."""

    async def run() -> None:
        async with serving(answer_k_hits()) as server:
            await check(lambda: build("retriever", kind="http", url=server.url()))

    asyncio.run(run())


@pytest.mark.parametrize("check", retrievers.CHECKS, ids=lambda check: check.__name__)
def test_the_process_retriever_keeps_the_shipped_contract(check: retrievers.Check) -> None:
    """The process retriever passes the checks for any retriever."""
    command = [sys.executable, "-S", "-c", ANSWERS]
    asyncio.run(check(lambda: build("retriever", kind="process", command=command)))


@pytest.mark.parametrize("check", retrievers.UNREACHABLE_CHECKS, ids=lambda check: check.__name__)
def test_an_unreachable_http_retriever_keeps_the_shipped_contract(check: retrievers.Check) -> None:
    """A port without a server is a RetrieverError."""
    url = f"http://127.0.0.1:{unused_port()}"
    asyncio.run(check(lambda: build("retriever", kind="http", url=url)))


@pytest.mark.parametrize("check", notifiers.CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("service", SERVICES.values(), ids=list(SERVICES))
def test_every_notifier_keeps_the_shipped_contract(service: Service, check: notifiers.Check) -> None:
    """Each built-in notifier passes the checks for any notifier, against a fake of its service."""

    async def run() -> None:
        async with service.running() as fake:
            await check(lambda: build("notifier", **fake.options))

    asyncio.run(run())


class BrokenRetriever:
    """A retriever that returns one document twice, however few are requested."""

    concurrency = 1

    async def retrieve(self, query: str, k: int) -> Ranking:
        """The same document, three times."""
        return Ranking(doc_ids=("d1", "d1", "d1"))

    async def close(self) -> None:
        """Nothing to close."""


def test_a_broken_retriever_fails_the_checks() -> None:
    """The checks can fail: too many documents are found out."""
    with pytest.raises(AssertionError, match="3 documents for k = 1"):
        asyncio.run(retrievers.returns_at_most_k_documents(BrokenRetriever))


class ForgetfulNotifier:
    """A notifier that refuses the second alert."""

    def __init__(self) -> None:
        self.n_alerts = 0

    async def notify(self, alert: Alert) -> None:
        """Accept one alert."""
        self.n_alerts += 1
        if self.n_alerts > 1:
            raise NotifierError(Reason.REJECTED, "a repeat")

    async def close(self) -> None:
        """Nothing to close."""


def test_a_broken_notifier_fails_the_checks() -> None:
    """The checks can fail: a notifier that takes no repeat breaks the contract."""
    with pytest.raises(NotifierError, match="a repeat"):
        asyncio.run(notifiers.accepts_repeats(ForgetfulNotifier))
