"""Due times go on whatever happens to the clock of the machine."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest

from monitor.adapters.stores.memory.slots import MemorySlots
from monitor.config.config import Schedule
from monitor.model.slots import Slot
from monitor.service.due_slots import DueSlots
from monitor.service.due_times import ADOPTED_AFTER_S, SteadyClock, utc_now
from monitor.service.slots import Slots

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Machine:
    """A machine whose clock can be set, and which can be suspended."""

    def __init__(self) -> None:
        self.wall, self.elapsed_s = NOON, 0.0
        self.clock = SteadyClock(lambda: self.wall, lambda: self.elapsed_s)

    def after(self, seconds: float) -> datetime:
        """The time of the daemon when so much more has passed."""
        self.wall += timedelta(seconds=seconds)
        self.elapsed_s += seconds
        return self.clock.now()


def test_a_clock_set_back_two_hours_does_not_stop_time():
    """Time goes on as before, the lag is known, and once the clock is right again they agree."""
    machine = Machine()
    machine.wall -= 2 * HOUR
    assert machine.after(900.0) == NOON + timedelta(minutes=15)
    assert machine.clock.behind_s == 7_200.0
    machine.wall += 2 * HOUR
    assert machine.after(900.0) == machine.wall
    assert machine.clock.behind_s == 0.0


def test_a_clock_that_stays_behind_for_a_day_is_right():
    """A daemon that began with a wrong clock follows the right one after a day."""
    machine = Machine()
    machine.wall -= 2 * HOUR
    assert machine.after(ADOPTED_AFTER_S - 1.0) > machine.wall
    machine.after(2.0)
    machine.after(ADOPTED_AFTER_S)
    assert machine.after(1.0) == machine.wall


def test_a_jump_forward_a_suspend_and_a_correction_are_followed_at_once():
    """What passed while the machine slept has passed; a few seconds are a correction."""
    machine = Machine()
    machine.wall += HOUR
    assert machine.after(1.0) == NOON + HOUR + timedelta(seconds=1)
    machine.wall -= timedelta(seconds=5)
    assert machine.after(1.0) == machine.wall


class Jumping:
    """A real clock that can be set."""

    def __init__(self) -> None:
        self.jump = timedelta(0)
        self.clock = SteadyClock(lambda: utc_now() + self.jump)


def due_slots(slots: Slots, jumping: Jumping, every: float = 0.1) -> DueSlots:
    """A schedule of ten slots a second."""
    schedule = Schedule(target="docs", suites=("broad",), every=every)
    return DueSlots(name="often", schedule=schedule, plan_digest="digest", slots=slots, clock=jumping.clock)


async def _next(due: DueSlots, n: int) -> list[Slot]:
    taken = []
    for _ in range(n):
        async with asyncio.timeout(60):
            taken.append(await due.take())
        await due.slots.finish(taken[-1], has_data=True)
    return taken


@pytest.mark.parametrize("hours", [-1, 1, -2])
def test_a_clock_that_jumps_neither_stops_nor_doubles_slots(hours):
    """Slots go on after a jump each way and back, each at most once, and those that a jump skips are one."""
    jumping = Jumping()
    store = MemorySlots()

    async def run() -> list[Slot]:
        due = due_slots(Slots(store, "here/1"), jumping)
        taken = await _next(due, 3)
        jumping.jump = hours * HOUR
        taken += await _next(due, 5)
        jumping.jump = timedelta(0)
        return taken + await _next(due, 5)

    started = time.monotonic()
    taken = asyncio.run(run())
    assert len({slot.key for slot in taken}) == len(taken) == len(store.slots)
    assert time.monotonic() - started < 60


def test_a_process_with_a_clock_that_is_behind_takes_turns_with_the_others():
    """A second process whose clock is two hours behind doubles no slot, and goes on when the first one stops."""
    ahead, behind = Jumping(), Jumping()
    behind.jump = -2 * HOUR
    behind.clock = SteadyClock(lambda: utc_now() + behind.jump)
    store = MemorySlots()

    async def run() -> tuple[list[Slot], list[Slot]]:
        first, second = due_slots(Slots(store, "a/1"), ahead), due_slots(Slots(store, "b/1"), behind)
        await _next(first, 3)
        both = await asyncio.gather(_next(first, 5), _next(second, 1))
        return both[0], both[1] + await _next(second, 5)

    one, other = asyncio.run(run())
    assert not {slot.key for slot in one} & {slot.key for slot in other}


def test_a_restart_runs_at_once_and_a_second_process_does_not():
    """Alone, a process begins with a cycle; beside a live one with the same plan, it waits for the next slot."""
    store = MemorySlots()

    async def run() -> tuple[Slot, bool]:
        alone = Slots(store, "a/1", {"often": "docs"})
        await alone.finish(await due_slots(alone, Jumping(), 3_600.0).take(), has_data=True)
        again = await due_slots(Slots(store, "a/2"), Jumping(), 3_600.0).take()
        await alone.finish(again, has_data=True)
        await alone._beat()
        second = asyncio.create_task(due_slots(Slots(store, "b/1"), Jumping(), 3_600.0).take())
        done, _ = await asyncio.wait({second}, timeout=0.3)
        second.cancel()
        return again, bool(done)

    again, second_ran = asyncio.run(run())
    assert again.owner == "a/2"
    assert not second_ran
