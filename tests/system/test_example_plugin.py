"""The example plug-in, installed as a user installs it: found by its entry points, and true to the contracts."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.slow
EXAMPLE = ROOT / "examples" / "recallwatch-example-plugin"


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which the plug-in is installed beside recallwatch."""
    folder = tmp_path_factory.mktemp("site")
    arguments = ("install", "--quiet", "--no-deps", "--no-build-isolation", "--target", str(folder), str(EXAMPLE))
    subprocess.run([sys.executable, "-m", "pip", *arguments], check=True)
    return {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}


def test_its_own_tests_pass(environment: dict[str, str], tmp_path: Path) -> None:
    """The tests of the plug-in run the shipped contract checks, and pass."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(EXAMPLE / "tests")]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_its_kinds_are_configured_like_built_in_ones(environment: dict[str, str], tmp_path: Path) -> None:
    """`check` accepts both kinds, and names the wrong key of a plug-in."""
    config = tmp_path / "recallwatch.yaml"
    command = [sys.executable, "-m", "monitor", "check", "--config", str(config)]
    text = (
        "targets: {manual: {retriever: {kind: sqlite_fts, path: missing.db}}}\n"
        "suites: {broad: {path: 'builtin:broad'}}\n"
        "schedules: {daily: {target: manual, suites: [broad], every: 1d}}\n"
        "notifiers: {archive: {kind: jsonl_file, path: alerts.jsonl}}\n"
    )
    config.write_text(text)
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert "unable to open database file" in done.stdout + done.stderr
    assert done.returncode == 3
    config.write_text(text.replace("missing.db", "missing.db, tabel: pages"))
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert "targets.manual.retriever.tabel: unknown key; did you mean table?" in done.stderr
    assert done.returncode == 2
