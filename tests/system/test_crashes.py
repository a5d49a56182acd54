"""A daemon that is killed at any moment loses no committed outcome and doubles none."""

import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest

from tests.conftest import ROOT, started
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

KILLS = 10
LIMIT_S = 120.0
"""A process that has not ended by then hangs."""


@pytest.fixture
def slow_retriever(numbered: Path) -> Iterator[str]:
    """A live retriever that takes its time, so that a run can be killed in the middle."""
    with started("tests/word_retriever.py", str(numbered), "0.01") as service:
        yield service["url"]


@pytest.mark.timeout(1_200)
def test_killing_the_daemon_ten_times_loses_and_doubles_nothing(
    slow_retriever: str, numbered: Path, postgres_url: str, tmp_path: Path
) -> None:
    """After ten SIGKILLs at random moments every outcome once seen is still there, and no run is left running."""
    config = tmp_path / "recallwatch.yaml"
    config.write_text(_config(slow_retriever, numbered, postgres_url))
    rng = random.Random(20260102)  # noqa: S311 - moments to kill at, not secrets
    seen: set[tuple[str, str]] = set()
    for _ in range(KILLS):
        daemon = _serve(config)
        _wait_for_more_outcomes(postgres_url, than=_n_outcomes(postgres_url) + rng.randrange(1_200))
        time.sleep(rng.uniform(0.0, 1.0))  # so that the kill is at any distance from a commit
        seen |= _outcomes(postgres_url)
        daemon.send_signal(signal.SIGKILL)
        daemon.communicate()
        assert seen <= _outcomes(postgres_url)
    assert len(seen) > 1_200, "the runs were killed before anything was committed"

    daemon = _serve(config)
    try:
        finished = _wait_for_a_finished_run(postgres_url, after=_count(postgres_url, "finished"))
    finally:
        daemon.send_signal(signal.SIGTERM)
        daemon.communicate(timeout=LIMIT_S)
    assert finished
    assert seen <= _outcomes(postgres_url)
    assert _count(postgres_url, "running") == 0
    assert _count(postgres_url, "interrupted") >= 1
    assert _doubled(postgres_url) == 0
    assert _incomplete(postgres_url) == 0


def test_a_daemon_that_is_killed_while_it_starts_leaves_nothing_behind(
    slow_retriever: str, numbered: Path, postgres_url: str, tmp_path: Path
) -> None:
    """After SIGKILLs before the first outcome the next daemon starts, and finishes a run."""
    config = tmp_path / "recallwatch.yaml"
    config.write_text(_config(slow_retriever, numbered, postgres_url))
    rng = random.Random(20260103)  # noqa: S311 - moments to kill at, not secrets
    for _ in range(3):
        daemon = _serve(config)
        time.sleep(rng.uniform(0.0, 2.0))
        daemon.send_signal(signal.SIGKILL)
        daemon.communicate()
    daemon = _serve(config)
    try:
        assert _wait_for_a_finished_run(postgres_url, after=_count(postgres_url, "finished"))
    finally:
        daemon.send_signal(signal.SIGTERM)
        daemon.communicate(timeout=LIMIT_S)
    assert _count(postgres_url, "running") == 0
    assert _incomplete(postgres_url) == 0


def test_sigterm_marks_the_run_and_ends_the_daemon(
    slow_retriever: str, numbered: Path, postgres_url: str, tmp_path: Path
) -> None:
    """SIGTERM in the middle of a run ends the daemon with exit code 0 and the run as interrupted."""
    config = tmp_path / "recallwatch.yaml"
    config.write_text(_config(slow_retriever, numbered, postgres_url))
    _hold(slow_retriever, after=300)
    daemon = _serve(config)
    _wait_for_more_outcomes(postgres_url, than=0)
    daemon.send_signal(signal.SIGTERM)
    _, errors = daemon.communicate(timeout=LIMIT_S)
    assert daemon.returncode == 0, errors
    assert _count(postgres_url, "running") == 0
    assert _count(postgres_url, "interrupted") == 1


def test_ctrl_c_breaks_a_run_off_and_marks_it(
    slow_retriever: str, numbered: Path, postgres_url: str, tmp_path: Path
) -> None:
    """SIGINT during `recallwatch run` leaves the committed outcomes, the run interrupted, and exit code 130."""
    config = tmp_path / "recallwatch.yaml"
    config.write_text(_config(slow_retriever, numbered, postgres_url))
    _hold(slow_retriever, after=300)
    # Processes of pytest-xdist ignore SIGINT, and theirs would inherit that.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    run = _start("run", "--target", "docs", "--suite", "numbered", "--config", str(config))
    signal.signal(signal.SIGINT, before)
    _wait_for_more_outcomes(postgres_url, than=0)
    run.send_signal(signal.SIGINT)
    _, errors = run.communicate(timeout=LIMIT_S)
    assert run.returncode == 130, errors
    assert _count(postgres_url, "interrupted") == 1


def test_a_database_that_goes_away_ends_the_cycle_but_not_the_daemon(
    slow_retriever: str, numbered: Path, postgres_url: str, tmp_path: Path
) -> None:
    """Connections cut in the middle of a run are one line of the log; the daemon finishes a later run."""
    config = tmp_path / "recallwatch.yaml"
    config.write_text(_config(slow_retriever, numbered, postgres_url))
    daemon = _serve(config)
    try:
        _hold(slow_retriever, after=300)
        _wait_for_more_outcomes(postgres_url, than=0)
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        _hold(slow_retriever, after=None)
        assert _wait_for_a_finished_run(postgres_url, after=_count(postgres_url, "finished"))
        assert daemon.poll() is None
    finally:
        daemon.send_signal(signal.SIGTERM)
        daemon.communicate(timeout=LIMIT_S)


def test_a_taken_port_is_refused_before_anything_starts(slow_retriever: str, numbered: Path, tmp_path: Path) -> None:
    """A port in use ends `serve` with exit code 2, and no database was started."""
    port = httpx.URL(slow_retriever).port
    config = tmp_path / "recallwatch.yaml"
    config.write_text(_config(slow_retriever, numbered, None).replace("port: 0", f"port: {port}"))
    daemon = _start("serve", "--config", str(config), cwd=tmp_path)
    _, errors = daemon.communicate(timeout=LIMIT_S)
    assert daemon.returncode == 2
    assert errors.startswith(f"recallwatch: server.port: 127.0.0.1:{port}: ")
    assert not (tmp_path / "recallwatch-data").exists()


def _config(url: str, folder: Path, database: str | None) -> str:
    storage = f"storage: {{url: {json.dumps(database)}}}\n" if database else ""
    return storage + (
        f'targets: {{docs: {{retriever: {{kind: http, url: "{url}/search", timeout: 5m, concurrency: 8}}}}}}\n'
        f'suites: {{numbered: {{path: "{folder}"}}}}\n'
        "schedules: {always: {target: docs, suites: [numbered], every: 1s}}\n"
        "server: {port: 0}\n"
    )


def _serve(config: Path) -> subprocess.Popen[str]:
    return _start("serve", "--config", str(config))


def _start(*arguments: str, cwd: Path = ROOT) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "monitor", *arguments],
        cwd=cwd,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _query(url: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(statement).fetchall()


def _outcomes(url: str) -> set[tuple[str, str]]:
    return {(str(run), str(query)) for run, query in _query(url, "SELECT run_id, query_id FROM outcome")}


def _count(url: str, status: str) -> int:
    return len(_query(url, f"SELECT run_id FROM run WHERE status = '{status}'"))  # noqa: S608 - our own words


def _doubled(url: str) -> int:
    return len(_query(url, "SELECT run_id FROM outcome GROUP BY run_id, query_id HAVING count(*) > 1"))


def _incomplete(url: str) -> int:
    """Finished runs that lack an outcome for a query of their suite."""
    return len(
        _query(
            url,
            "SELECT run_id FROM run WHERE status = 'finished' AND (SELECT count(*) FROM outcome o"
            " WHERE o.run_id = run.run_id) <> (SELECT count(*) FROM suite_query s WHERE s.digest = run.suite_digest)",
        )
    )


def _n_outcomes(url: str) -> int:
    return int(str(_query(url, "SELECT count(*) FROM outcome")[0][0]))


def _wait_for_a_finished_run(url: str, *, after: int) -> bool:
    return wait_until(lambda: _count(url, "finished") > after)


def _wait_for_more_outcomes(url: str, *, than: int) -> None:
    wait_until(lambda: _n_outcomes(url) > than)


def _hold(retriever: str, *, after: int | None) -> None:
    """Have the retriever answer so many more searches, so that the run under way cannot end; None releases it."""
    httpx.post(f"{retriever}/hold", json={"after": after}, timeout=60).raise_for_status()
