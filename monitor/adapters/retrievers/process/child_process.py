"""A child process that exchanges JSON lines; responses may arrive in any order."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson

from monitor.errors import Reason, RetrieverError

EXIT_GRACE_S = 0.5
"""How long a process may take to exit after its input is closed."""
_MAX_STDERR_CHARACTERS = 200


class ChildProcess:
    """A running child process; create it with `start`."""

    def __init__(self, process: asyncio.subprocess.Process, secrets: Sequence[str]) -> None:
        self.n_responses = 0
        self._process = process
        self._secrets = secrets
        self._pending: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._final_stderr_line = ""
        self._failure: RetrieverError | None = None
        self._readers = [asyncio.create_task(self._read_stdout()), asyncio.create_task(self._read_stderr())]

    @classmethod
    async def start(cls, command: Sequence[str], cwd: Path | None, env: Mapping[str, str], limit: int) -> ChildProcess:
        """Start a process in its own process group, so that it can be stopped together with its children."""
        pipe = asyncio.subprocess.PIPE
        try:
            process = await asyncio.create_subprocess_exec(
                *command, stdin=pipe, stdout=pipe, stderr=pipe, cwd=cwd, env={**os.environ, **env},
                limit=limit, start_new_session=True,
            )  # fmt: skip
        except (OSError, ValueError) as error:  # ValueError: a NUL in an argument
            detail = f"the process cannot be started: {type(error).__name__}"
            raise RetrieverError(Reason.UNREACHABLE, detail) from error
        return cls(process, [value for value in env.values() if value])

    @property
    def has_ended(self) -> bool:
        """Whether the process cannot respond any more."""
        return self._failure is not None

    async def request(self, number: int, line: bytes) -> dict[str, Any]:
        """Send a line and wait for the response with this number."""
        if self._failure is not None:
            raise self._failure
        response: asyncio.Future[dict[str, Any]]
        response = self._pending[number] = asyncio.get_running_loop().create_future()
        try:
            assert self._process.stdin is not None  # noqa: S101 - opened as a pipe
            self._process.stdin.write(line + b"\n")
            with suppress(ConnectionError):  # the end of the process is detected at its output
                await self._process.stdin.drain()
            return await response
        finally:
            self._pending.pop(number, None)

    async def stop(self, grace_s: float = EXIT_GRACE_S) -> None:
        """Close its input and wait; then kill the process and its children."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(grace_s):
                    await self._process.wait()
        finally:  # also if the caller is cancelled
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            for task in self._readers:
                task.cancel()
        await asyncio.gather(*self._readers, return_exceptions=True)
        with suppress(TimeoutError):  # a process outside the group may keep a pipe open
            async with asyncio.timeout(EXIT_GRACE_S):
                for pipe in (self._process.stdout, self._process.stderr):
                    while pipe is not None and await pipe.read(65_536):
                        pass  # a pipe closes once it is empty
                await self._process.wait()

    async def _read_stdout(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 - opened as a pipe
        failure = None
        try:
            async for line in self._process.stdout:
                self._handle(line)
        except ValueError:  # a line that is too long or not JSON: later lines cannot be assigned
            failure = RetrieverError(Reason.MALFORMED, "the process wrote a line that is too long or not a response")
        if failure is None:
            failure = await self._exit_error()
        self._failure = failure
        for response in self._pending.values():
            if not response.done():
                response.set_exception(failure)

    def _handle(self, line: bytes) -> None:
        response = orjson.loads(line)
        number = response.get("id") if isinstance(response, dict) else None
        if not isinstance(number, int):
            raise ValueError("a response needs a number")  # noqa: TRY004 - handled like a line that is not JSON
        self.n_responses += 1
        pending = self._pending.get(number)
        if pending is not None and not pending.done():  # else the request has timed out
            pending.set_result(response)

    async def _read_stderr(self) -> None:
        """Keep the final line, and drain the pipe: a full pipe would block the process."""
        assert self._process.stderr is not None  # noqa: S101 - opened as a pipe
        while part := await self._process.stderr.read(65_536):
            text = (self._final_stderr_line + part.decode(errors="replace")).strip()
            self._final_stderr_line = text.rpartition("\n")[2][-_MAX_STDERR_CHARACTERS:]

    async def _exit_error(self) -> RetrieverError:
        """Build the error for a process whose output ended, with its final line on stderr."""
        with suppress(TimeoutError):
            async with asyncio.timeout(EXIT_GRACE_S):
                await asyncio.gather(self._process.wait(), asyncio.shield(self._readers[1]))
        code = self._process.returncode
        event = "the process closed its output" if code is None else f"the process exited with status {code}"
        message = self._final_stderr_line
        for secret in self._secrets:
            message = message.replace(secret, "…")
        return RetrieverError(Reason.BROKEN, f"{event}: {message}" if message else event)
