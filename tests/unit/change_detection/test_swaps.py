"""A swap is detected from rankings and answers, declared or not."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from monitor.change_detection.swaps import detect, share_changed
from monitor.errors import Reason
from monitor.model.noise import Noise
from monitor.model.runs import Run
from tests.builders import Brought, a_query, a_run, a_suite, an_outcome

AT = datetime(2026, 3, 2, tzinfo=UTC)
FOUR = a_suite(*(a_query(f"q{number}") for number in range(4)))
BEFORE: Sequence[Brought] = (["a", "b"], ["c"], ["d"], ["e"])


def a_replay(brought: Sequence[Brought], *, deployment: str = "", run_id: str = "run-2") -> Run:
    """A run of four queries; without a deployment name, the fingerprint of the rankings is the name."""
    run = a_run(FOUR, {f"q{number}": each for number, each in enumerate(brought)}, run_id=run_id)
    return replace(run, deployment=deployment or run.fingerprint)


def test_the_first_run_is_not_a_swap():
    """Without a previous run there is no change."""
    assert detect(None, a_replay(BEFORE), at=AT) is None


def test_equal_rankings_are_not_a_swap():
    """A later replay of the same deployment is not a change."""
    assert detect(a_replay(BEFORE, run_id="run-1"), a_replay(BEFORE), at=AT) is None


def test_a_new_name_for_the_same_rankings_is_not_a_swap():
    """A new name without a changed result is not a change for users."""
    assert detect(a_replay(BEFORE, deployment="v1"), a_replay(BEFORE, deployment="v2"), at=AT) is None


def test_a_swap_contains_target_runs_time_and_share():
    """Target, suite, both runs, the instant, and the share of queries whose ranking differs."""
    swap = detect(a_replay(BEFORE, run_id="run-1"), a_replay((["b", "a"], ["c"], ["d"], ["e"])), at=AT)
    assert swap is not None
    assert (swap.target, swap.suite_name) == ("production", "broad")
    assert (swap.previous_run_id, swap.run_id, swap.detected_at) == ("run-1", "run-2", AT)
    assert swap.share_changed == 0.25


@pytest.mark.parametrize(
    ("before", "after", "declared"),
    [
        pytest.param("v1", "v2", True, id="a new name"),
        pytest.param("v1", "v1", False, id="the same name over other rankings"),
        pytest.param("", "", False, id="no name at all"),
        pytest.param("", "v2", True, id="a name for the first time"),
        pytest.param("v1", "", False, id="a removed name"),
    ],
)
def test_a_swap_is_declared_when_the_target_names_the_change(before: str, after: str, declared: bool):
    """Only a new name declares a swap; all others are silent, and detected too."""
    swap = detect(a_replay(BEFORE, deployment=before), a_replay((["x"], *BEFORE[1:]), deployment=after), at=AT)
    assert swap is not None
    assert swap.declared is declared


def test_on_a_deterministic_target_one_changed_ranking_is_a_swap():
    """Without noise in the replays, one changed ranking is a swap."""
    assert detect(a_replay(BEFORE), a_replay((["x"], *BEFORE[1:])), at=AT, noise=Noise(replays=5)) is not None


@pytest.mark.parametrize(
    ("queries", "changed", "is_detected"),
    [
        (1_000, 0.15, False),
        (1_000, 0.2, False),
        (1_000, 0.24, False),
        (1_000, 0.3, True),
        (10, 0.4, False),
        (10, 1, True),
    ],
)
def test_on_a_noisy_target_a_silent_swap_must_exceed_the_noise(queries: int, changed: float, is_detected: bool):
    """If replays change a fifth of the rankings, a swap must change more, and with few queries still more."""
    suite = a_suite(*(a_query(f"q{number}") for number in range(queries)))
    ids = [query.query_id for query in suite.queries]
    before = a_run(suite, dict.fromkeys(ids, "a"))
    after = a_run(suite, {query_id: "b" if number < changed * queries else "a" for number, query_id in enumerate(ids)})
    assert (detect(before, after, at=AT, noise=Noise(replays=5, share_changed=0.2)) is not None) is is_detected


def test_on_a_noisy_target_a_declared_swap_needs_no_minimum_difference():
    """A declared swap with a difference below the noise is a swap."""
    after = a_replay((["x"], *BEFORE[1:]), deployment="v2")
    assert (
        detect(a_replay(BEFORE, deployment="v1"), after, at=AT, noise=Noise(replays=5, share_changed=0.9)) is not None
    )


@pytest.mark.parametrize("failed", ["before", "after"])
def test_a_query_that_failed_in_one_run_is_not_a_swap(failed: str):
    """A timeout is not a new model: all rankings in both runs are equal."""
    whole, partly = a_replay(BEFORE), a_replay((Reason.TIMEOUT, *BEFORE[1:]))
    runs = (partly, whole) if failed == "before" else (whole, partly)
    assert detect(*runs, at=AT) is None


@pytest.mark.parametrize(
    ("before", "after", "share"),
    [
        pytest.param(("ab", "c"), ("ab", "c"), 0, id="nothing"),
        pytest.param(("ab", "c"), ("ba", "c"), 0.5, id="the order of one"),
        pytest.param(("ab", "c"), ("a", "x"), 1, id="all"),
        pytest.param(("ab", "", "c"), ("ab", "x", "c"), 1 / 3, id="one that had been empty"),
        pytest.param(("ab", Reason.TIMEOUT, "c"), ("x", "b", "c"), 0.5, id="a failure before"),
        pytest.param(("ab", "b", "c"), ("x", None, "c"), 0.5, id="a query that was skipped"),
        pytest.param((Reason.TIMEOUT, "b"), ("a", Reason.BROKEN), 0, id="no query ranked twice"),
    ],
)
def test_the_share_is_of_the_queries_that_both_runs_ranked(
    before: Sequence[Brought], after: Sequence[Brought], share: float
):
    """A failed query counts neither as changed nor as ranked."""
    runs = [tuple(an_outcome(f"q{number}", each) for number, each in enumerate(run)) for run in (before, after)]
    assert share_changed(*runs) == pytest.approx(share)
    assert share_changed(*reversed(runs)) == pytest.approx(share)
