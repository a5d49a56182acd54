"""The adapters of the daemon's targets, kept over a reload where nothing about them changed."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from monitor.errors import MonitorError
from monitor.service import wiring


@dataclass(slots=True)
class AdaptersInUse:
    """The adapters in use, by target."""

    clients: Mapping[str, wiring.TargetClients] = field(default_factory=dict)
    _identities: Mapping[str, Any] = field(default_factory=dict)

    def connect(self, checked: wiring.CheckedConfig) -> Mapping[str, wiring.TargetClients]:
        """Adapters for every target of a configuration: those in use where they are the same, else new ones."""
        identities = {name: _identity(checked, name) for name in checked.retrievers}
        return {
            name: self.clients[name] if self._identities.get(name) == identity else wiring.connect(checked, name)
            for name, identity in identities.items()
        }

    async def switch(self, checked: wiring.CheckedConfig, clients: Mapping[str, wiring.TargetClients]) -> None:
        """Use these adapters from now on, and close the ones that they replace."""
        current = {id(each) for each in clients.values()}
        unused = [each for each in self.clients.values() if id(each) not in current]
        self.clients = clients
        self._identities = {name: _identity(checked, name) for name in clients}
        for target in unused:
            await target.close()

    async def close(self) -> None:
        """Close every adapter."""
        clients, self.clients = self.clients, {}
        for target in clients.values():
            with suppress(MonitorError):
                await target.close()


def _identity(checked: wiring.CheckedConfig, target: str) -> Any:
    """Everything that an adapter is built from, with the state of the files that it names, such as a rotated secret."""
    specs = [specs.get(target) for specs in (checked.retrievers, checked.answerers, checked.judges)]
    options = [each.options.model_dump() for each in specs if each is not None]
    return specs, checked.config.targets[target].limits, [_changed_at(each) for each in _paths(options)]


def _paths(value: Any) -> list[Path]:
    if isinstance(value, Path):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return [path for each in inner for path in _paths(each)]


def _changed_at(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
