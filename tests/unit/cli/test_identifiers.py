"""Names of runs on the command line."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from monitor.adapters.stores.memory.store import MemoryStore
from monitor.cli.identifiers import load_run
from monitor.errors import StoreError
from monitor.model.deployments import Baseline
from monitor.model.runs import RunStatus
from tests.builders import a_measured, a_query, a_suite

START = datetime(2026, 3, 1, tzinfo=UTC)
SUITES = {name: a_suite(a_query("q1"), name=name) for name in ("broad", "support")}


async def a_store(*places: tuple[str, str]) -> MemoryStore:
    """A store with two finished runs of each target and suite, the first of which is the baseline."""
    store = MemoryStore()
    for target, suite_name in places:
        suite = SUITES[suite_name]
        await store.save_suite(suite)
        for number in range(2):
            measured = a_measured(suite, {"q1": ["d1"]})
            run = replace(
                measured.run, run_id=f"{target}-{suite_name}-{number}", target=target, suite_name=suite_name,
                suite_digest=suite.digest, started_at=START + timedelta(hours=number), status=RunStatus.RUNNING,
            )  # fmt: skip
            await store.start_run(run)
            await store.save_outcomes(run.run_id, measured.run.outcomes)
            await store.finish_run(replace(measured, run=replace(run, status=RunStatus.FINISHED, finished_at=START)))
        await store.promote(
            Baseline(
                target=target,
                suite_name=suite_name,
                run_id=f"{target}-{suite_name}-0",
                promoted_by="ada",
                reason="first",
                promoted_at=START,
            )
        )
    return store


def name_of(name: str, *places: tuple[str, str]) -> str:
    """The id of the run that a name means."""

    async def load() -> str:
        return (await load_run(await a_store(*places), name)).run_id

    return asyncio.run(load())


@pytest.mark.parametrize(
    ("name", "run_id"),
    [
        ("@baseline", "production-broad-0"),
        ("@latest", "production-broad-1"),
        ("@latest:production", "production-broad-1"),
        ("@baseline:production/broad", "production-broad-0"),
    ],
)
def test_a_run_has_a_name(name: str, run_id: str):
    """`@baseline` is the trusted run, `@latest` the newest finished one."""
    assert name_of(name, ("production", "broad")) == run_id


def test_a_place_selects_one_of_several_runs():
    """Where there are several targets or suites, `:TARGET/SUITE` behind the name selects one."""
    places = (("production", "broad"), ("staging", "support"))
    assert name_of("@latest:staging", *places) == "staging-support-1"
    assert name_of("@baseline:production/broad", *places) == "production-broad-0"


def test_an_ambiguous_name_lists_the_names_to_choose_from():
    """The message has what to type."""
    with pytest.raises(
        StoreError, match="@latest is one of several: @latest:production/broad, @latest:staging/support"
    ):
        name_of("@latest", ("production", "broad"), ("staging", "support"))


@pytest.mark.parametrize(
    ("name", "message"), [("@first", "@baseline and @latest"), ("@latest:nowhere", "there is no run @latest:nowhere")]
)
def test_an_unknown_name_is_refused(name: str, message: str):
    """The message says which names there are."""
    with pytest.raises(StoreError, match=message):
        name_of(name, ("production", "broad"))
