"""Runs that a crash left in the status ``running``."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path

import structlog

from monitor.model.runs import Run, RunStatus
from monitor.ports.store import Store

_LOG = structlog.get_logger(__name__)

ABANDONED_AFTER = timedelta(hours=6)
"""A run of another host that has been running for longer counts as abandoned."""


async def close_abandoned_runs(store: Store, *, now: datetime) -> list[Run]:
    """Mark runs of processes that have ended as interrupted, and return them."""
    return await close_runs(store, lambda run: _is_abandoned(run, now), now=now)


async def close_own_runs(store: Store, owner: str, active_since: Mapping[str, datetime], *, now: datetime) -> list[Run]:
    """Mark runs of this process that no cycle works on, because the store was away when their cycle ended."""

    def is_left(run: Run) -> bool:
        since = active_since.get(run.target)
        return run.owner == owner and (since is None or run.started_at < since)

    return await close_runs(store, is_left, now=now)


async def close_runs(store: Store, is_left: Callable[[Run], bool], *, now: datetime) -> list[Run]:
    """Mark the running runs that nothing works on as interrupted, and return them."""
    running = await store.list_runs(limit=1_000, status=RunStatus.RUNNING)
    closed = [run for run in running if is_left(run) and await store.interrupt_run(run.run_id, now)]
    for run in closed:
        _LOG.warning("run_interrupted", run=run.run_id, target=run.target, suite=run.suite_name, owner=run.owner)
    return closed


def this_process() -> str:
    """Host, process id and start time of this process, which runs and slots store as their owner."""
    return f"{_host()}/{os.getpid()}/{_start_time(os.getpid())}"


def has_ended(owner: str) -> bool:
    """Whether an owner was a process of this machine that no longer runs; False if that cannot be known."""
    host, _, process = owner.partition("/")
    pid, _, start_time = process.partition("/")
    return host == _host() and (not pid.isdigit() or _start_time(int(pid)) != start_time)


def _is_abandoned(run: Run, now: datetime) -> bool:
    host, _, _ = run.owner.partition("/")
    return has_ended(run.owner) if host == _host() else now - run.started_at > ABANDONED_AFTER


def _host() -> str:
    """The name of this machine, with its process table: containers of one name do not see each other's processes."""
    try:
        return f"{socket.gethostname()}:{os.stat('/proc/self/ns/pid').st_ino}"
    except OSError:
        return socket.gethostname()


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
