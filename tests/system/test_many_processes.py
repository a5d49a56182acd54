"""Daemons that share a database, one that is stopped or killed, and a database that is paused."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from tests.conftest import ROOT, started
from tests.system.test_frozen_database import paused
from tests.system.watching import free_port
from tests.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
def slow_retriever(numbered: Path) -> Iterator[str]:
    """A live retriever that can be held in the middle of a run."""
    with started("tests/word_retriever.py", str(numbered), "0.0005") as service:
        yield service["url"]


class Process:
    """A daemon in a process of its own, with its log."""

    def __init__(self, folder: Path, config: dict[str, Any], *arguments: str, drain_timeout: str = "1s") -> None:
        folder.mkdir(exist_ok=True)
        self.config, self.folder = config | {"server": {"port": free_port(), "drain_timeout": drain_timeout}}, folder
        self.write(self.config)
        self.log_path = folder / "log"
        with self.log_path.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "monitor", "serve", *arguments],
                cwd=folder,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stderr=log,
            )

    def write(self, config: dict[str, Any]) -> None:
        """Replace the configuration file."""
        (self.folder / "new.yaml").write_text(json.dumps(config))
        (self.folder / "new.yaml").rename(self.folder / "recallwatch.yaml")

    def get(self, path: str) -> str:
        """The text of a page; empty before the daemon serves."""
        try:
            return httpx.get(f"http://127.0.0.1:{self.config['server']['port']}{path}", timeout=60).text
        except httpx.TransportError:
            return ""

    @property
    def log(self) -> str:
        """Everything that the daemon logged."""
        return self.log_path.read_text()

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal, and wait for the end."""
        self.process.send_signal(number)
        return self.process.wait(120)


@contextmanager
def running(folder: Path, config: dict[str, Any], *arguments: str, drain_timeout: str = "1s") -> Iterator[Process]:
    """A daemon that is killed at the end, if it still runs."""
    process = Process(folder, config, *arguments, drain_timeout=drain_timeout)
    try:
        yield process
    finally:
        process.process.kill()
        process.process.wait()


def config_of(
    retriever: str, suite: Path, url: str | None, schedules: dict[str, str], **storage: Any
) -> dict[str, Any]:
    """One target, and these schedules with their intervals."""
    return {
        "storage": ({"url": url} if url else {}) | storage,
        "targets": {
            "docs": {"retriever": {"kind": "http", "url": f"{retriever}/search", "timeout": "5m", "concurrency": 8}}
        },
        "suites": {"numbered": {"path": str(suite)}},
        "schedules": {
            name: {"target": "docs", "suites": ["numbered"], "every": every} for name, every in schedules.items()
        },
    }


def rows(url: str, statement: str) -> list[tuple[Any, ...]]:
    """The rows of a query."""
    with psycopg.connect(url) as connection:
        return connection.execute(statement).fetchall()


def hold(retriever: str, after: int | None) -> None:
    """Answer so many more searches; None answers all."""
    httpx.post(f"{retriever}/hold", json={"after": after}, timeout=60).raise_for_status()


FINISHED = "SELECT schedule FROM slot WHERE status = 'finished'"


def test_two_daemons_share_a_schedule_and_survive_each_other(
    slow_retriever: str, numbered: Path, postgres_url: str, tmp_path: Path
) -> None:
    """Each slot has one cycle; a killed daemon's slot is taken over, its run is marked, and nothing runs twice."""
    config = config_of(slow_retriever, numbered, postgres_url, {"often": "2s"})
    with running(tmp_path / "one", config) as one, running(tmp_path / "two", config) as two:
        wait_until(lambda: len(rows(postgres_url, FINISHED)) >= 4)
        hold(slow_retriever, 200)
        (owner,) = wait_until(lambda: rows(postgres_url, "SELECT owner FROM run WHERE status = 'running'"))[0]
        pid = int(owner.split("/")[1])
        dead, alive = (one, two) if one.process.pid == pid else (two, one)
        dead.stop(signal.SIGKILL)
        killed_at = time.monotonic()
        wait_until(lambda: rows(postgres_url, "SELECT 1 FROM slot WHERE takeovers = 1"))
        assert time.monotonic() - killed_at < 30
        hold(slow_retriever, None)
        wait_until(lambda: "recallwatch_slot_takeovers_total 1.0" in alive.get("/metrics"))
        wait_until(lambda: rows(postgres_url, "SELECT 1 FROM slot WHERE takeovers = 1 AND status = 'finished'"))
        assert alive.stop() == 0
    assert rows(postgres_url, "SELECT run_id FROM run WHERE status = 'running'") == []
    assert (owner,) in rows(postgres_url, "SELECT owner FROM run WHERE status = 'interrupted'")
    ((n_cycles,),) = rows(postgres_url, "SELECT count(*) FROM run WHERE status = 'finished'")
    assert n_cycles == len(rows(postgres_url, FINISHED)), "a slot had no cycle, or two"


def test_a_second_daemon_resolves_no_incident_of_the_first(
    slow_retriever: str, numbered: Path, postgres_url: str, tmp_path: Path
) -> None:
    """A schedule without data stays an incident while a daemon with other schedules starts; removing it resolves it."""
    config = config_of(slow_retriever, numbered, postgres_url, {"stuck": "1d", "weekly": "7d"})
    config["schedules"]["stuck"]["no_data_after"] = "1s"
    statement = "SELECT status FROM incident WHERE kind = 'no_data' AND subject = 'stuck'"
    hold(slow_retriever, 0)
    with running(tmp_path / "one", config) as one:
        wait_until(lambda: rows(postgres_url, statement) == [("open",)])
        other = config_of(slow_retriever, numbered, postgres_url, {"other": "1d"})
        with running(tmp_path / "two", other) as two:
            wait_until(lambda: two.get("/readyz") == '{"status":"ready"}')
            assert rows(postgres_url, statement) == [("open",)]
            two.stop()
        schedules = {"weekly": config["schedules"]["weekly"]}
        one.write({**one.config, "schedules": schedules})
        one.process.send_signal(signal.SIGHUP)
        wait_until(lambda: rows(postgres_url, statement) == [("resolved",)])
    hold(slow_retriever, None)


def test_a_reload_does_not_break_off_the_run_of_an_unchanged_schedule(
    slow_retriever: str, numbered: Path, postgres_url: str, tmp_path: Path
) -> None:
    """A change of the watched file adds a schedule; the run under way goes on and ends, and none is interrupted."""
    config = config_of(slow_retriever, numbered, postgres_url, {"daily": "1d"})
    hold(slow_retriever, 300)
    with running(tmp_path / "one", config, "--watch") as daemon:
        ((run_id,),) = wait_until(lambda: rows(postgres_url, "SELECT run_id FROM run WHERE status = 'running'"))
        schedules = config["schedules"] | {"weekly": {**config["schedules"]["daily"], "every": "7d"}}
        daemon.write({**daemon.config, "schedules": schedules})
        wait_until(lambda: '"event": "reloaded"' in daemon.log)
        hold(slow_retriever, None)
        wait_until(lambda: len(rows(postgres_url, FINISHED)) == 2)
        assert daemon.stop() == 0
    statuses = dict(rows(postgres_url, "SELECT run_id, status FROM run"))
    assert statuses[run_id] == "finished"
    assert set(statuses.values()) == {"finished"}


def test_a_drained_daemon_hands_its_slot_back(
    slow_retriever: str, numbered: Path, postgres_url: str, tmp_path: Path
) -> None:
    """A cycle that does not end in time is handed back, and the next daemon takes its slot at once."""
    config = config_of(slow_retriever, numbered, postgres_url, {"daily": "1d"})
    hold(slow_retriever, 300)
    with running(tmp_path / "one", config) as one:
        wait_until(lambda: rows(postgres_url, "SELECT run_id FROM run WHERE status = 'running'"))
        assert one.stop() == 0
        assert "Traceback" not in one.log
    assert rows(postgres_url, "SELECT status FROM slot") == [("handed_back",)]
    assert rows(postgres_url, "SELECT status FROM run") == [("interrupted",)]
    hold(slow_retriever, None)
    with running(tmp_path / "two", config) as two:
        wait_until(lambda: rows(postgres_url, FINISHED))
        assert two.stop() == 0
    assert rows(postgres_url, "SELECT status, takeovers FROM slot") == [("finished", 1)]


def test_a_second_sigterm_stops_at_once(slow_retriever: str, numbered: Path, postgres_url: str, tmp_path: Path) -> None:
    """While a daemon drains, a second SIGTERM ends it without waiting for its cycle."""
    config = config_of(slow_retriever, numbered, postgres_url, {"daily": "1d"})
    hold(slow_retriever, 300)
    with running(tmp_path / "one", config, drain_timeout="1h") as daemon:
        wait_until(lambda: rows(postgres_url, "SELECT run_id FROM run WHERE status = 'running'"))
        daemon.process.send_signal(signal.SIGTERM)
        wait_until(lambda: '"event": "draining"' in daemon.log)
        assert daemon.get("/readyz") == '{"status":"draining"}'
        assert daemon.stop() == 0
    assert rows(postgres_url, "SELECT status FROM slot") == [("handed_back",)]
    hold(slow_retriever, None)


def test_a_paused_database_is_noticed_and_delays_no_stop(slow_retriever: str, numbered: Path, tmp_path: Path) -> None:
    """`/readyz` says so within seconds, one line of the log too; SIGTERM ends the daemon soon, without a traceback."""
    config = config_of(slow_retriever, numbered, None, {"often": "1s"}, statement_timeout="2s")
    with running(tmp_path / "one", config) as daemon:
        wait_until(lambda: daemon.get("/readyz") == '{"status":"ready"}')
        with paused(tmp_path / "one" / "recallwatch-data"):
            wait_until(lambda: "database_unreachable" in daemon.get("/readyz"), patience_s=60)
            assert daemon.log.count('"event": "database_unreachable"') == 1
            assert "recallwatch_database_up 0.0" in daemon.get("/metrics")
        wait_until(lambda: daemon.get("/readyz") == '{"status":"ready"}')
        assert '"event": "database_answers"' in daemon.log
        with paused(tmp_path / "one" / "recallwatch-data"):
            started_s = time.monotonic()
            daemon.process.send_signal(signal.SIGTERM)
            wait_until(lambda: '"event": "stopping"' in daemon.log)
            time.sleep(8)
        assert daemon.process.wait(60) == 0
        assert time.monotonic() - started_s < 40
        assert "Traceback" not in daemon.log
