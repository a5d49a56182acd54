"""Progress bars on standard error, so that standard output carries results only."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from monitor.model.runs import Outcome
from monitor.ports.targets import Retriever
from monitor.probing.rate_limit import RateLimitedRetriever


class StatusColumn(ProgressColumn):
    """A text that is computed whenever the bar is drawn."""

    def __init__(self, status: Callable[[], str]) -> None:
        super().__init__()
        self._status = status

    def render(self, _: Task) -> Text:
        """The current text."""
        return Text(self._status())


@contextmanager
def progress_bar(label: str, total: int, status: Callable[[], str] = lambda: "") -> Iterator[Callable[[str], None]]:
    """A bar that each call moves by one step; the argument is a note behind the bar. Hidden without a terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[note]}"))
    with Progress(
        *columns,
        TimeRemainingColumn(),
        StatusColumn(status),
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    ) as bar:
        task = bar.add_task(label, total=total, note="")
        yield lambda note: bar.update(task, advance=1, note=note)


@contextmanager
def probe_progress(name: str, total: int, *retrievers: Retriever) -> Iterator[Callable[[Outcome], None]]:
    """A bar over the probes of a target that counts failures and shows why probes wait."""
    failures = 0

    def status() -> str:
        return "; ".join(filter(None, (each.status() for each in retrievers if isinstance(each, RateLimitedRetriever))))

    with progress_bar(f"probing {name}", total, status) as advance:

        def watch(outcome: Outcome) -> None:
            nonlocal failures
            failures += outcome.failure is not None
            advance(f"{failures} failed" if failures else "")

        yield watch


@contextmanager
def migration_progress() -> Iterator[Callable[[str, int, int], None]]:
    """A bar for each step of a migration that moves data, in runs; none for a migration without one."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("runs"))
    with Progress(
        *columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()
    ) as bar:
        tasks: dict[str, TaskID] = {}

        def show(step: str, done: int, total: int) -> None:
            if step not in tasks:
                tasks[step] = bar.add_task(step, total=total)
            bar.update(tasks[step], completed=done)

        yield show
