"""The short way to the database: limits, lost connections, and poolers that keep no session."""

import asyncio
from collections.abc import Mapping

import psycopg
import pytest

from monitor.adapters.stores.postgres.bounded_connection import BoundedConnection
from monitor.adapters.stores.postgres.connection import DatabaseLimits
from monitor.adapters.stores.postgres.store import PostgresStore
from monitor.errors import StoreError
from monitor.model.slots import Slot
from monitor.testing.runs import NOW, a_run, a_suite, outcomes_of

pytestmark = pytest.mark.slow


@pytest.fixture(params=["direct", "through a pooler"])
def url(request: pytest.FixtureRequest, postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a database, and whether its sessions keep settings and prepared statements."""

    async def behind_a_pooler(self: BoundedConnection, _: Mapping[str, str]) -> None:
        await self.set_autocommit(True)

    if request.param == "through a pooler":
        monkeypatch.setattr(BoundedConnection, "prepare_session", behind_a_pooler)
    return postgres_url


def test_limits_hold_and_work_goes_on(url: str) -> None:
    """A statement that takes too long is cancelled by the limit of the configuration, on either way."""

    async def story() -> None:
        store = PostgresStore(url, DatabaseLimits(statement_timeout_s=0.5, lock_timeout_s=0.2, pool_size=2))
        await store.open()
        try:
            for _ in range(3):
                with pytest.raises(StoreError, match=r"storage\.statement_timeout"):
                    async with store._lane() as lane:
                        await lane.rows("SELECT pg_sleep(30)", {})
            async with store._transaction() as holder:
                await holder.exec_driver_sql("LOCK TABLE slot")
                with pytest.raises(StoreError, match="lock timeout"):
                    await store.finish_slot(Slot(schedule="a", scheduled_at=NOW, owner="b"), has_data=True)
            assert store.connections[0] == 0
            assert (await store.revisions("target", ["sample"])).states == {}
        finally:
            await store.close()

    asyncio.run(story())


def test_a_second_run_with_the_same_results_is_stored_by_reference(url: str) -> None:
    """Known contents take one round trip; a double, a closed run and an unknown query are refused by name."""

    async def story() -> None:
        store, suite = PostgresStore(url), a_suite()
        await store.open()
        try:
            await store.save_suite(suite)
            for run_id in ("first", "second"):
                await store.start_run(a_run(suite, run_id))
                await store.save_outcomes(run_id, outcomes_of(suite))
                with pytest.raises(StoreError, match="already has an outcome"):
                    await store.save_outcomes(run_id, outcomes_of(suite)[1:])
            first, second = [await store.load_run(run_id) for run_id in ("first", "second")]
            assert set(first.outcomes) == set(second.outcomes) == set(outcomes_of(suite))
            await store.start_run(a_run(suite, "third"))
            await store.interrupt_run("third", NOW)
            with pytest.raises(StoreError, match="no longer running"):
                await store.save_outcomes("third", outcomes_of(suite))
        finally:
            await store.close()

    asyncio.run(story())


def test_connections_that_the_server_closed_are_replaced(url: str) -> None:
    """After the server ended every session, one statement may fail; those after it have new connections."""

    async def story() -> None:
        store = PostgresStore(url)
        await store.open()
        try:
            await asyncio.gather(*(store.revisions("target", []) for _ in range(5)))
            with psycopg.connect(url, autocommit=True) as other:
                other.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            with pytest.raises(StoreError, match="unreachable"):
                await store.revisions("target", [])
            for _ in range(5):
                await store.revisions("target", [])
            assert await store.detector_state("target", "sample") is None
        finally:
            await store.close()

    asyncio.run(story())
