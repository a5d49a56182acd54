"""Runs that a crash left behind, and how to recognise them."""

from __future__ import annotations

import os
import socket
from datetime import datetime, timedelta
from pathlib import Path

from monitor.model.runs import Run, RunStatus
from monitor.ports.store import Store

FORGOTTEN_AFTER = timedelta(hours=6)
"""A run of another host that is still running after this long was left behind."""


async def close_abandoned_runs(store: Store, *, now: datetime) -> list[Run]:
    """Mark the runs that a crash left behind as interrupted, and return them."""
    running = await store.list_runs(limit=1_000, status=RunStatus.RUNNING)
    return [run for run in running if _is_abandoned(run, now) and await store.interrupt_run(run.run_id, now)]


def this_process() -> str:
    """Host, process and when it started: what a run says about who replays it."""
    return f"{socket.gethostname()}/{os.getpid()}/{_started(os.getpid())}"


def _is_abandoned(run: Run, now: datetime) -> bool:
    host, _, process = run.owner.partition("/")
    if host != socket.gethostname():
        return now - run.started_at > FORGOTTEN_AFTER
    pid, _, started = process.partition("/")
    return not pid.isdigit() or _started(int(pid)) != started


def _started(pid: int) -> str:
    """When a process started, in ticks since boot; empty if there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return _started_without_proc(pid)


def _started_without_proc(pid: int) -> str:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except OSError:
        return "alive"
    return "alive"
