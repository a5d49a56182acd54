"""Write files and folders atomically: complete or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson

from monitor.errors import SuiteError


@contextmanager
def placed_at(path: Path) -> Iterator[Path]:
    """A temporary path for a file or folder, which is renamed to ``path`` if the block succeeds."""
    _refuse_existing(path)
    unfinished = path.parent / f".{uuid4().hex}.part"  # in the same folder, so that renaming is atomic
    try:
        yield unfinished
        _refuse_existing(path)
        unfinished.rename(path)
    except OSError as error:
        raise SuiteError(str(path), error.strerror or str(error)) from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write lines, which must not contain line breaks."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{line}\n" for line in lines)


def write_rows(path: Path, rows: Iterable[Any]) -> None:
    """Write JSON Lines."""
    with path.open("wb") as file:
        file.writelines(_encoded(path, row, orjson.OPT_APPEND_NEWLINE) for row in rows)


def write_json(path: Path, value: Any) -> None:
    """Write one indented JSON value."""
    path.write_bytes(_encoded(path, value, orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


def _encoded(path: Path, value: Any, option: int) -> bytes:
    try:
        return orjson.dumps(value, option=option)
    except orjson.JSONEncodeError as error:  # metadata may be nested too deeply
        raise SuiteError(path.name, f"cannot be written as JSON: {error}") from error


def _refuse_existing(path: Path) -> None:
    if os.path.lexists(path):
        raise SuiteError(str(path), "exists already; nothing was written")
