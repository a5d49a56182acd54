"""The contract of the slots of a store."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from monitor.adapters.stores.memory.store import MemoryStore
from monitor.adapters.stores.postgres.store import PostgresStore
from monitor.model.deployments import Deployment
from monitor.model.slots import Peer, Slot, SlotStatus
from monitor.ports.service import ServiceStore

pytestmark = pytest.mark.slow
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
SLOT = Slot(schedule="hourly", scheduled_at=NOON, owner="a/1")
Check = Callable[[ServiceStore], Awaitable[None]]


@pytest.fixture(params=["memory", "postgres"])
def check(request: pytest.FixtureRequest) -> Callable[[Check], None]:
    """Run a check against an open store of each kind."""
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else ""

    @asynccontextmanager
    async def opened() -> AsyncIterator[ServiceStore]:
        store: ServiceStore = PostgresStore(url) if url else MemoryStore()
        await store.open()
        try:
            yield store
        finally:
            await store.close()

    def run(body: Check) -> None:
        async def with_store() -> None:
            async with opened() as store:
                await body(store)

        asyncio.run(with_store())

    return run


def test_of_many_claims_one_succeeds(check):
    """Ten processes that claim a slot in the same instant are one owner."""

    async def body(store: ServiceStore) -> None:
        claims = [store.claim_slot(replace(SLOT, owner=f"a/{n}")) for n in range(10)]
        assert sum(await asyncio.gather(*claims)) == 1
        latest = await store.latest_slot("hourly")
        assert latest is not None
        assert latest.status is SlotStatus.RUNNING

    check(body)


def test_a_schedule_runs_in_one_process_at_a_time(check):
    """While a slot runs elsewhere the next one is refused, but not one that follows a declared deployment."""

    async def body(store: ServiceStore) -> None:
        await store.claim_slot(SLOT)
        following = replace(SLOT, scheduled_at=NOON + timedelta(hours=1), owner="b/1")
        assert not await store.claim_slot(following)
        assert await store.claim_slot(replace(following, scheduled_at=NOON + timedelta(minutes=1)), alone=False)
        assert await store.claim_slot(replace(following, scheduled_at=NOON + timedelta(hours=2)))

    check(body)


def test_of_many_takeovers_one_succeeds_and_the_former_owner_is_fenced(check):
    """A slot whose heartbeat moved on is not taken; whoever lost it can neither finish it nor keep it alive."""

    async def body(store: ServiceStore) -> None:
        await store.claim_slot(SLOT)
        assert await store.beat(Peer("a/1", 1), [SLOT.key]) == {SLOT.key}
        assert await store.take_over_slot(SLOT, "b/1") is None
        (stale,) = await store.open_slots(["hourly", "nightly"])
        taken = await asyncio.gather(*(store.take_over_slot(stale, f"b/{n}") for n in range(5)))
        (new,) = [each for each in taken if each is not None]
        assert (new.takeovers, new.status) == (1, SlotStatus.RUNNING)
        assert await store.beat(Peer("a/1", 2), [SLOT.key]) == set()
        assert not await store.finish_slot(SLOT, has_data=True)
        assert await store.finish_slot(new, has_data=True)
        assert not await store.finish_slot(new, has_data=True)
        assert await store.open_slots(["hourly"]) == []

    check(body)


def test_only_the_latest_slot_of_a_schedule_is_open(check):
    """A slot that was handed back is open; one that a later slot replaced is not."""

    async def body(store: ServiceStore) -> None:
        await store.claim_slot(SLOT)
        await store.hand_back_slot(SLOT)
        (open_slot,) = await store.open_slots(["hourly"])
        assert open_slot.status is SlotStatus.HANDED_BACK
        later = replace(SLOT, scheduled_at=NOON + timedelta(hours=1))
        await store.claim_slot(later)
        assert [slot.key for slot in await store.open_slots(["hourly"])] == [later.key]

    check(body)


def test_processes_are_known_until_they_leave(check):
    """A heartbeat is counted, and the schedules of a process are those of its latest one."""

    async def body(store: ServiceStore) -> None:
        await store.beat(Peer("a/1", 1, {"hourly": "docs"}), [])
        await store.beat(Peer("a/1", 2, {"nightly": "docs"}), [])
        assert await store.peers() == [Peer("a/1", 2, {"nightly": "docs"})]
        await store.forget_peer("a/1")
        assert await store.peers() == []

    check(body)


def test_data_has_an_age(check):
    """The age counts from the end of the latest slot with data; one without data changes nothing."""

    async def body(store: ServiceStore) -> None:
        assert await store.seconds_since_data(["hourly"]) == {}
        await store.claim_slot(SLOT)
        await store.finish_slot(SLOT, has_data=True)
        ages = await store.seconds_since_data(["hourly", "nightly"])
        assert ages.keys() == {"hourly"}
        assert 0 <= ages["hourly"] < 60

    check(body)


def test_a_schedule_is_removed_when_no_installation_has_it(check):
    """Another installation with other schedules removes none; the one that had it does, unless another has it."""

    async def body(store: ServiceStore) -> None:
        assert await store.serve_schedules("one", ["hourly", "nightly"]) == []
        assert await store.serve_schedules("two", ["weekly", "nightly"]) == []
        assert await store.serve_schedules("one", []) == ["hourly"]
        assert await store.serve_schedules("two", ["weekly"]) == ["nightly"]

    check(body)


def test_new_deployments_are_read_by_their_number(check):
    """A deployment with an earlier time than the ones before it is new all the same."""

    async def body(store: ServiceStore) -> None:
        first = Deployment(target="docs", name="v1", declared_by="ci", declared_at=NOON)
        await store.save_deployment(first)
        latest = await store.latest_deployment_id()
        earlier = replace(first, name="v2", declared_at=NOON - timedelta(hours=2))
        await store.save_deployment(earlier)
        assert [deployment.name for _, deployment in await store.deployments_after(latest)] == ["v2"]

    check(body)


def test_an_empty_outbox_has_no_backlog(check):
    """Nothing is pending or dead before the first alert."""

    async def body(store: ServiceStore) -> None:
        assert await store.outbox_backlog() == (0, 0, None)
        assert await store.active_incidents(10) == []

    check(body)
