"""Cycles of a simulated service, decided by the functions that decide in production.

Each hour `detect_change` reads the summary of the run, `choose_look` and `next_state` choose and pay for the look, and
`weigh` judges the runs of a look. Rankings are built for looks and replays only; the summaries of all hours are arrays.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from benchmarks.study.generator import DOCUMENTS, RECALL
from benchmarks.study.runs import measured as values_of
from benchmarks.study.scenarios import CLUSTER, RIGHT, WRONG, Codes, Service, ranking, suite_of
from monitor.change_detection import noise as noise_floors
from monitor.change_detection.look import choose_look, next_state
from monitor.change_detection.monitor import detect_change
from monitor.change_detection.summary import CycleSummary, RunSummary
from monitor.change_detection.swaps import is_beyond_noise
from monitor.decision.verdict import seed_of, weigh
from monitor.evaluation.answers.measurements import answers_fingerprint
from monitor.evaluation.scoring import fingerprint, measure
from monitor.model.answers import Answer, Reply
from monitor.model.deployments import Swap
from monitor.model.measurements import Floats, Measured
from monitor.model.noise import CycleChange, DetectorState, Noise
from monitor.model.policies import Policy
from monitor.model.results import SuiteResult
from monitor.model.runs import Outcome, Run
from monitor.model.suites import Axis, Suite
from monitor.model.verdicts import Look, VerdictName
from monitor.statistics.churn import is_learned

ANSWER = "answer_f1"
START = datetime(2026, 1, 1, tzinfo=UTC)
POLICY = Policy(gating={Axis.BROAD: (RECALL, ANSWER)}, resamples=1_999)


@dataclass(frozen=True, slots=True)
class Cycle:
    """One cycle that was decided."""

    hour: int
    look: Look | None
    is_new: bool
    """Whether a change asked for the look, rather than results that were judged before."""
    name: VerdictName | None
    """The verdict; None where no look was taken and the verdict was not requested."""

    @property
    def pages(self) -> bool:
        """Whether on-call is paged."""
        return self.look is not None and self.name is not None and self.name.pages


class Simulation:
    """All hours of a service, and the replays it would have answered."""

    def __init__(
        self,
        service: Service,
        rng: np.random.Generator,
        *,
        policy: Policy = POLICY,
        measures: Sequence[str] = (RECALL,),
    ) -> None:
        self.service, self.rng, self.policy, self.measures = service, rng, policy, measures
        self.suite = suite_of(service.n_queries, answered=service.right is not None)
        hours = np.arange(len(service.chance))
        self.codes = service.request(hours, rng)
        self.answers = service.answers(hours, rng)
        self.identities = _identities(self.codes)
        self.means = _means(self.codes, self.answers)
        self.share = np.append(0.0, (self.codes[1:] != self.codes[:-1]).mean(axis=1))
        self.clusters_moved = _clusters_changed(self.codes[0], self.codes, self.answers)
        self._baseline = self._run(0)
        self.replayed: dict[int, list[tuple[Codes, NDArray[np.bool_] | None]]] = {}
        self._verdicts: dict[tuple[object, ...], VerdictName] = {}
        self._quiet: Noise | None = None
        """The noise floor of a service that always repeats itself: no run of it makes another one."""

    def cycles(self, *, judge_all: bool = False, judged_from: int = 0) -> Iterator[Cycle]:
        """Decide hour by hour; the run of the first hour becomes the baseline after it.

        Looks before ``judged_from`` spend from the budget and are not judged; ``judge_all`` also judges cycles without
        a look, as a daemon does.
        """
        state: DetectorState | None = None
        incident_is_open = False
        for hour in range(len(self.codes)):
            noise = self._noise(state, hour)
            detection = detect_change(state, noise, self._summary(state, noise, hour))
            now = START + timedelta(hours=hour + 1)
            look = choose_look([detection], self.policy, incident_is_open=incident_is_open, now=now)
            state = next_state(detection, look)
            compares_with = detection.compares_with or (detection.judged.previous_run_id if detection.judged else "")
            is_judged = hour >= judged_from and (look is not None or judge_all)
            name = self._verdict(hour, look, compares_with) if is_judged else None
            cycle = Cycle(hour, look, bool(detection.reason), name)
            incident_is_open = incident_is_open or cycle.pages
            yield cycle

    def measured(self, hour: int) -> Measured:
        """The run of an hour, measured as in a cycle."""
        return _measure(self.suite, self.codes[hour], _row(self.answers, hour), f"{hour}", self.measures)

    def _summary(self, state: DetectorState | None, noise: Noise, hour: int) -> CycleSummary:
        now = self._run(hour)
        if hour == 0 or state is None:
            return CycleSummary(now=now)
        n_queries = self.service.n_queries
        is_same = now.identity == state.identity
        change = CycleChange(share=0.0, queries=n_queries, rescored=state.rescored)
        swap = None
        if not is_same:
            share = float(self.share[hour])
            steps = {name: mean - float(self.means[name][hour - 1]) for name, mean in now.means.items()}
            change = CycleChange(share=share, queries=n_queries, steps=steps if noise.is_quiet else {})
            if is_beyond_noise(noise, (share, n_queries), self._answers_changed(hour)):
                swap = _swap(hour, share)
        moved = int(self.clusters_moved[hour])
        return CycleSummary(
            now=now,
            baseline=self._baseline,
            change=change,
            swap=swap,
            changed_since_baseline=moved,
            changed_since_previous=moved if is_same or not swap else self._clusters_since_previous(hour),
        )

    def _run(self, hour: int) -> RunSummary:
        n_queries = self.service.n_queries
        return RunSummary(
            run_id=f"{hour}",
            identity=self.identities[hour],
            means={name: float(values[hour]) for name, values in self.means.items()},
            queries={"overall": n_queries, "all": n_queries},
        )

    def _answers_changed(self, hour: int) -> tuple[float, int]:
        if self.answers is None:
            return 0.0, 0
        return float((self.answers[hour] != self.answers[hour - 1]).mean()), self.service.n_queries

    def _clusters_since_previous(self, hour: int) -> int:
        answers = None if self.answers is None else self.answers[hour - 1 : hour + 1]
        return int(_clusters_changed(self.codes[hour - 1], self.codes[hour - 1 : hour + 1], answers)[1])

    def _noise(self, state: DetectorState | None, hour: int) -> Noise:
        """The noise floor in this hour, from replays where `learn_noise` would send them."""
        stored = state.noise if state else Noise()
        deployment = self.identities[hour]
        churns = state is not None and is_learned(state.churn)
        if noise_floors.is_known(stored, deployment, is_declared=False, churns=churns):
            return stored
        if self._quiet:
            return replace(self._quiet, deployment=deployment)
        count = noise_floors.first_replays(self.suite)
        floor = self._replay(hour, count, noise_floors.FIRST_QUERIES, answered=True)
        if not floor.is_deterministic:
            more = self._replay(hour, self.policy.replays, self.policy.replayed_queries, answered=False)
            floor = noise_floors.refine(floor, more)
        if self.service.repeats and not floor.means:
            self._quiet = floor
        return replace(floor, deployment=deployment)

    def _replay(self, hour: int, count: int, queries: int, *, answered: bool) -> Noise:
        part = noise_floors.part_of(self.suite, queries)
        columns = np.arange(self.service.n_queries)[:: max(1, -(-self.service.n_queries // queries))]
        codes = self.service.request(np.full(count, hour), self.rng)
        answers = self.service.answers(np.full(count, hour), self.rng) if answered else None
        self.replayed.setdefault(hour, []).extend((row, _row(answers, number)) for number, row in enumerate(codes))
        shares = (codes[:, columns] != self.codes[hour, columns]).mean(axis=1).tolist()
        if answers is None:
            replays = [
                values_of(part, {RECALL: row[columns] % 4 / DOCUMENTS}, run_id=f"{number}")
                for number, row in enumerate(codes)
            ]
            whole = values_of(self.suite, {RECALL: self.codes[hour] % 4 / DOCUMENTS}, run_id=f"{hour}")
        else:
            replays = [
                _measure(part, row[columns], answers[number, columns], f"{number}", self.measures)
                for number, row in enumerate(codes)
            ]
            whole = self.measured(hour)
        return noise_floors.noise_of(whole, replays, shares, self.policy)

    def _verdict(self, hour: int, look: Look | None, compares_with: str) -> VerdictName:
        previous = int(compares_with) if compares_with else None
        alpha = look.alpha if look else None
        key = (hour > 0, self._content(hour), None if previous is None else self._content(previous), alpha)
        if key not in self._verdicts:
            self._verdicts[key] = self._weigh(hour, previous, look)
        return self._verdicts[key]

    def _content(self, hour: int) -> tuple[str, bytes]:
        return self.identities[hour], b"" if self.answers is None else self.answers[hour].tobytes()

    def _weigh(self, hour: int, previous: int | None, look: Look | None) -> VerdictName:
        now = self.measured(hour)
        result = SuiteResult(
            measured=now,
            baseline=self.measured(0) if hour else None,
            previous=None if previous is None else self.measured(previous),
        )
        policy = replace(self.policy, alpha_page=look.alpha) if look else self.policy
        compared = [(result.baseline, now)] if result.baseline else []
        seed = seed_of(compared)
        return weigh([result], policy, seed, may_page=look is not None, causes={}).judgement.name


def _measure(
    suite: Suite, codes: Codes, answers: NDArray[np.bool_] | None, run_id: str, measures: Sequence[str]
) -> Measured:
    outcomes = outcomes_of(suite, codes, answers)
    run = Run(
        run_id=run_id,
        cycle_id=run_id,
        target="target",
        suite_name=suite.name,
        suite_digest=suite.digest,
        axis=suite.axis,
        depth=10,
        started_at=START,
        outcomes=outcomes,
        fingerprint=fingerprint(outcomes),
        answers=answers_fingerprint(outcomes),
    )
    return measure(run, suite, measures)


def outcomes_of(suite: Suite, codes: Codes, answers: NDArray[np.bool_] | None) -> tuple[Outcome, ...]:
    """One outcome for each query of a suite."""
    replies = [None] * len(codes) if answers is None else [reply_of(right) for right in answers.tolist()]
    return tuple(
        Outcome(query_id=query.query_id, ranking=ranking(code), reply=reply)
        for query, code, reply in zip(suite.queries, codes.tolist(), replies, strict=True)
    )


def reply_of(right: bool) -> Reply:
    """The reply with a right or a wrong answer."""
    return Reply(answer=Answer(text=RIGHT if right else WRONG))


def _means(codes: Codes, answers: NDArray[np.bool_] | None) -> dict[str, Floats]:
    means = {f"overall/{RECALL}": (codes % 4).mean(axis=1) / DOCUMENTS}
    return means if answers is None else means | {f"overall/{ANSWER}": answers.mean(axis=1)}


def _identities(codes: Codes) -> list[str]:
    return [hashlib.blake2b(row.tobytes(), digest_size=12).hexdigest() for row in codes]


def _clusters_changed(before: Codes, after: Codes, answers: NDArray[np.bool_] | None) -> NDArray[np.intp]:
    """Clusters with a changed ranking or answer in each hour; the first row of ``answers`` is that of ``before``."""
    changed = after != before
    if answers is not None:
        changed |= answers != answers[0]
    return np.asarray(np.logical_or.reduceat(changed, np.arange(0, changed.shape[1], CLUSTER), axis=1).sum(axis=1))


def _row(answers: NDArray[np.bool_] | None, row: int) -> NDArray[np.bool_] | None:
    return None if answers is None else answers[row]


def _swap(hour: int, share: float) -> Swap:
    return Swap(
        target="target",
        suite_name="suite",
        run_id=f"{hour}",
        previous_run_id=f"{hour - 1}",
        declared=False,
        share_changed=share,
        detected_at=START + timedelta(hours=hour + 1),
    )
