"""Run blocking calls in daemon threads."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from monitor.errors import Reason, RetrieverError


class Threads:
    """Runs each call in a separate thread, so that a stuck call blocks neither other calls nor the exit."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._n_running = 0

    async def run(self, call: Callable[..., Any], *arguments: Any) -> Any:
        """Run the call and return its result, or raise its exception."""
        if self._n_running >= self._limit:
            raise RetrieverError(Reason.TIMEOUT, f"{self._n_running} earlier calls have not returned yet")
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Any] = loop.create_future()

        def finish(result: Any, error: Exception | None) -> None:
            self._n_running -= 1
            if done.done():  # the caller has timed out
                return
            if error is None:
                done.set_result(result)
            else:
                done.set_exception(error)

        def work() -> None:
            result: Any = None
            failure: Exception | None = None
            try:
                result = call(*arguments)
            except StopIteration:  # a future cannot hold it
                failure = RuntimeError("StopIteration")
            except Exception as error:  # noqa: BLE001 - passed on to the caller
                failure = error
            with suppress(RuntimeError):  # the loop may be closed by now
                loop.call_soon_threadsafe(finish, result, failure)

        self._n_running += 1
        threading.Thread(target=work, name="recallwatch-callable", daemon=True).start()
        return await done
