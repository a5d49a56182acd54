"""Stored verdicts decided again from the database: the same runs, policy and seed must give the same verdict.

A verdict that another version decided by another method may come out otherwise. That is a change of the procedure, not
of the stored data, so it is reported apart from a difference.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from monitor.decision.verdict import CAUSES, REPLICAS, RUN_BEFORE, decide
from monitor.errors import StoreError
from monitor.evaluation.scoring import measure
from monitor.model.measurements import Measured
from monitor.model.results import SuiteResult
from monitor.model.suites import Suite
from monitor.model.verdicts import Evidence, Look, Verdict
from monitor.plan import Plan
from monitor.ports.records import StoredRuns
from monitor.reports.terminal import finite


@dataclass(frozen=True, slots=True)
class Recomputation:
    """A stored verdict, the recomputed one, and the first difference between them."""

    stored: Verdict
    recomputed: Verdict | None
    """None if the verdict cannot be recomputed."""
    first_difference: str
    """Empty if there is none. Of a verdict by another method, the first one besides the name."""

    @property
    def is_by_other_method(self) -> bool:
        """Whether the verdict was decided by the method of another version."""
        return self.recomputed is not None and self.stored.method != self.recomputed.method

    @property
    def is_identical(self) -> bool:
        """Whether method, name, evidence (every float exactly) and seed are the same."""
        return not self.first_difference and not self.is_by_other_method

    @property
    def is_different(self) -> bool:
        """Whether the same method gives another result, or none."""
        return bool(self.first_difference) and not self.is_by_other_method


async def recompute(stored: Verdict, store: StoredRuns) -> Recomputation:
    """Decide a verdict again.

    1. Load its runs and baseline runs with the suites that they were replayed from, and measure them. Measures that
       the verdict has no evidence of, because they were added to recallwatch later, are left out.
    2. Decide with the stored policy, as a look if it was one, and with the run before a swap where there was one.
    3. Compare name, evidence and seed.

    A run or suite that is no longer stored counts as a difference.
    """
    try:
        recomputed = await _decide_again(stored, store)
    except StoreError as error:
        return Recomputation(stored, None, f"cannot be recomputed: {error}")
    compare = differences if stored.method == recomputed.method else differences_in_evidence
    return Recomputation(stored, recomputed, next(compare(stored, recomputed), ""))


def differences(stored: Verdict, recomputed: Verdict) -> Iterator[str]:
    """One sentence for each difference in name, seed, evidence and the step since the run before."""
    if stored.name != recomputed.name:
        yield f"name: stored {stored.name}, recomputed {recomputed.name}"
    yield from differences_in_evidence(stored, recomputed)


def differences_in_evidence(stored: Verdict, recomputed: Verdict) -> Iterator[str]:
    """One sentence for each difference in seed, evidence and the step since the run before."""
    if stored.seed != recomputed.seed:
        yield f"seed: stored {stored.seed}, recomputed {recomputed.seed}"
    before, after = _by_place(stored), _by_place(recomputed)
    for place in (*before, *(place for place in after if place not in before)):
        if place not in before or place not in after:
            yield f"evidence of {' '.join(place)}: only {'stored' if place in before else 'recomputed'}"
            continue
        for field, value in before[place].items():
            if value != after[place][field]:
                yield f"{field} of {' '.join(place)}: stored {value!r}, recomputed {after[place][field]!r}"
    steps = [verdict.insights.get(RUN_BEFORE, {}).get("verdict") for verdict in (stored, recomputed)]
    if steps[0] != steps[1]:
        yield f"verdict against the run before the swap: stored {steps[0]}, recomputed {steps[1]}"


def _by_place(verdict: Verdict) -> dict[tuple[str, ...], dict[str, Any]]:
    """Evidence by suite, stratum and measure; None for an infinity or NaN, which a database stores as null."""
    return {_place(row): {name: finite(value) for name, value in asdict(row).items()} for row in verdict.evidence}


def _place(evidence: Evidence) -> tuple[str, ...]:
    return evidence.suite, evidence.stratum, evidence.measure


async def _decide_again(stored: Verdict, store: StoredRuns) -> Verdict:
    loader = _Loader(stored, store)
    measured = [await loader.load(run_id) for run_id in stored.run_ids]
    baselines = [await loader.load(run_id) for run_id in stored.baseline_run_ids]
    by_suite = {baseline.suite.name: baseline for baseline in baselines}
    steps: Mapping[str, tuple[str, str]] = stored.insights.get(RUN_BEFORE, {}).get("runs", {})
    results = [
        SuiteResult(
            measured=each,
            baseline=by_suite.get(each.suite.name),
            previous=await loader.load(steps[each.suite.name][0], each.suite) if each.suite.name in steps else None,
        )
        for each in measured
    ]
    plan = Plan(target=stored.target, suites=tuple(each.suite for each in measured), policy=stored.policy)
    # The stored policy already holds the error level of the look.
    look = Look(stored.look, stored.look_reason, stored.policy.alpha_page) if stored.look_reason else None
    return decide(
        plan,
        results,
        look,
        cycle_id=stored.cycle_id,
        at=stored.decided_at,
        causes=stored.insights.get(CAUSES, {}),
        replicas=stored.insights.get(REPLICAS, 0),
    )


@dataclass(frozen=True, slots=True)
class _Loader:
    """Loads runs with the measurements that a verdict was decided on."""

    stored: Verdict
    store: StoredRuns

    async def load(self, run_id: str, suite: Suite | None = None) -> Measured:
        """A run with its measurements, by the suite that it was replayed from or by a given one."""
        run = await self.store.load_run(run_id)
        suite = suite or await self.store.load_suite(run.suite_digest)
        if run.dropped_at:
            measured = await self.store.load_measured(run_id)
        else:
            measured = measure(run, suite, Plan(target=run.target, suites=(suite,), policy=self.stored.policy).measures)
        names = dict.fromkeys(row.measure for row in self.stored.evidence if row.suite == suite.name)
        if not names:
            return measured
        measurements = {name: measured.measurements[name] for name in names if name in measured.measurements}
        return replace(measured, measurements=measurements)
