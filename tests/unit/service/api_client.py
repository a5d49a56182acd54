"""The API over a store in memory: requests without a network."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from monitor.adapters.exporters.prometheus import Metrics
from monitor.adapters.stores.memory.ledger import MemoryLedgerStore
from monitor.config.config import Config, validate
from monitor.model.access import Scope
from monitor.service import wiring
from monitor.service.api.access import Guard
from monitor.service.api.app import create_app
from monitor.service.api.backend import Backend
from monitor.service.api.gate_runner import GateRunner
from monitor.service.readiness import Readiness
from monitor.service.tokens import new_token

NOW = datetime(2026, 1, 2, tzinfo=UTC)
CONFIG = {
    "targets": {
        "docs": {"retriever": {"kind": "http", "url": "http://127.0.0.1:9/search"}},
        "shop": {"retriever": {"kind": "http", "url": "http://127.0.0.1:9/search"}, "owner": "search"},
    },
    "schedules": {"daily": {"target": "docs", "suites": ["broad"], "every": "1d"}},
    "server": {"token": "a-token"},
}
EVERYTHING = tuple(Scope)


@dataclass
class Api:
    """The application, its store and a clock that tests move."""

    config: Mapping[str, Any] = field(default_factory=lambda: CONFIG)
    store: MemoryLedgerStore = field(default_factory=MemoryLedgerStore)
    now: datetime = NOW
    address: str = "10.0.0.7"

    def __post_init__(self) -> None:
        checked = wiring.assemble(validate(Config, self.config, where=""))
        self.backend = Backend(
            store=lambda: self.store,
            checked=lambda: checked,
            now=lambda: self.now,
            guard=Guard(lambda: self.store, lambda: checked.config.server, lambda: self.now),
            gates=GateRunner(lambda: self.store, lambda: checked, lambda: self.now),
        )
        self.app = create_app(Metrics(), Readiness(), self.backend)

    async def token(self, *scopes: Scope, expires_in: timedelta | None = None) -> str:
        """A new token as a header sends it."""
        expires_at = self.now + expires_in if expires_in else None
        token, text = new_token("ci", scopes or EVERYTHING, by="ada", at=self.now, expires_at=expires_at)
        await self.store.add_token(token)
        return f"Bearer {text}"

    async def send(
        self, method: str, path: str, body: Any = None, *, token: str | None = None, headers: Mapping[str, str] = {}
    ) -> httpx.Response:
        """The response to one request; bytes are sent as they are, anything else as JSON."""
        content = {"content": body} if isinstance(body, bytes) else {"json": body} if body is not None else {}
        transport = httpx.ASGITransport(self.app, client=(self.address, 4_000), raise_app_exceptions=False)
        authorization = {"authorization": token} if token else {}
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            return await client.request(method, f"/api/v1{path}", headers={**authorization, **headers}, **content)


def with_api(body: Callable[[Api], Coroutine[Any, Any, Any]], **options: Any) -> Any:
    """The result of a coroutine over an API of its own."""
    return asyncio.run(body(Api(**options)))
