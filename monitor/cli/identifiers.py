"""Ids on the command line: the whole id, or its beginning if only one id begins so."""

from __future__ import annotations

from collections.abc import Sequence

from monitor.errors import StoreError
from monitor.model.runs import Run
from monitor.model.verdicts import Verdict
from monitor.ports.store import Store

MAX_LISTED = 10
"""Matching ids in the message about an ambiguous prefix."""


async def load_run(store: Store, prefix: str) -> Run:
    """One run with its outcomes. Raises StoreError if no run, or more than one, begins so."""
    matches = await store.find_run_ids(prefix, MAX_LISTED)
    return await store.load_run(_only(prefix, matches, "run", "recallwatch runs list"))


async def load_verdict(store: Store, prefix: str) -> Verdict:
    """One verdict. Raises StoreError if no verdict, or more than one, begins so."""
    matches = await store.find_verdict_ids(prefix, MAX_LISTED)
    return await store.load_verdict(_only(prefix, matches, "verdict", "recallwatch verdicts list"))


def _only(prefix: str, matches: Sequence[str], noun: str, command: str) -> str:
    if not matches:
        raise StoreError(f'unknown {noun} "{prefix}"; `{command}` prints the latest')
    if prefix in matches:
        return prefix
    if len(matches) > 1:
        ellipsis = ", …" if len(matches) == MAX_LISTED else ""
        raise StoreError(f'{noun} "{prefix}" is ambiguous; it matches {", ".join(matches)}{ellipsis}')
    return matches[0]
