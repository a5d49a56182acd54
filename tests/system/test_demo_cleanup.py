"""A demo that is killed leaves nothing behind: no service, no database server, no folder."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from monitor.demo.waiting import Narrator
from tests.conftest import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

DEMO = """
import asyncio, sys
from monitor.adapters.stores.embedded import EmbeddedPostgres
from monitor.demo.processes import demo_folder

async def main():
    with demo_folder() as folder:
        async with EmbeddedPostgres(folder / "data"):
            print(folder, flush=True)
            if sys.argv[1] == "wait":
                await asyncio.sleep(600)

asyncio.run(main())
"""


def _wait(is_done: Callable[[], bool], *, for_s: float = 60) -> bool:
    until = time.monotonic() + for_s
    while not is_done() and time.monotonic() < until:
        time.sleep(0.1)
    return is_done()


def _is_alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def _start(tmp_path: Path, how: str) -> tuple[subprocess.Popen[str], Path]:
    process = subprocess.Popen(
        [sys.executable, "-c", DEMO, how],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_demo_leaves_no_database_and_no_folder(tmp_path: Path, number: signal.Signals) -> None:
    """A separate process stops PostgreSQL and deletes the folder when the demo dies without cleaning up."""
    process, folder = _start(tmp_path, "wait")
    server = int((folder / "data" / "postgres" / "postmaster.pid").read_text().splitlines()[0])
    assert _is_alive(server)
    process.send_signal(number)
    process.communicate()
    assert _wait(lambda: not _is_alive(server) and not folder.exists())


def test_a_demo_that_ends_by_itself_cleans_up_by_itself(tmp_path: Path) -> None:
    """The folder is gone before the process ends."""
    process, folder = _start(tmp_path, "end")
    process.communicate()
    assert process.returncode == 0
    assert not folder.exists()


def test_the_service_ends_with_the_demo() -> None:
    """Even while it embeds documents: the end of its standard input is enough."""
    service = subprocess.Popen(
        [sys.executable, "-m", "monitor.demo.service", "--child", "probes/broad"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
    )
    assert service.stdout is not None
    service.stdout.readline()  # the first documents are embedded, the others are not
    assert service.poll() is None
    service.communicate()
    assert service.returncode == 0


def test_a_wait_without_a_terminal_prints_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line with the progress and the seconds, so that a log shows that the demo is alive."""
    from rich.console import Console

    monkeypatch.setattr("monitor.demo.waiting.LINE_EVERY_S", 0.0)
    console = Console(record=True, width=80, force_terminal=False)
    with Narrator(console).step("swap", "A swap") as progress:
        progress("12 requests answered")
    text = console.export_text()
    assert "▸ A swap" in text
    assert "12 requests answered, 0 s" in text
