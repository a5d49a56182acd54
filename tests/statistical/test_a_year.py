"""A year of hourly cycles against a noisy target: the daemon's own timetable and cycle, on a clock that is turned."""

import asyncio
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta

import pytest
import structlog

from monitor.adapters.exporters.prometheus import Metrics
from monitor.config.config import Schedule
from monitor.cycle import Report
from monitor.model.deployments import Baseline
from monitor.service.schedule import Scheduler
from monitor.service.triggers import trigger_of
from tests.unit.change_detection.test_monitor import Service, Target

pytestmark = pytest.mark.slow

HOURLY = Schedule(target="target", suites=("suite",), every="1h")


def hours(service: Service, count: int) -> Iterator[Report]:
    """The reports of so many cycles, each at the moment the schedule's own trigger names."""
    trigger = trigger_of(HOURLY, where="schedules.hourly")
    scheduler = Scheduler(Metrics(), {"hourly": (HOURLY, service.plan, service.world)})
    due = service.clock
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    # A runner would describe every report to the signal handler, which takes longer than the cycle.
    with closing(asyncio.new_event_loop()) as loop:
        for _ in range(count):
            due = trigger.get_next_fire_time(due, due + timedelta(seconds=1))
            service.clock = due
            report = loop.run_until_complete(scheduler.run("hourly"))
            if not service.store.promoted:
                run_id = report.measured[0].run.run_id
                baseline = Baseline(
                    target="target",
                    suite_name="suite",
                    run_id=run_id,
                    promoted_by="test",
                    reason="first",
                    promoted_at=service.clock,
                )
                loop.run_until_complete(service.store.promote(baseline))
            forget_old_runs(service, report)
            yield report


def forget_old_runs(service: Service, report: Report) -> None:
    """What a store keeps on disk for years need not be kept in the memory of a test."""
    state = service.store.detector_states.get(("target", "suite"))
    compared = {each.previous_run_id for each in state.judged.values()} if state else set()
    needed = {service.store.promoted[-1].run_id, report.measured[0].run.run_id} | compared
    for run_id in set(service.store.runs) - needed:
        for table in (service.store.runs, service.store.outcomes, service.store.measured):
            table.pop(run_id, None)
    del service.store.verdicts[:-1]


@pytest.mark.timeout(1_200)
def test_a_quarter_of_hourly_looks_at_a_noisy_target_pages_nobody():
    """2,190 cycles of jitter: no page, and at most a handful of looks; the study simulates whole years."""
    service = Service(Target(11, noise=0.1))
    paged = looks = swaps = 0
    for report in hours(service, 2_190):
        paged += report.verdict.name.pages
        looks = max(looks, report.verdict.look)
        swaps += len(report.swaps)
    assert paged == 0
    assert looks <= 5
    assert swaps <= 5


@pytest.mark.parametrize("seed", range(8))
def test_a_drop_of_a_tenth_is_paged_within_four_looks(seed):
    """A tenth of the answers vanish in the middle of the noise, and on-call knows within four hours.

    The first silent look of a year has the level 0.0025; 200 queries show a smaller drop too seldom.
    """
    service = Service(Target(20 + seed, noise=0.1))
    reports = hours(service, 64)
    for _ in range(60):
        assert not next(reports).verdict.name.pages
    service.target.lost = 0.1
    assert any(report.verdict.name.pages for report in reports)


@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_a_point_a_night_is_caught_against_the_pinned_baseline(noise):
    """No single night is a drop; the pinned baseline sees what they add up to, before a tenth is gone."""
    service = Service(Target(31, noise=noise))
    for hour, report in enumerate(hours(service, 24 * 10)):
        if report.verdict.name.pages:
            break
        service.target.lost = 0.01 * (hour // 24)
    else:
        pytest.fail("ten points were lost, and nobody was told")
