"""Detect that a target serves another deployment, declared or silent."""

from __future__ import annotations

import math
from datetime import datetime

from monitor.evaluation.answers.measurements import share_of_answers_changed
from monitor.model.deployments import Swap
from monitor.model.noise import Noise
from monitor.model.runs import Outcome, Run

NO_NOISE = Noise()
NOISE_ALLOWANCE, NOISE_DEVIATIONS = 0.05, 4.0
"""A difference is a swap if it exceeds the noise of replays by this share of all rankings and this many deviations."""


def is_same(previous: Run, run: Run) -> bool:
    """Whether two runs returned the same rankings and answers, by their fingerprints."""
    current = (run.fingerprint, run.answers, run.answerer)
    return (previous.fingerprint, previous.answers, previous.answerer) == current


def detect(previous: Run | None, run: Run, *, at: datetime, noise: Noise = NO_NOISE) -> Swap | None:
    """The swap between two runs of one suite, or None if nothing changed beyond noise.

    ``previous`` needs its outcomes. A swap is declared if the target names its deployment and the name changed.
    Otherwise it is silent, and detected if more rankings or answers changed than replays of one deployment changed.
    """
    if previous is None or is_same(previous, run):
        return None
    rankings = share_changed(previous.outcomes, run.outcomes)
    answers = share_of_answers_changed(previous.outcomes, run.outcomes)
    declared = _is_declared(previous, run, rankings, answers)
    n_answers = sum(outcome.reply is not None for outcome in run.outcomes)
    if not (declared or is_beyond_noise(noise, (rankings, len(run.outcomes)), (answers, n_answers))):
        return None
    return Swap(
        target=run.target,
        suite_name=run.suite_name,
        run_id=run.run_id,
        previous_run_id=previous.run_id,
        declared=declared,
        share_changed=rankings,
        detected_at=at,
        answers_changed=answers,
    )


def _is_declared(previous: Run, run: Run, rankings: float, answers: float) -> bool:
    """Whether a name changed and results with it; a probe that failed in one of the runs is not a change."""
    renamed = previous.deployment != run.deployment and run.deployment != run.fingerprint
    rewritten = previous.answerer != run.answerer and bool(previous.answerer and run.answerer)
    return (renamed and rankings > 0) or (rewritten and answers > 0)


def is_beyond_noise(noise: Noise, rankings: tuple[float, int], answers: tuple[float, int] = (0.0, 0)) -> bool:
    """Whether more rankings or answers changed than replays of one deployment changed.

    Each argument holds the share that changed and the number of results. Answers without a measured noise are ignored.

    Examples
    --------
    >>> quiet, noisy = Noise(replays=5), Noise(replays=24, share_changed=0.1)
    >>> [is_beyond_noise(quiet, (0.02, 100)), is_beyond_noise(noisy, (0.14, 100)), is_beyond_noise(noisy, (0.3, 100))]
    [True, False, True]
    """
    return _exceeds(noise.share_changed, *rankings) or (
        noise.answer_replays > 0 and _exceeds(noise.answers_changed, *answers)
    )


def _exceeds(noise: float, share: float, count: int) -> bool:
    """Whether a share exceeds the noise; without noise, any change does."""
    spread = math.sqrt(noise * (1 - noise) / max(count, 1))
    return share > (noise + max(NOISE_ALLOWANCE, NOISE_DEVIATIONS * spread) if noise else 0.0)


def rescored_share(before: tuple[Outcome, ...], after: tuple[Outcome, ...]) -> float:
    """Share of the documents that both runs returned for a query and scored differently, in [0, 1].

    Added and removed documents do not change the scores of the others; a new embedding of the same documents does.
    0 if the target returns no scores.
    """
    earlier = {outcome.query_id: dict(outcome.ranking.hits) for outcome in before if outcome.ranking}
    pairs = [
        (old, hit.score)
        for outcome in after
        if outcome.ranking
        for hit in outcome.ranking.hits
        if (old := earlier.get(outcome.query_id, {}).get(hit.doc_id)) is not None and hit.score is not None
    ]
    return sum(not math.isclose(old, new, rel_tol=1e-5, abs_tol=1e-9) for old, new in pairs) / max(len(pairs), 1)


def share_changed(before: tuple[Outcome, ...], after: tuple[Outcome, ...]) -> float:
    """Share of the queries ranked in both runs whose ranking differs, in [0, 1]."""
    earlier = {outcome.query_id: outcome.ranking.doc_ids for outcome in before if outcome.ranking}
    later = {outcome.query_id: outcome.ranking.doc_ids for outcome in after if outcome.ranking}
    shared = earlier.keys() & later.keys()
    return sum(earlier[query_id] != later[query_id] for query_id in shared) / len(shared) if shared else 0.0
