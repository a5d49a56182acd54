"""Real parts that tests share: one PostgreSQL for the session, a fresh database for each test."""

import asyncio
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
import structlog
from hypothesis import settings

from monitor.adapters.stores.embedded import EmbeddedPostgres
from monitor.adapters.stores.postgres.connection import with_driver
from monitor.adapters.stores.postgres.migration import Migrations
from tests.properties import PROFILE

ROOT = Path(__file__).parents[1]
PUBLIC_DATA_VARIABLE = "RECALLWATCH_PUBLIC_DATA"
# As in the service: plain tracebacks. The library's default renders the locals of every frame, which takes seconds.
structlog.configure(
    processors=[
        structlog.processors.add_log_level,
        structlog.processors.format_exc_info,
        structlog.processors.KeyValueRenderer(),
    ]
)
settings.load_profile(PROFILE)  # unless the command line names another one
_left_out = pytest.StashKey[int]()
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a real server with a migrated database called ``template``."""
    server = EmbeddedPostgres(tmp_path_factory.mktemp("postgres"))
    with asyncio.Runner() as runner:
        url = runner.run(server.__aenter__())
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE DATABASE template_recallwatch")
        runner.run(Migrations(with_driver(_database(url, "template_recallwatch"))).apply())
        yield url
        runner.run(server.__aexit__(None, None, None))


@pytest.fixture
def postgres_url(postgres_server: str) -> str:
    """The URL of a database of the test's own, migrated and empty."""
    name = f"test_{next(_numbers)}"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template_recallwatch")
    return _database(postgres_server, name)


def _database(url: str, name: str) -> str:
    return url.replace("/postgres?", f"/{name}?")


@contextmanager
def started(*arguments: str) -> Iterator[dict[str, str]]:
    """A helper program that says what it is on its first line of output, ended when the block ends."""
    process = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
    finally:
        process.terminate()
        process.wait(10)
        if process.stdout:
            process.stdout.close()


@pytest.fixture(scope="session")
def public_data() -> Path:
    """The folder of public data sets, which are not part of the project."""
    folder = Path(os.environ[PUBLIC_DATA_VARIABLE])
    assert folder.is_dir(), f"{PUBLIC_DATA_VARIABLE}: {folder} is not a folder"
    return folder


@pytest.fixture(scope="session")
def xquad(public_data: Path) -> Path:
    """Questions on paragraphs of Wikipedia, with answer spans."""
    return public_data / "xquad-en"


@pytest.fixture(scope="session")
def numbered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A suite called numbered: 1,200 questions on 240 documents, five on each, which words alone can find."""
    folder = tmp_path_factory.mktemp("suites") / "numbered"
    (folder / "qrels").mkdir(parents=True)
    documents = [{"_id": f"d{n}", "title": "", "text": f"subject{n}"} for n in range(240)]
    queries = [{"_id": f"q{n}", "text": f"question {n} about subject{n % 240}"} for n in range(1_200)]
    rows = ["query-id\tcorpus-id\tscore", *(f"q{n}\td{n % 240}\t1" for n in range(1_200))]
    (folder / "suite.yaml").write_text("name: numbered\nversion: '1'\naxis: broad\n")
    (folder / "corpus.jsonl").write_text("".join(json.dumps(document) + "\n" for document in documents))
    (folder / "queries.jsonl").write_text("".join(json.dumps(query) + "\n" for query in queries))
    (folder / "qrels" / "test.tsv").write_text("".join(f"{row}\n" for row in rows))
    return folder


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the tests that use public data; deselect them where there is none."""
    needy = [item for item in items if "public_data" in getattr(item, "fixturenames", ())]
    for item in needy:
        item.add_marker(pytest.mark.public_data)
    if needy and not os.environ.get(PUBLIC_DATA_VARIABLE):
        items[:] = [item for item in items if not item.get_closest_marker("public_data")]
        config.hook.pytest_deselected(items=needy)
        config.stash[_left_out] = len(needy)
        if hasattr(config, "workeroutput"):
            config.workeroutput["left_out"] = len(needy)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take over what a worker of pytest-xdist has left out; all workers collect the same tests."""
    if left_out := getattr(node, "workeroutput", {}).get("left_out"):
        node.config.stash[_left_out] = left_out


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Report in one line which tests were left out, and how to run them."""
    if n_left_out := config.stash.get(_left_out, 0):
        terminalreporter.write_line(
            f"{n_left_out} tests that need public data were left out: set {PUBLIC_DATA_VARIABLE}"
            " to its folder (.github/CONTRIBUTING.md, Public data)"
        )


def command(
    *arguments: str, cwd: Path, check: int | None = 0, timeout_s: float = 240.0
) -> subprocess.CompletedProcess[str]:
    """Run recallwatch as a user would; ``check`` is the exit code that is right."""
    done = subprocess.run(
        [sys.executable, "-m", "monitor", *arguments],
        cwd=cwd,
        env=_environment(),
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    assert check is None or done.returncode == check, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
