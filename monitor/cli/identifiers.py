"""Ids on the command line: the whole id, its beginning if only one id begins so, or @baseline and @latest."""

from __future__ import annotations

from collections.abc import Sequence

from monitor.errors import StoreError
from monitor.model.runs import Run, RunStatus
from monitor.model.verdicts import Verdict
from monitor.ports.records import Records, StoredRuns

MAX_LISTED, MAX_SEARCHED = 10, 200
"""Matching ids in the message about an ambiguous prefix."""


async def load_run(store: StoredRuns, prefix: str) -> Run:
    """One run with its outcomes. Raises StoreError if no run, or more than one, is meant."""
    if prefix.startswith("@"):
        return await store.load_run(await _named_run(store, prefix))
    matches = await store.find_run_ids(prefix, MAX_LISTED)
    return await store.load_run(_only(prefix, matches, "run", "recallwatch runs list"))


async def load_verdict(store: StoredRuns, prefix: str) -> Verdict:
    """One verdict. Raises StoreError if no verdict, or more than one, begins so."""
    matches = await store.find_verdict_ids(prefix, MAX_LISTED)
    return await store.load_verdict(_only(prefix, matches, "verdict", "recallwatch verdicts list"))


async def _named_run(store: StoredRuns, name: str) -> str:
    """The id of ``@baseline`` or ``@latest``; ``:TARGET`` or ``:TARGET/SUITE`` behind it where there are several."""
    kind, _, place = name.partition(":")
    target, _, suite_name = place.partition("/")
    places: list[tuple[str, str, str]]
    if kind == "@baseline":
        places = [(each.target, each.suite_name, each.run_id) for each in await store.baselines()]
    elif kind == "@latest":
        runs = await store.list_runs(MAX_SEARCHED, RunStatus.FINISHED, target or None)
        places = [(run.target, run.suite_name, run.run_id) for run in reversed(runs)]
    else:
        raise StoreError(f'unknown run "{name}"; the names of runs are @baseline and @latest')
    run_ids = {
        (run_target, run_suite): run_id
        for run_target, run_suite, run_id in places
        if target in ("", run_target) and suite_name in ("", run_suite)
    }
    if not run_ids:
        raise StoreError(f"there is no run {name}; `recallwatch runs list` prints the latest")
    if len(run_ids) > 1:
        names = ", ".join(f"{kind}:{run_target}/{run_suite}" for run_target, run_suite in sorted(run_ids))
        raise StoreError(f"{name} is one of several: {names}")
    return next(iter(run_ids.values()))


async def incident_id_of(store: Records, prefix: str | None) -> str:
    """The id of the incident that begins so; without a prefix, that of the only open one. Raises StoreError."""
    if prefix is not None:
        matches = await store.find_incident_ids(prefix, MAX_LISTED)
        return _only(prefix, matches, "incident", "recallwatch incident list")
    open_ids = [each.incident_id for each in await store.list_incidents() if each.is_open]
    if len(open_ids) == 1:
        return open_ids[0]
    listed = f"open are {', '.join(open_ids[:MAX_LISTED])}" if open_ids else "none is open"
    raise StoreError(f"which incident? {listed}; `recallwatch incident list` prints them all")


def _only(prefix: str, matches: Sequence[str], noun: str, command: str) -> str:
    if not matches:
        raise StoreError(f'unknown {noun} "{prefix}"; `{command}` prints the latest')
    if prefix in matches:
        return prefix
    if len(matches) > 1:
        ellipsis = ", …" if len(matches) == MAX_LISTED else ""
        raise StoreError(f'{noun} "{prefix}" is ambiguous; it matches {", ".join(matches)}{ellipsis}')
    return matches[0]
