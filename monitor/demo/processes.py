"""The folder and the processes of a demo. None of them remains when the demo ends, however it ends."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

from monitor.demo.cleanup import DONE
from monitor.errors import MonitorError

DAEMON_LOG, SERVICE_LOG, DATA = "daemon.log", "service.log", "data"


@contextmanager
def demo_folder() -> Iterator[Path]:
    """A folder for data and logs, deleted at the end; another process deletes it if this one is killed."""
    folder = Path(tempfile.mkdtemp(prefix="recallwatch-demo-"))
    guard = subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-m", "monitor.demo.cleanup", str(folder)], stdin=subprocess.PIPE, start_new_session=True
    )
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        with suppress(BrokenPipeError):
            guard.communicate(DONE)


def keep_logs(folder: Path) -> Path:
    """A copy of the logs that the end of the demo does not delete."""
    copy = Path(tempfile.mkdtemp(prefix="recallwatch-demo-log-"))
    for name in (DAEMON_LOG, SERVICE_LOG):
        with suppress(FileNotFoundError):
            shutil.copy(folder / name, copy)
    return copy


@asynccontextmanager
async def started_service(
    suites: Sequence[Path], log: Path, progress: Callable[[str], None], *, is_fast: bool = False
) -> AsyncIterator[str]:
    """The service as a process that ends with this one; yields its URL when it is ready."""
    with log.open("w") as errors:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "monitor.demo.service", "--child", *(["--fast"] if is_fast else []),
            *map(str, suites),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=errors,
        )  # fmt: skip
    try:
        yield await _url(process, log, progress)
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()


async def _url(process: asyncio.subprocess.Process, log: Path, progress: Callable[[str], None]) -> str:
    """Read the lines of the service until it prints its URL."""
    while process.stdout and (line := await process.stdout.readline()):
        status: dict[str, Any] = json.loads(line)
        if url := status.get("url"):
            return str(url)
        progress(str(status["status"]))
    await process.wait()
    raise MonitorError(f"the demo's retriever did not start: {_last_line(log)}")


def _last_line(log: Path) -> str:
    return (log.read_text(errors="replace").strip().splitlines() or ["it printed no error"])[-1]
