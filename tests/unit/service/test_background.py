"""A background loop never ends silently: an error is logged, counted and followed by another start."""

import asyncio

import pytest

from monitor.service import background


def test_a_loop_that_fails_is_counted_and_started_again_beside_the_others(monkeypatch: pytest.MonkeyPatch):
    """Two errors are two counts under the loop's name; the third start works, and the other loop ran all the time."""
    monkeypatch.setattr(background, "RESTART_S", 0.0)

    async def check() -> tuple[list[str], int]:
        failures: list[str] = []
        works, starts, beats = asyncio.Event(), 0, 0

        async def fragile() -> None:
            nonlocal starts
            starts += 1
            if starts < 3:
                raise KeyError("a defect")
            works.set()
            await asyncio.Event().wait()

        async def steady() -> None:
            nonlocal beats
            beats += 1
            await asyncio.Event().wait()

        async with background.in_background({"fragile": fragile, "steady": steady}, failures.append):
            await works.wait()
        return failures, beats

    assert asyncio.run(check()) == (["fragile", "fragile"], 1)


def test_a_loop_that_ends_by_itself_is_not_started_again():
    """A loop without work, such as the watchdog of systemd where there is none, is over after one run."""
    starts = []

    async def idle() -> None:
        starts.append(1)

    asyncio.run(background.keep_running("idle", idle, lambda _: None))
    assert starts == [1]
