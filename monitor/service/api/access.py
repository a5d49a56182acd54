"""Who sends a request, and whether they may: tokens, sign-in by a proxy, and limits on requests and guesses."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hmac import compare_digest

import structlog
from starlette.requests import Request

from monitor.config.config import Server
from monitor.model.access import Caller, Scope, Token
from monitor.ports.ledger import LedgerStore
from monitor.service import tokens
from monitor.service.api.problems import RefusedError

_LOG = structlog.get_logger(__name__)

_MINUTE = timedelta(minutes=1)
_MAX_SOURCES = 10_000
_TOUCH_EVERY = timedelta(minutes=1)
_CONFIGURED = "server.token"


@dataclass(slots=True)
class Limiter:
    """Counts events by source within the past minute."""

    per_minute: int
    _times: dict[str, deque[datetime]] = field(default_factory=dict)

    def wait_s(self, source: str, now: datetime) -> int:
        """Seconds until the source may try again; 0 if it may now."""
        times = self._times.get(source)
        while times and now - times[0] >= _MINUTE:
            times.popleft()
        if not times or len(times) < self.per_minute:
            return 0
        return max(1, round((_MINUTE - (now - times[0])).total_seconds()))

    def count(self, source: str, now: datetime) -> None:
        """Count one event. Of too many sources, the one that was silent for longest is forgotten."""
        times = self._times.pop(source, None) or deque(maxlen=self.per_minute)
        times.append(now)
        self._times[source] = times  # the last: sources are ordered by their latest event
        while len(self._times) > _MAX_SOURCES or self._is_over(next(iter(self._times)), now):
            del self._times[next(iter(self._times))]

    def _is_over(self, source: str, now: datetime) -> bool:
        times = self._times[source]
        return not times or now - times[-1] >= _MINUTE


@dataclass(slots=True)
class Guard:
    """Authenticates requests, and limits how many a caller sends."""

    store: Callable[[], LedgerStore]
    server: Callable[[], Server]
    now: Callable[[], datetime]
    _requests: Limiter = field(init=False)
    _failures: Limiter = field(init=False)
    _touched: dict[str, datetime] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._requests = Limiter(self.server().requests_per_minute)
        self._failures = Limiter(self.server().wrong_tokens_per_minute)

    async def admit(self, request: Request, scope: Scope) -> Caller:
        """The caller of a request. Raises RefusedError unless they are known, may do this, and are within limits."""
        address = _address(request)
        self.refuse_guessing(request)
        self._refuse_excess(self._requests, f"address {address}", "too many requests from this address")
        caller = await self._authenticate(request, address)
        self._refuse_excess(self._requests, caller.name, "too many requests with this token")
        self._requests.count(caller.name, self.now())
        if not caller.may(scope):
            raise RefusedError(403, f"this needs the scope {scope}; {caller.name} has {_listed(caller)}")
        return caller

    def refuse_guessing(self, request: Request) -> None:
        """Raise RefusedError if the sender guessed too often."""
        self._refuse_excess(self._failures, _address(request), "too many wrong secrets from this address")

    def count_failure(self, request: Request) -> None:
        """Count a wrong token or signature."""
        self._failures.count(_address(request), self.now())

    async def _authenticate(self, request: Request, address: str) -> Caller:
        if (person := self._signed_in(request, address)) is not None:
            return person
        kind, _, credentials = request.headers.get("authorization", "").partition(" ")
        caller = await self._caller_of(credentials.strip()) if kind.lower() == "bearer" else None
        if caller is None:
            now = self.now()
            self._requests.count(f"address {address}", now)
            if credentials:
                self.count_failure(request)
                _LOG.warning("token_refused", address=address, path=request.url.path)
            raise RefusedError(
                401, "send a valid token as Authorization: Bearer …", {"www-authenticate": 'Bearer realm="recallwatch"'}
            )
        return caller

    async def _caller_of(self, credentials: str) -> Caller | None:
        configured = self.server().secret
        if configured and compare_digest(credentials.encode(), configured.encode()):
            return Caller(_CONFIGURED, frozenset({Scope.READ, Scope.DEPLOY}))
        parts = tokens.split(credentials)
        if parts is None:
            return None
        token_id, secret = parts
        token = await self.store().token(token_id)
        if token is None or not tokens.is_secret_of(secret, token) or not token.is_valid(self.now()):
            return None
        await self._touch(token)
        return Caller(f"{token.name} ({token.token_id})", frozenset(token.scopes))

    async def _touch(self, token: Token) -> None:
        """Store the last use, at most once a minute."""
        now = self.now()
        if now - self._touched.get(token.token_id, now - _MINUTE) >= _TOUCH_EVERY:
            self._touched[token.token_id] = now
            await self.store().touch_token(token.token_id, now)

    def _signed_in(self, request: Request, address: str) -> Caller | None:
        """The person that a proxy of the configuration names; a write must come from a page of this server."""
        options = self.server().sign_in
        if options is None or address not in options.proxies:
            return None
        name = request.headers.get(options.header, "").strip()
        if not name:
            return None
        if request.method != "GET" and request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
            raise RefusedError(403, "a page of another site sent this request")
        return Caller(name[:200], frozenset(options.scopes))

    def _refuse_excess(self, limiter: Limiter, source: str, problem: str) -> None:
        wait_s = limiter.wait_s(source, self.now())
        if wait_s:
            if limiter is self._failures:
                _LOG.warning("token_guessing_limited", address=source, retry_after_s=wait_s)
            raise RefusedError(429, f"{problem}; try again in {wait_s} s", {"retry-after": str(wait_s)})


def _address(request: Request) -> str:
    return request.client.host if request.client else "unknown"


def _listed(caller: Caller) -> str:
    return ", ".join(sorted(caller.scopes)) or "none"
