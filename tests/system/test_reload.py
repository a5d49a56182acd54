"""SIGHUP: a new configuration takes the place of the old one, and a bad one does not."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import ROOT
from tests.system.watching import free_port
from tests.waiting import wait_until

pytestmark = pytest.mark.slow


@pytest.fixture
def config(tmp_path: Path, postgres_url: str) -> dict[str, Any]:
    """Two targets that nobody serves, asked three queries."""
    suite = tmp_path / "suite"
    (suite / "qrels").mkdir(parents=True)
    (suite / "suite.yaml").write_text("version: '1'\naxis: broad\n")
    (suite / "queries.jsonl").write_text("".join(f'{{"_id": "q{n}", "text": "what?"}}\n' for n in range(3)))
    judgements = "".join(f"q{n}\td{n}\t1\n" for n in range(3))
    (suite / "qrels" / "test.tsv").write_text(f"query-id\tcorpus-id\tscore\n{judgements}")
    return {
        "storage": {"url": postgres_url},
        "targets": {
            name: {"retriever": {"kind": "http", "url": f"http://127.0.0.1:{free_port()}"}} for name in ("docs", "wiki")
        },
        "suites": {"small": {"path": str(suite)}},
        "schedules": {name: {"target": name, "suites": ["small"], "every": "1s"} for name in ("docs", "wiki")},
        "server": {"port": free_port()},
    }


@pytest.fixture
def daemon(config: dict[str, Any], tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A real process that serves this configuration; its log goes nowhere."""
    (tmp_path / "recallwatch.yaml").write_text(json.dumps(config))
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-m", "monitor", "serve"], cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL
    ) as process:
        yield process
        process.terminate()


def shown(config: dict[str, Any]) -> str:
    """The metrics of the daemon; empty before it serves."""
    try:
        return httpx.get(f"http://127.0.0.1:{config['server']['port']}/metrics", timeout=60).text
    except httpx.ConnectError:
        return ""


def test_a_reload_takes_effect_and_a_bad_one_does_not(
    config: dict[str, Any], daemon: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    """A wrong key or a moved server leaves the old configuration in force; a target that is gone shows no more."""

    def reload(changed: dict[str, Any]) -> None:
        (tmp_path / "recallwatch.yaml").write_text(json.dumps(changed))
        daemon.send_signal(signal.SIGHUP)

    def says(value: int) -> bool:
        return f"recallwatch_config_last_reload_successful {value}.0" in shown(config)

    wait_until(lambda: 'verdict{target="wiki"' in shown(config) and 'verdict{target="docs"' in shown(config))
    assert says(1)

    reload({**config, "targtes": {}})
    wait_until(lambda: says(0))
    assert 'target="wiki"' in shown(config)

    fewer = {**config, "schedules": {"docs": config["schedules"]["docs"]}}
    reload(fewer)
    wait_until(lambda: says(1))
    assert 'target="wiki"' not in shown(config)
    assert 'verdict{target="docs"' in shown(config)

    reload({**config, "server": {"port": free_port()}})
    wait_until(lambda: says(0))
    assert 'target="wiki"' not in shown(config)
    assert daemon.poll() is None
