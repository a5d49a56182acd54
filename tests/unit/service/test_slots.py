"""Each slot is run by one process, and taken over when that one dies."""

import asyncio
from datetime import UTC, datetime

from monitor.adapters.stores.memory.slots import MemorySlots
from monitor.errors import StoreError
from monitor.model.slots import Slot, SlotStatus
from monitor.service.abandoned_runs import has_ended, this_process
from monitor.service.slots import BEAT_S, LEASE_S, Slots
from tests.waiting import until

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


class Pair:
    """Two processes on one store, with a clock of the test's own."""

    def __init__(self) -> None:
        self.store, self.passed_s = MemorySlots(), 0.0
        self.one, self.other = (
            Slots(self.store, owner, {"hourly": "docs"}, lambda: self.passed_s) for owner in ("a/1/1", "b/1/1")
        )

    async def watch(self, seconds: float, *, beating: bool) -> float | None:
        """Let time pass in beats; when the other process sees an orphan, or None."""
        started_s = self.passed_s
        while self.passed_s - started_s < seconds:
            if beating:
                await self.one._beat()
            if await self.other.orphans():
                return self.passed_s - started_s
            self.passed_s += BEAT_S
        return None

    async def begin(self) -> Slot:
        """A slot of the first process."""
        slot = await self.one.claim("hourly", NOON)
        assert slot is not None
        self.one.started(slot)
        return slot


def test_a_slot_is_taken_once():
    """Of two processes, the second is refused."""
    pair = Pair()

    async def run() -> Slot | None:
        await pair.begin()
        return await pair.other.claim("hourly", NOON)

    assert asyncio.run(run()) is None


def test_a_dead_owners_slot_is_taken_over_within_thirty_seconds_and_a_living_ones_never():
    """While heartbeats come nothing happens for hours; without them the lease is over in less than thirty seconds."""
    pair = Pair()

    async def run() -> None:
        slot = await pair.begin()
        assert await pair.watch(7_200.0, beating=True) is None
        after_s = await pair.watch(7_200.0, beating=False)
        assert after_s is not None
        assert LEASE_S - BEAT_S <= after_s < 30
        (orphan,) = await pair.other.orphans()
        taken = await pair.other.take_over(orphan)
        assert taken is not None
        assert (taken.owner, taken.previous_owner, taken.takeovers) == ("b/1/1", "a/1/1", 1)
        assert pair.other.takeovers == 1
        assert await pair.other.take_over(orphan) is None
        assert not await pair.store.finish_slot(slot, has_data=True)

    asyncio.run(run())


def test_an_observer_that_was_away_takes_nothing_over():
    """After a pause of the observer, or of the database, the owner gets a whole lease again."""
    pair = Pair()

    async def run() -> None:
        await pair.begin()
        assert await pair.other.orphans() == []
        pair.passed_s += 3_600.0
        assert await pair.other.orphans() == []
        assert await pair.watch(7_200.0, beating=True) is None

    asyncio.run(run())


class SlowSlots(MemorySlots):
    """A store whose answer to the end of a slot takes a while."""

    def __init__(self) -> None:
        super().__init__()
        self.is_stored, self.may_answer = asyncio.Event(), asyncio.Event()

    async def finish_slot(self, slot: Slot, *, has_data: bool) -> bool:
        """Store the end at once; the caller hears of it later."""
        was_owner = await super().finish_slot(slot, has_data=has_data)
        self.is_stored.set()
        await self.may_answer.wait()
        return was_owner


def test_a_heartbeat_while_a_slot_is_being_finished_cancels_nothing():
    """A slot that the store has finished before the cycle knows it is neither lost nor finished twice."""

    async def run() -> tuple[bool, int]:
        store = SlowSlots()
        slots = Slots(store, "a/1/1", {"hourly": "docs"})
        slot = await slots.claim("hourly", NOON)
        assert slot is not None
        cycle = asyncio.create_task(slots.finish(slot, has_data=True))
        slots.started(slot, cycle)
        await store.is_stored.wait()
        beating = asyncio.create_task(slots.keep_forever(lambda _: None))
        await until(lambda: slots._beats)
        store.may_answer.set()
        await asyncio.wait({cycle})
        beating.cancel()
        await asyncio.wait({beating})
        return cycle.cancelled(), len(slots._ended)

    assert asyncio.run(run()) == (False, 0)


def test_a_slot_that_was_handed_back_needs_no_wait():
    """Another process continues at once where one stopped in order."""
    pair = Pair()

    async def run() -> None:
        await pair.one.hand_back(await pair.begin())
        (orphan,) = await pair.other.orphans()
        assert await pair.other.take_over(orphan)
        assert pair.other.takeovers == 0

    asyncio.run(run())


def test_a_process_that_lost_its_slot_stops_its_cycle():
    """An owner that was paused for longer than the lease finds out with its next heartbeat."""
    pair = Pair()

    async def run() -> asyncio.Task[None]:
        slot = await pair.one.claim("hourly", NOON)
        assert slot is not None
        cycle: asyncio.Task[None] = asyncio.create_task(asyncio.Event().wait())  # type: ignore[arg-type]
        pair.one.started(slot, cycle)
        await pair.one._beat()
        await pair.other.take_over(pair.store.slots[slot.key])
        await pair.one._beat()
        await asyncio.wait({cycle})
        return cycle

    assert asyncio.run(run()).cancelled()


def test_a_cycle_that_ended_while_the_database_was_away_is_not_run_again():
    """The slot stays its owner's until the database knows that it has ended."""

    class Away(MemorySlots):
        is_away = False

        async def finish_slot(self, slot: Slot, *, has_data: bool) -> bool:
            if Away.is_away:
                raise StoreError("no connection")
            return await super().finish_slot(slot, has_data=has_data)

    async def run() -> SlotStatus:
        slots = Slots(Away(), "a/1/1", {"hourly": "docs"})
        slot = await slots.claim("hourly", NOON)
        assert slot is not None
        slots.started(slot)
        Away.is_away = True
        await slots.finish(slot, has_data=True)
        await slots._beat()
        Away.is_away = False
        keeping = asyncio.create_task(slots.keep_forever(lambda _: None))
        await asyncio.sleep(0.05)
        keeping.cancel()
        latest = await slots.store.latest_slot("hourly")
        assert latest is not None
        return latest.status

    assert asyncio.run(run()) is SlotStatus.FINISHED


def test_only_an_ended_process_of_this_machine_is_known_to_have_ended():
    """The test itself runs; its id with another start time does not; of another machine nothing is known."""
    own = this_process()
    assert not has_ended(own)
    assert has_ended(f"{own}0")
    assert not has_ended("elsewhere:1/1/1")
