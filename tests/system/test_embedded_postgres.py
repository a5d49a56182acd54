"""The embedded PostgreSQL: private, restart-safe, and touching no folder but its own."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from monitor.adapters.stores.embedded import EmbeddedPostgres
from monitor.errors import StoreError
from tests.conftest import ROOT

pytestmark = pytest.mark.slow

HOLDER = """
import asyncio, json, sys
from pathlib import Path
from monitor.adapters.stores.embedded import EmbeddedPostgres
async def main():
    async with EmbeddedPostgres(Path(sys.argv[1])) as url:
        print(json.dumps({"url": url}), flush=True)
        await asyncio.to_thread(sys.stdin.readline)
asyncio.run(main())
"""


def _holder(folder: Path) -> tuple[subprocess.Popen[str], str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert process.stdout
    return process, json.loads(process.stdout.readline())["url"]


def _end(process: subprocess.Popen[str]) -> None:
    process.communicate("\n", timeout=30)


def _postmaster(folder: Path) -> int:
    return int((folder / "postgres" / "postmaster.pid").read_text().splitlines()[0])


def _is_alive(pid: int) -> bool:
    """A process that has ended but was not yet buried by its parent is dead."""
    stat = Path(f"/proc/{pid}/stat")
    if Path("/proc").is_dir():
        return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"
    return _answers(pid)


def _answers(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_no_folder_above_the_data_changes_its_permissions(tmp_path: Path) -> None:
    """A closed folder above the data stays closed, and the server runs all the same."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    folder = closed / "project" / "data"
    above = [closed, tmp_path, *tmp_path.parents]
    before = [(path.stat().st_mode, path.stat().st_uid) for path in above]

    async def use() -> None:
        async with EmbeddedPostgres(folder) as url:
            with psycopg.connect(url) as connection:
                assert connection.execute("SELECT 1").fetchone() == (1,)

    asyncio.run(use())
    assert [(path.stat().st_mode, path.stat().st_uid) for path in above] == before


def test_the_server_stops_with_its_last_user(tmp_path: Path) -> None:
    """Two processes share one server; it runs while either does, and not after both have left."""
    one, url = _holder(tmp_path)
    two, same = _holder(tmp_path)
    pid = _postmaster(tmp_path)
    assert url == same
    _end(one)
    assert _is_alive(pid)
    _end(two)
    assert not _is_alive(pid)


def test_a_killed_parent_loses_nothing_and_the_next_one_adopts_the_server(tmp_path: Path) -> None:
    """After SIGKILL of its parent, committed data are there, and the next user also stops the server."""
    parent, url = _holder(tmp_path)
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    pid = _postmaster(tmp_path)
    parent.send_signal(signal.SIGKILL)
    parent.communicate()
    heir, url = _holder(tmp_path)
    assert _postmaster(tmp_path) == pid
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)
    _end(heir)
    assert not _is_alive(pid)


def test_a_server_that_crashed_recovers(tmp_path: Path) -> None:
    """After the server itself was killed, the next start recovers what was committed."""
    parent, url = _holder(tmp_path)
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    os.kill(_postmaster(tmp_path), signal.SIGKILL)
    parent.kill()
    parent.communicate()
    heir, url = _holder(tmp_path)
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)
    _end(heir)


def test_an_interrupted_first_start_is_begun_anew(tmp_path: Path) -> None:
    """A data folder without a database in it, as an interrupted start leaves it, is no obstacle."""
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "half-written").write_text("x")
    holder, _ = _holder(tmp_path)
    _end(holder)
    assert not (tmp_path / "postgres" / "half-written").exists()


def test_a_long_path_is_served_through_a_short_private_folder(tmp_path: Path) -> None:
    """A path longer than a socket's name may be is no obstacle either."""
    folder = tmp_path / ("long-" * 20) / "data"
    holder, url = _holder(folder)
    socket_folder = Path(url.rpartition("host=")[2])
    assert len(str(socket_folder)) < 50
    assert socket_folder.stat().st_uid == os.geteuid()
    assert socket_folder.stat().st_mode & 0o007 == 0
    _end(holder)


def test_only_its_user_reaches_the_server(tmp_path: Path) -> None:
    """No process connects without the password; others of the server's account do not even reach the socket."""
    holder, url = _holder(tmp_path)
    folder = url.rpartition("host=")[2]
    assert (tmp_path / "password").stat().st_mode & 0o777 == 0o600
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(f"postgresql://postgres@/postgres?host={folder}")
    if os.geteuid() == 0:
        attempt = f"import socket; socket.socket(socket.AF_UNIX).connect('{folder}/.s.PGSQL.5432')"
        account = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
        for path in (tmp_path, *tmp_path.parents[:-2]):  # so that only the socket's own folder is in the way
            path.chmod(0o755)
        done = subprocess.run(
            [*account, "/usr/bin/python3", "-c", attempt], capture_output=True, text=True, check=False
        )
        assert "PermissionError" in done.stderr
    _end(holder)


def test_a_server_that_trusted_everybody_gets_a_password(tmp_path: Path) -> None:
    """A data folder of an earlier version asks for a password after its next start, also if its server still runs."""
    holder, url = _holder(tmp_path)
    (tmp_path / "postgres" / "pg_hba.conf").write_text("local all all trust\n")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("ALTER ROLE postgres PASSWORD NULL")
        connection.execute("SELECT pg_reload_conf()")
    (tmp_path / "password").unlink()
    heir, changed = _holder(tmp_path)
    assert changed != url
    with psycopg.connect(changed) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(f"postgresql://postgres@/postgres?host={url.rpartition('host=')[2]}")
    _end(heir)
    _end(holder)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="a small file system needs root to mount")
def test_a_full_disk_is_one_clear_line(tmp_path: Path) -> None:
    """When the data folder's disk is full, the error says so and names the folder."""
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)], check=True)
    try:
        with pytest.raises(StoreError, match="No space left on device"):
            asyncio.run(EmbeddedPostgres(folder / "data").__aenter__())
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
