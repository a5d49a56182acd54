"""Appends alerts to a file, one JSON object per line."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from monitor.config.config import Section
from monitor.errors import NotifierError, Reason
from monitor.model.alerts import Alert


class JsonlFileOptions(Section):
    """A file that grows by one line for each alert."""

    path: Path
    """The file; its folder must exist."""


class JsonlFileNotifier:
    """Writes the payload of each alert with its id, so that a reader can drop repeats."""

    Options = JsonlFileOptions

    def __init__(self, options: JsonlFileOptions) -> None:
        self._path = options.path
        self._lock = asyncio.Lock()

    async def notify(self, alert: Alert) -> None:
        """Append one alert; returning means that it is written."""
        line = json.dumps({"alert_id": alert.alert_id, **alert.payload}) + "\n"
        async with self._lock:
            try:
                await asyncio.to_thread(self._append, line)
            except OSError as error:
                raise NotifierError(Reason.UNREACHABLE, f"cannot write: {type(error).__name__}") from error

    async def close(self) -> None:
        """The file is closed after each line."""

    def _append(self, line: str) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(line)
