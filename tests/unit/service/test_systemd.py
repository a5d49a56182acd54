"""systemd hears when the daemon is ready, reloads, stops, and lives."""

import asyncio
import socket
from pathlib import Path

import pytest

from monitor.service import systemd


@pytest.fixture
def channel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> socket.socket:
    """The socket on which systemd listens."""
    path = tmp_path / "notify"
    receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    receiver.bind(str(path))
    receiver.settimeout(60)
    monkeypatch.setenv("NOTIFY_SOCKET", str(path))
    return receiver


def test_states_arrive(channel: socket.socket) -> None:
    """Ready and reloading are messages as systemd defines them."""
    with channel:
        systemd.notify("READY=1")
        systemd.notify_reloading()
        assert channel.recv(100) == b"READY=1"
        assert channel.recv(100).startswith(b"RELOADING=1\nMONOTONIC_USEC=")


def test_signs_of_life_come_twice_in_each_interval(channel: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    """With an interval of 20 ms, several arrive while the event loop runs."""
    monkeypatch.setenv("WATCHDOG_USEC", "20000")

    async def live() -> None:
        keeping = asyncio.create_task(systemd.keep_watchdog_forever())
        messages = [await asyncio.to_thread(channel.recv, 100) for _ in range(3)]
        keeping.cancel()
        assert messages == [b"WATCHDOG=1"] * 3

    with channel:
        asyncio.run(live())


def test_nothing_happens_without_systemd(monkeypatch: pytest.MonkeyPatch) -> None:
    """Elsewhere a state goes nowhere, and the watchdog ends at once."""
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)
    systemd.notify("READY=1")
    asyncio.run(systemd.keep_watchdog_forever())
