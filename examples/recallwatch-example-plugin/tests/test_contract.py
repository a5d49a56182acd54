"""The adapters of this plug-in keep the contracts of recallwatch."""

import asyncio
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from monitor.adapters import registry
from monitor.testing import notifiers, retrievers
from monitor.testing.alerts import an_alert


def build(port: str, /, **options: Any) -> Any:
    """An adapter found by its entry point, with checked options."""
    return registry.resolve(port, options, where=port).build()


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Three documents."""
    path = tmp_path / "manual.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE VIRTUAL TABLE documents USING fts5(id UNINDEXED, text)")
        rows = [
            ("d1", "an overdue invoice"),
            ("d2", "invoices are sent in May; overdue invoices are sent again"),
            ("d3", "gift cards"),
        ]
        connection.executemany("INSERT INTO documents VALUES (?, ?)", rows)
    return path


@pytest.mark.parametrize("check", retrievers.CHECKS, ids=lambda check: check.__name__)
def test_the_retriever_keeps_the_contract(check: retrievers.Check, database: Path) -> None:
    """Every check for retrievers holds."""
    asyncio.run(check(lambda: build("retriever", kind="sqlite_fts", path=database)))


@pytest.mark.parametrize("check", retrievers.UNREACHABLE_CHECKS, ids=lambda check: check.__name__)
def test_a_missing_database_is_a_retriever_error(check: retrievers.Check, tmp_path: Path) -> None:
    """A file that does not exist is an unreachable target, and is not created."""
    asyncio.run(check(lambda: build("retriever", kind="sqlite_fts", path=tmp_path / "missing.db")))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("check", notifiers.CHECKS, ids=lambda check: check.__name__)
def test_the_notifier_keeps_the_contract(check: notifiers.Check, tmp_path: Path) -> None:
    """Every check for notifiers holds."""
    asyncio.run(check(lambda: build("notifier", kind="jsonl_file", path=tmp_path / "alerts.jsonl")))


@pytest.mark.parametrize("check", notifiers.UNREACHABLE_CHECKS, ids=lambda check: check.__name__)
def test_a_missing_folder_is_a_notifier_error(check: notifiers.Check, tmp_path: Path) -> None:
    """A file that cannot be written is an unreachable service."""
    asyncio.run(check(lambda: build("notifier", kind="jsonl_file", path=tmp_path / "missing" / "alerts.jsonl")))


def test_an_alert_is_one_line(tmp_path: Path) -> None:
    """The line holds the id of the alert and its payload."""
    notifier = build("notifier", kind="jsonl_file", path=tmp_path / "alerts.jsonl")
    asyncio.run(notifier.notify(an_alert()))
    (line,) = (tmp_path / "alerts.jsonl").read_text().splitlines()
    assert json.loads(line)["alert_id"] == an_alert().alert_id
    assert json.loads(line)["data"]["advice"] == "roll back"
