"""Level 1: quiet while only noise moves, loud soon after a drop, and never a spender of the error budget."""

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.model.noise import DetectorState, Noise, Series
from monitor.statistics.e_detector import (
    BETS,
    MEAN_RUN_LENGTH,
    REMEMBERED,
    alarms,
    level_of,
    observe,
    quiet,
    runs_since_change,
)
from monitor.statistics.error_budget import alpha_of_silent_look, within_a_year
from monitor.statistics.noise_floor import noise_floor

NOW = datetime(2026, 1, 1, tzinfo=UTC)
A_TARGET = {"baseline": 0.8, "deviation": 0.01, "queries": 1_000}


def after(values, series=None, **how):
    """The series after these run means, and after which of them it alarmed."""
    series = series or Series()
    for count, value in enumerate(values, 1):
        series = observe(series, now=float(value), **(A_TARGET | how))
        if alarms({"s": series}):
            return series, count
    return series, None


@pytest.mark.slow
def test_a_year_of_noise_raises_no_alarm():
    """In 20 series of 8,760 hourly runs of pure noise, at the estimated floor, no detector alarms."""
    for seed in range(20):
        rng = np.random.default_rng(seed)
        replays = [{"s": float(value)} for value in rng.normal(0.8, 0.01, 24)]
        floor = noise_floor(replays, [0.3] * 23, queries=500)
        baseline = replays[0]["s"]
        _, alarm = after(rng.normal(0.8, 0.01, 8_760), baseline=baseline, deviation=floor.deviations["s"])
        assert alarm is None


@pytest.mark.parametrize(("drop", "patience"), [(0.06, 6), (0.05, 12)])
def test_a_drop_is_found_within_a_few_runs(drop, patience):
    """Six deviations below the baseline are found in six runs, five in twelve."""
    delays = [after(np.random.default_rng(seed).normal(0.8 - drop, 0.01, 100))[1] for seed in range(50)]
    assert np.mean([delay is not None and delay <= patience for delay in delays]) >= 0.9


def test_a_rise_never_alarms():
    """Getting better is not a drop."""
    assert after([0.95] * 500)[1] is None


def test_a_drop_within_the_tolerance_never_alarms():
    """One per cent of the baseline may be lost for ever without a page."""
    assert after([0.8 * 0.99] * 5_000)[1] is None


def test_the_detector_is_the_recurrence_of_the_literature():
    """R ← (R + 1)·exp(λz − λ²/2) for every bet, and the evidence is the mean over the bets."""
    series = observe(Series(), now=0.75, **A_TARGET)
    drop = (0.8 - 0.75 - max(0.01 * 0.8, 3 * 0.01)) / 0.01
    expected = [math.exp(bet * drop - bet * bet / 2) for bet in BETS]
    assert series.bets == pytest.approx(expected)
    again = observe(series, now=0.75, **A_TARGET)
    assert again.bets == pytest.approx([(r + 1) * e for r, e in zip(expected, expected, strict=True)])
    assert again.evidence == pytest.approx(np.mean(again.bets))


@given(st.lists(st.floats(0, 1), max_size=200))
def test_the_state_stays_small_and_finite(values):
    """Whatever happens, a series is six finite floats and a bounded memory."""
    series = Series()
    for value in values:
        series = observe(series, now=value, **A_TARGET)
    assert all(map(math.isfinite, series.bets))
    assert len(series.drops) <= REMEMBERED


def test_one_query_that_comes_or_goes_is_noise_even_if_no_replay_showed_it():
    """A measure that all replays agreed on does not alarm when a single query moves."""
    assert after([0.8 - 1 / 50] * 3, deviation=0.0, queries=50)[1] is None


def test_more_series_need_more_evidence():
    """The threshold is the run length times the number of series, so that many series do not cry wolf."""
    loud = Series(bets=(MEAN_RUN_LENGTH * 1.5,) * len(BETS))
    assert alarms({"a": loud}) == ("a",)
    assert alarms({"a": loud, "b": Series()}) == ()


def test_the_surest_alarm_comes_first():
    """The series are told in the order of their evidence."""
    series = {name: Series(bets=(value,) * 6) for name, value in (("a", 1e9), ("b", 1e12), ("c", 0.0))}
    assert alarms(series) == ("b", "a")


def test_an_alarm_that_was_looked_into_is_not_raised_again_by_the_same_drop():
    """After a look the detector starts from the level that was looked at; a further drop alarms anew."""
    series, _ = after([0.7] * 10)
    state = quiet(DetectorState(baseline_run_id="run", series={"s": series}), {"s": 0.7})
    assert after([0.7] * 500, state.series["s"])[1] is None
    assert after([0.6] * 10, state.series["s"])[1] is not None


@pytest.mark.parametrize("began", [1, 3, 20])
def test_the_beginning_of_a_drop_is_estimated(began):
    """The estimate is within two runs of when the drop began."""
    rng = np.random.default_rng(began)
    series = Series()
    for value in [*rng.normal(0.8, 0.01, 40), *rng.normal(0.74, 0.01, began)]:
        series = observe(series, now=float(value), **A_TARGET)
    assert abs(runs_since_change(series) - began) <= 2


def test_identical_replays_make_a_deterministic_target():
    """Equal rankings in every replay are no noise; one differing ranking is some."""
    means = [{"s": 0.5}] * 5
    assert noise_floor(means, [0.0] * 5, queries=10).is_deterministic
    assert not noise_floor(means, [0.0] * 4 + [0.1], queries=10).is_deterministic
    assert not Noise().is_deterministic


def test_the_floor_is_an_upper_bound_in_95_of_100_calibrations():
    """The deviation from 24 replays is at least the true one in about 95 % of 2,000 calibrations."""
    rng = np.random.default_rng(7)
    bounds = [
        noise_floor([{"s": float(v)} for v in rng.normal(0.8, 0.01, 24)], [0.1] * 24, queries=10).deviations["s"]
        for _ in range(2_000)
    ]
    assert np.mean(np.array(bounds) >= 0.01) > 0.95 - 3 * math.sqrt(0.05 * 0.95 / 2_000)


def test_replays_that_agree_with_the_baseline_sharpen_it_and_others_do_not():
    """Replays of the baseline's own deployment tell its level from 24 runs; those of another are left aside."""
    noise = Noise(replays=24, queries=100, share_changed=0.1, deviations={"s": 0.01}, means={"s": 0.81})
    assert level_of(0.8, noise, "s") == (0.81, 24)
    assert level_of(0.9, noise, "s") == (0.9, 1)
    assert level_of(0.8, Noise(replays=24, queries=100, share_changed=0.1, deviations={"s": 0.01}), "s") == (0.8, 1)


def test_correlated_replays_have_a_higher_floor():
    """A drifting target's long-run variance is used, not the small one between neighbours."""
    rng = np.random.default_rng(3)
    steps = rng.normal(0, 1, 24)
    drift = np.empty(24)
    drift[0] = steps[0]
    for at in range(1, 24):
        drift[at] = 0.9 * drift[at - 1] + steps[at]
    values = 0.8 + 0.01 * drift
    correlated = noise_floor([{"s": float(v)} for v in values], [0.1] * 23, queries=10).deviations["s"]
    assert correlated > 1.3 * float(values.std(ddof=1))


@given(st.integers(1, 500))
def test_the_looks_of_a_year_never_spend_more_than_the_budget(looks):
    """However many looks, their levels sum to at most α_year, and none is above α_page."""
    levels = [alpha_of_silent_look(n, alpha_page=0.01, alpha_year=0.05) for n in range(1, looks + 1)]
    assert sum(levels) <= 0.05
    assert max(levels) <= 0.01
    assert levels[:10] == [0.0025] * min(looks, 10)
    assert levels[10:] == sorted(levels[10:], reverse=True)


def test_looks_older_than_a_year_do_not_count():
    """The budget is that of the last 365 days."""
    looks = (NOW - timedelta(days=400), NOW - timedelta(days=364), NOW)
    assert within_a_year(looks, NOW) == looks[1:]
