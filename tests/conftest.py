"""Real parts that tests share: one PostgreSQL for the session, a fresh database for each test."""

import asyncio
import itertools
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from monitor.adapters.stores.embedded import EmbeddedPostgres
from monitor.adapters.stores.postgres.connection import with_driver
from monitor.adapters.stores.postgres.migration import Migrations

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared" / "data"
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
def xquad() -> Path:
    """A public data set that is not part of the project."""
    folder = SHARED / "xquad-en"
    assert folder.is_dir(), f"this test needs the public data set xquad-en at {folder}"
    return folder


def command(*arguments: str, cwd: Path, check: int | None = 0) -> subprocess.CompletedProcess[str]:
    """Run recallwatch as a user would; ``check`` is the exit code that is right."""
    done = subprocess.run(
        [sys.executable, "-m", "monitor", *arguments],
        cwd=cwd,
        env=_environment(),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert check is None or done.returncode == check, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def _environment() -> dict[str, str]:
    import os

    return {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
