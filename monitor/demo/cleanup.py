"""Cleaning up after a demo that was killed: a process that outlives it stops PostgreSQL and deletes the folder.

    python -m monitor.demo.cleanup FOLDER       waits for the end of its standard input

The demo writes `DONE` when it has cleaned up by itself. If it is killed, the kernel closes the pipe without that word.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

DONE = b"done"
ATTEMPTS, WAIT_S = 40, 0.25
"""A server that was still starting needs some seconds until it can be stopped."""


def exit_with_parent() -> None:
    """End this process as soon as its standard input ends, at any point of its work."""

    def wait() -> None:
        sys.stdin.buffer.read()
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()


def clean_up(folder: Path) -> None:
    """Stop the PostgreSQL server under a folder, and delete the folder."""
    for _ in range(ATTEMPTS):
        pids = [pid for file in folder.rglob("postmaster.pid") if (pid := _pid(file))]
        if not pids and not folder.exists():
            return
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGQUIT)
        if not pids:
            shutil.rmtree(folder, ignore_errors=True)
        time.sleep(WAIT_S)
    shutil.rmtree(folder, ignore_errors=True)


def _pid(file: Path) -> int | None:
    """The process id in the lock file of a running server."""
    try:
        pid = int(file.read_text().split("\n", 1)[0])
        os.kill(pid, 0)
    except (OSError, ValueError):
        return None
    return pid


if __name__ == "__main__":
    if sys.stdin.buffer.read() != DONE:
        clean_up(Path(sys.argv[1]))
