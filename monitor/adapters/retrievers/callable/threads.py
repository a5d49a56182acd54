"""Calls that block, each in a thread that nothing else waits for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from monitor.errors import Reason, RetrieverError


class Threads:
    """Runs each call in a thread of its own: one that is stuck holds up neither the others nor the end."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._under_way = 0

    async def run(self, call: Callable[..., Any], *arguments: Any) -> Any:
        """What the call returns or raises."""
        if self._under_way >= self._most:
            raise RetrieverError(Reason.TIMEOUT, f"{self._under_way} earlier calls have not returned yet")
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Any] = loop.create_future()

        def tell(found: Any, error: Exception | None) -> None:
            self._under_way -= 1
            if done.done():  # nobody waits any more after the timeout
                return
            if error is None:
                done.set_result(found)
            else:
                done.set_exception(error)

        def work() -> None:
            found: Any = None
            failed: Exception | None = None
            try:
                found = call(*arguments)
            except StopIteration:  # no future takes it
                failed = RuntimeError("StopIteration")
            except Exception as error:  # noqa: BLE001 - whatever it is, whoever waits gets it
                failed = error
            with suppress(RuntimeError):  # the loop may have closed in the meantime
                loop.call_soon_threadsafe(tell, found, failed)

        self._under_way += 1
        threading.Thread(target=work, name="recallwatch-callable", daemon=True).start()
        return await done
