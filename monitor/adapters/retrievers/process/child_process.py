"""A child process that answers JSON lines with JSON lines, in any order."""

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

PATIENCE_S = 0.5
"""How long a process may take to end by itself once its input is closed."""
_TOLD_CHARACTERS = 200


class Child:
    """A running process. `start` makes one."""

    def __init__(self, process: asyncio.subprocess.Process, secrets: Sequence[str]) -> None:
        self.n_answers = 0
        self._process = process
        self._secrets = secrets
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._last_words = ""
        self._failure: RetrieverError | None = None
        self._reading = [asyncio.create_task(self._read_answers()), asyncio.create_task(self._read_errors())]

    @classmethod
    async def start(cls, command: Sequence[str], cwd: Path | None, env: Mapping[str, str], limit: int) -> Child:
        """A new process, at the head of a group of its own so that it can be ended with all that it starts."""
        pipe = asyncio.subprocess.PIPE
        try:
            process = await asyncio.create_subprocess_exec(
                *command, stdin=pipe, stdout=pipe, stderr=pipe, cwd=cwd, env={**os.environ, **env},
                limit=limit, start_new_session=True,
            )  # fmt: skip
        except (OSError, ValueError) as error:  # ValueError: a NUL in an argument
            raise RetrieverError(Reason.UNREACHABLE, f"it cannot be started: {type(error).__name__}") from error
        return cls(process, [value for value in env.values() if value])

    @property
    def has_ended(self) -> bool:
        """Whether it will answer nothing more."""
        return self._failure is not None

    async def ask(self, number: int, line: bytes) -> dict[str, Any]:
        """The answer with this number."""
        if self._failure is not None:
            raise self._failure
        answer: asyncio.Future[dict[str, Any]]
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            assert self._process.stdin is not None  # noqa: S101 - it was asked for
            self._process.stdin.write(line + b"\n")
            with suppress(ConnectionError):  # that it has ended shows at its output
                await self._process.stdin.drain()
            return await answer
        finally:
            self._waiting.pop(number, None)

    async def end(self, patience_s: float = PATIENCE_S) -> None:
        """Let it end, or make it and all that it started."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(patience_s):
                    await self._process.wait()
        finally:  # also where whoever waits for this is cancelled
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            for task in self._reading:
                task.cancel()
        await asyncio.gather(*self._reading, return_exceptions=True)
        with suppress(TimeoutError):  # a process outside of the group may still hold a pipe
            async with asyncio.timeout(PATIENCE_S):
                for pipe in (self._process.stdout, self._process.stderr):
                    while pipe is not None and await pipe.read(65_536):
                        pass  # a pipe is closed once it is empty
                await self._process.wait()

    async def _read_answers(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 - it was asked for
        failure = None
        try:
            async for line in self._process.stdout:
                self._take(line)
        except ValueError:  # a line beyond the limit, or not JSON: what comes next belongs to nobody knows what
            failure = RetrieverError(Reason.MALFORMED, "it wrote a line that is no answer, or too long for one")
        if failure is None:
            failure = await self._obituary()
        self._failure = failure
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(failure)

    def _take(self, line: bytes) -> None:
        answer = orjson.loads(line)
        number = answer.get("id") if isinstance(answer, dict) else None
        if not isinstance(number, int):
            raise ValueError("an answer has a number")  # noqa: TRY004 - wrong as a line that is not JSON is
        self.n_answers += 1
        waiting = self._waiting.get(number)
        if waiting is not None and not waiting.done():  # else nobody waits for it any more
            waiting.set_result(answer)

    async def _read_errors(self) -> None:
        """Keep the last line, and keep the pipe empty: a full one would hold the process up."""
        assert self._process.stderr is not None  # noqa: S101 - it was asked for
        while part := await self._process.stderr.read(65_536):
            said = (self._last_words + part.decode(errors="replace")).strip()
            self._last_words = said.rpartition("\n")[2][-_TOLD_CHARACTERS:]

    async def _obituary(self) -> RetrieverError:
        """Its output has ended: what it said last."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                await asyncio.gather(self._process.wait(), asyncio.shield(self._reading[1]))
        code = self._process.returncode
        told = "it closed its output" if code is None else f"it ended with status {code}"
        words = self._last_words
        for secret in self._secrets:
            words = words.replace(secret, "…")
        return RetrieverError(Reason.BROKEN, f"{told}: {words}" if words else told)
