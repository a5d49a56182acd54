"""Progress bars on standard error, so that standard output carries results only."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from monitor.model.runs import Outcome


@contextmanager
def progress_bar(label: str, total: int) -> Iterator[Callable[[str], None]]:
    """A bar that each call moves by one step; the argument is a note behind the bar. Hidden without a terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[note]}"))
    with Progress(
        *columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()
    ) as bar:
        task = bar.add_task(label, total=total, note="")
        yield lambda note: bar.update(task, advance=1, note=note)


@contextmanager
def probe_progress(name: str, total: int) -> Iterator[Callable[[Outcome], None]]:
    """A bar over the probes of a target that counts failures."""
    failures = 0
    with progress_bar(f"probing {name}", total) as advance:

        def watch(outcome: Outcome) -> None:
            nonlocal failures
            failures += outcome.failure is not None
            advance(f"{failures} failed" if failures else "")

        yield watch
