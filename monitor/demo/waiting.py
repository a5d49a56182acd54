"""Waiting as long as the service makes progress, and showing what happens meanwhile."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx
from rich.console import Console, RenderableType

STALLED_S = 150.0
"""A step fails after so long without an answered request or an embedded text; a slow machine alone is no failure."""
POLL_S = 0.5
LINE_EVERY_S = 20.0
"""Without a terminal, a wait prints a line this often."""
T = TypeVar("T")


@dataclass(slots=True)
class Narrator:
    """Prints the steps of the demo and measures how long each takes."""

    console: Console
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str, title: str) -> Iterator[Callable[[str], None]]:
        """Print a step, and record its duration; the function that it yields shows progress."""
        self.console.print(f"[bold cyan]▸[/] {title}")
        started = time.perf_counter()
        with self._progress(started) as progress:
            yield progress
        self.seconds[name] = round(time.perf_counter() - started, 3)
        self.console.print(f"  [dim]{self.seconds[name]:.1f} s[/]")

    def show(self, *parts: RenderableType) -> None:
        """Print results of a step."""
        for part in parts:
            self.console.print(part)

    @contextmanager
    def _progress(self, started: float) -> Iterator[Callable[[str], None]]:
        """One line that changes on a terminal; elsewhere a line now and then."""
        if self.console.is_terminal:
            with self.console.status("") as status:
                yield lambda text: status.update(f"[dim]{text}, {time.perf_counter() - started:.0f} s[/]")
            return
        printed_at = started

        def print_line(text: str) -> None:
            nonlocal printed_at
            if time.perf_counter() - printed_at >= LINE_EVERY_S:
                printed_at = time.perf_counter()
                self.console.print(f"  [dim]{text}, {printed_at - started:.0f} s[/]")

        yield print_line


@dataclass(frozen=True, slots=True)
class Service:
    """The service of the demo, as seen from outside."""

    client: httpx.AsyncClient
    url: str

    async def call(self, method: str, path: str, progress: Callable[[str], None], **body: int) -> dict[str, Any]:
        """The response to a request that may take long. Raises TimeoutError if the service makes no progress."""
        request = asyncio.create_task(self.client.request(method, f"{self.url}{path}", json=body))
        response = await self.wait(lambda: request.result() if request.done() else None, progress)
        if response is None:
            request.cancel()
            raise TimeoutError(f"{path} did not answer")
        content: dict[str, Any] = response.raise_for_status().json()
        return content

    async def wait(self, ready: Callable[[], T | None], progress: Callable[[str], None]) -> T | None:
        """The first result that is not None; None if the service makes no progress towards it."""
        before, progress_at = None, time.monotonic()
        while (result := ready()) is None:
            status = (await self.client.get(f"{self.url}/progress")).raise_for_status().json()
            if status != before:
                before, progress_at = status, time.monotonic()
            if time.monotonic() - progress_at > STALLED_S:
                return None
            progress(f"{status['answered']:,} requests answered, {status['embedded']:,} texts embedded")
            await asyncio.sleep(POLL_S)
        return result
