"""The parts of the daemon that the pages use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from monitor.config.config import Config
from monitor.ports.store import Store
from monitor.service.wiring import CheckedConfig


class ServiceBackend(Protocol):
    """The parts of the daemon that its whole server uses."""

    @property
    def store(self) -> Callable[[], Any]:
        """The open store. Raises StoreError while it is not open."""
        ...

    @property
    def checked(self) -> Callable[[], CheckedConfig]:
        """The configuration in force."""
        ...

    @property
    def now(self) -> Callable[[], datetime]:
        """The clock."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PagesBackend:
    """The store and the configuration behind the pages."""

    store: Callable[[], Store]
    """Raises StoreError while the store is not open."""
    config: Callable[[], Config]
    now: Callable[[], datetime]
    notifiers: Callable[[], Mapping[str, Any]] = dict
    """Options of the notifiers of the configuration, by name."""
    wake: Callable[[], None] = lambda: None
    """Called when alerts may have been queued."""


def pages_of(backend: ServiceBackend) -> PagesBackend:
    """The backend of the pages; the outbox finds their alerts at its next poll, within a second."""
    return PagesBackend(
        store=backend.store,
        config=lambda: backend.checked().config,
        now=backend.now,
        notifiers=lambda: {name: adapter.options for name, adapter in backend.checked().notifiers.items()},
    )
