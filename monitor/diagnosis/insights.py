"""What explains the evidence: who is to blame for answers that fell, recall's headroom, what chains lose.

Plain values, kept with the verdict: they decide nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from monitor.diagnosis.attribution import Anchors, Attribution, kitagawa
from monitor.evaluation.chains import chains_of, compounding, hop_success
from monitor.evaluation.headroom import Headroom, Zone, headroom, last_ranks, shift
from monitor.evaluation.measures import ANSWER_MEASURES, parse
from monitor.model.measurements import Measured
from monitor.model.measures import Needs
from monitor.model.policies import Policy
from monitor.model.runs import Ranking
from monitor.statistics.comparability import judge_drift, unjudged_answers
from monitor.statistics.pairing import OVERALL, Paired, pair

CHAIN_CUTOFF = 10
"""Hits within which a hop must find its evidence."""


def insights(judged: Sequence[tuple[Measured, Measured]], policy: Policy, rng: np.random.Generator) -> dict[str, Any]:
    """By suite: attribution of each gating answer measure, headroom and its change, chains; and what was not judged."""
    found: dict[str, Any] = {}
    for before, after in judged:
        answered = before.replies is not None and after.replies is not None
        told = {
            "attribution": _attributions(before, after, policy) if answered else [],
            "headroom": _headroom(*(headroom(_ranks(each), windows_of(each, policy)) for each in (before, after)))
            if answered
            else None,
            "chains": _chains(before, after, rng),
            "judge": _judge(after),
            "unjudged_answers": unjudged_answers(after, policy) or unjudged_answers(before, policy) or None,
        }
        if any(told.values()):
            found[after.suite.name] = told
    return found


def attribute(paired: Paired, before: Measured, after: Measured, policy: Policy) -> Attribution | None:
    """Who is to blame for a change of the answers, by Kitagawa's decomposition; None if retrieval was not measured.

    A query's evidence is found if the last document it needs is within the contexts that its answer was written from.
    """
    found = [_found(each, policy) for each in (before, after)]
    ids = [each.query_id for each in after.suite.queries if each.query_id in set(paired.query_ids)]
    known = np.array([query_id in found[0] and query_id in found[1] for query_id in ids])
    if not known.any():
        return None
    chosen = [query_id for query_id, is_known in zip(ids, known, strict=True) if is_known]
    graded = parse(paired.measure).measure.needs is Needs.JUDGE and after.run.anchors
    anchors = Anchors(*zip(*after.run.anchors, strict=True)) if graded else None
    return kitagawa(
        paired.baseline[known],
        paired.candidate[known],
        [found[0][query_id] for query_id in chosen],
        [found[1][query_id] for query_id in chosen],
        paired.cluster[known],
        anchors=anchors,
    )


def attribution_to_dict(attribution: Attribution, measure: str) -> dict[str, Any]:
    """The attribution as plain values; null where a number does not exist."""
    stated = asdict(attribution) | {"measure": measure, "sentence": attribution.sentence}
    stated["shares"] = [
        {key: _finite(value) for key, value in asdict(each).items()} | {"name": str(each.name)}
        for each in attribution.shares
    ]
    return {key: _finite(value) for key, value in stated.items()}


def windows_of(measured: Measured, policy: Policy) -> dict[str, int]:
    """How many contexts each answer was written from: as the answerer says, else as the policy does."""
    return {
        outcome.query_id: max(len(answer.doc_ids), 1) if answer.doc_ids is not None else policy.context_window
        for outcome in measured.run.outcomes
        if outcome.reply and (answer := outcome.reply.answer)
    }


def sentences(found: Mapping[str, Any]) -> list[str]:
    """What a summary adds: how an answer drop is shared out, and answers that could not be judged."""
    told = []
    for each in found.values():
        told += [attribution["sentence"] for attribution in each["attribution"] if attribution["upper"] < 0]
        told += [each["unjudged_answers"]] if each["unjudged_answers"] else []
        if each["judge"] and each["judge"]["moved"]:
            moved = 100 * each["judge"]["difference"]
            told.append(f"the judge moved by {moved:+.1f} points on the same answers, so its grades were not judged")
    return [f"{sentence[0].upper()}{sentence[1:].rstrip('.')}." for sentence in told]


def _attributions(before: Measured, after: Measured, policy: Policy) -> list[dict[str, Any]]:
    whole = [
        paired
        for paired in pair(before, after, policy)
        if paired.measure in ANSWER_MEASURES
        and paired.gating
        and paired.stratum == OVERALL
        and paired.n_clusters >= policy.min_clusters
    ]
    found = [(paired.measure, attribute(paired, before, after, policy)) for paired in whole]
    return [attribution_to_dict(each, measure) for measure, each in found if each is not None]


def _judge(after: Measured) -> dict[str, Any] | None:
    drift = judge_drift(after.run.anchors)
    return drift._asdict() | {"moved": drift.has_moved, "n_anchors": len(after.run.anchors)} if drift else None


def _ranks(measured: Measured) -> dict[str, int]:
    rankings: dict[str, Ranking] = {each.query_id: each.ranking for each in measured.run.outcomes if each.ranking}
    return last_ranks(measured.suite, rankings)


def _found(measured: Measured, policy: Policy) -> dict[str, bool]:
    windows, ranks = windows_of(measured, policy), _ranks(measured)
    return {query_id: 1 <= rank <= windows[query_id] for query_id, rank in ranks.items() if query_id in windows}


def _headroom(before: Headroom, after: Headroom) -> dict[str, Any] | None:
    if not after.query_ids:
        return None
    moved = shift(before, after).differences
    return {
        "window": float(np.median(after.windows)),
        "n_queries": len(after.query_ids),
        "shares": {str(zone): _finite(after.shares[zone]) for zone in Zone},
        "differences": {str(zone): _finite(moved[zone]) for zone in Zone},
    }


def _chains(before: Measured, after: Measured, rng: np.random.Generator) -> dict[str, Any] | None:
    chains = chains_of({query.query_id: query.follows for query in after.suite.queries})
    if not chains:
        return None
    clusters = {query.query_id: f"{query.stratum}\x1f{query.cluster}" for query in after.suite.queries}
    found = [hop_success(_ranks(each), CHAIN_CUTOFF) for each in (before, after)]
    lost = compounding(chains, *found, rng=rng, cluster_of=clusters)
    derived = {"hop_loss": lost.hop_loss, "chain_loss": lost.chain_loss, "factor": lost.factor}
    return {key: _finite(value) for key, value in (asdict(lost) | derived).items()}


def _finite(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
