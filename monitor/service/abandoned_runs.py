"""Runs that a crash left in the status ``running``."""

from __future__ import annotations

import os
import socket
from datetime import datetime, timedelta
from pathlib import Path

from monitor.model.runs import Run, RunStatus
from monitor.ports.store import Store

ABANDONED_AFTER = timedelta(hours=6)
"""A run of another host that has been running for longer counts as abandoned."""


async def close_abandoned_runs(store: Store, *, now: datetime) -> list[Run]:
    """Mark abandoned runs as interrupted, and return them."""
    running = await store.list_runs(limit=1_000, status=RunStatus.RUNNING)
    return [run for run in running if _is_abandoned(run, now) and await store.interrupt_run(run.run_id, now)]


def this_process() -> str:
    """Host, process id and start time of this process, which a run stores as its owner."""
    return f"{socket.gethostname()}/{os.getpid()}/{_start_time(os.getpid())}"


def _is_abandoned(run: Run, now: datetime) -> bool:
    host, _, process = run.owner.partition("/")
    if host != socket.gethostname():
        return now - run.started_at > ABANDONED_AFTER
    pid, _, start_time = process.partition("/")
    return not pid.isdigit() or _start_time(int(pid)) != start_time


def _start_time(pid: int) -> str:
    """The start time of a process in ticks since boot; empty if there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return _start_time_without_proc(pid)


def _start_time_without_proc(pid: int) -> str:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except OSError:
        return "alive"
    return "alive"
