"""Noticing that a target serves something else than it did, whether it said so or not."""

from __future__ import annotations

import math
from datetime import datetime

from monitor.model import Outcome, Run
from monitor.verdict import Swap

NOISE_ALLOWANCE, NOISE_DEVIATIONS = 0.05, 4.0
"""A difference is a swap beyond the noise of replays by this share of all rankings, and by this many deviations."""


def detect(previous: Run | None, run: Run, *, at: datetime, noise: float = 0.0) -> Swap | None:
    """The swap between two runs of one suite, or None if nothing changed that was not noise.

    ``previous`` needs its outcomes. A swap is declared when the target names its deployment and the name has
    changed; otherwise it is silent, and seen in the rankings alone: in more of them than ``noise``, the largest
    share that replays of one deployment ever changed.
    """
    if previous is None or previous.fingerprint == run.fingerprint:
        return None
    declared = previous.deployment != run.deployment and run.deployment != run.fingerprint
    share = share_changed(previous.outcomes, run.outcomes)
    if not declared and not share:  # a probe failed in one of the runs; what both brought is the same
        return None
    spread = math.sqrt(noise * (1 - noise) / max(len(run.outcomes), 1))
    if not declared and noise and share <= noise + max(NOISE_ALLOWANCE, NOISE_DEVIATIONS * spread):
        return None
    return Swap(
        run.target,
        run.suite_name,
        run.run_id,
        previous.run_id,
        declared=declared,
        share_changed=share,
        detected_at=at,
    )


def share_changed(before: tuple[Outcome, ...], after: tuple[Outcome, ...]) -> float:
    """Share of the queries ranked in both runs whose ranking differs, in [0, 1]."""
    earlier = {outcome.query_id: outcome.ranking.doc_ids for outcome in before if outcome.ranking}
    later = {outcome.query_id: outcome.ranking.doc_ids for outcome in after if outcome.ranking}
    shared = earlier.keys() & later.keys()
    return sum(earlier[query_id] != later[query_id] for query_id in shared) / len(shared) if shared else 0.0
