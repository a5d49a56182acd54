"""Explanations of the evidence: attribution of answer drops, recall headroom, losses of chains.

They are plain values that are stored with the verdict and do not influence it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from monitor.diagnosis.attribution import Anchors, Attribution, kitagawa
from monitor.diagnosis.headroom_change import headroom_change, headroom_sentences, ranks_of, windows_of
from monitor.diagnosis.plain import finite
from monitor.evaluation.chains import Chain, chain_success, chains_of, compounding, gold_id, hop_success, mean_by_hop
from monitor.evaluation.measures import ANSWER_MEASURES, MEASURES, parse
from monitor.model.measurements import Measured
from monitor.model.measures import Needs
from monitor.model.policies import Policy
from monitor.statistics.comparability import judge_drift, unjudged_answers
from monitor.statistics.pairing import OVERALL, Paired, pair

CHAIN_CUTOFF = 10
"""Number of hits that must contain the evidence of a hop."""
_RECALL = MEASURES["recall"].at(CHAIN_CUTOFF)


def insights(judged: Sequence[tuple[Measured, Measured]], policy: Policy, rng: np.random.Generator) -> dict[str, Any]:
    """By suite: attribution of each gating answer measure, headroom, chains, judge drift and unjudged answers."""
    by_suite: dict[str, Any] = {}
    for before, after in judged:
        has_answers = before.replies is not None and after.replies is not None
        explanations = {
            "attribution": _attributions(before, after, policy) if has_answers else [],
            "headroom": headroom_change(before, after, policy),
            "chains": _chains(before, after, rng),
            "judge": _judge(after),
            "unjudged_answers": unjudged_answers(after, policy) or unjudged_answers(before, policy) or None,
        }
        if any(explanations.values()):
            by_suite[after.suite.name] = explanations
    return by_suite


def attribute(paired: Paired, before: Measured, after: Measured, policy: Policy) -> Attribution | None:
    """Kitagawa's decomposition of a change of the answers; None if retrieval was not measured.

    The evidence of a query is found if all its relevant documents are among the contexts of its answer.
    """
    retrieved = [_retrieved(each, policy) for each in (before, after)]
    ids = [each.query_id for each in after.suite.queries if each.query_id in set(paired.query_ids)]
    is_measured = np.array([query_id in retrieved[0] and query_id in retrieved[1] for query_id in ids])
    if not is_measured.any():
        return None
    measured_ids = [query_id for query_id, measured in zip(ids, is_measured, strict=True) if measured]
    graded = parse(paired.measure).measure.needs is Needs.JUDGE and after.run.anchors
    anchors = Anchors(*zip(*after.run.anchors, strict=True)) if graded else None
    return kitagawa(
        paired.baseline[is_measured],
        paired.candidate[is_measured],
        [retrieved[0][query_id] for query_id in measured_ids],
        [retrieved[1][query_id] for query_id in measured_ids],
        paired.cluster[is_measured],
        anchors=anchors,
    )


def attribution_to_dict(attribution: Attribution, measure: str) -> dict[str, Any]:
    """The attribution as plain values; null where a number does not exist."""
    values = asdict(attribution) | {"measure": measure, "sentence": attribution.sentence}
    values["shares"] = [
        {key: finite(value) for key, value in asdict(each).items()} | {"name": str(each.name)}
        for each in attribution.shares
    ]
    return {key: finite(value) for key, value in values.items()}


def sentences(by_suite: Mapping[str, Any]) -> list[str]:
    """The sentences that a summary adds: attributions, losses of chains, judge drift and answers without a grade."""
    lines: list[str] = []
    for suite, explanations in by_suite.items():
        where = f"on {suite}, " if len(by_suite) > 1 else ""
        lines += [attribution["sentence"] for attribution in explanations["attribution"] if attribution["upper"] < 0]
        lines += [f"{where}{line}" for line in headroom_sentences(explanations["headroom"] or {})]
        lines += _compounded(explanations["chains"]) if explanations["chains"] else []
        lines += [explanations["unjudged_answers"]] if explanations["unjudged_answers"] else []
        if explanations["judge"] and explanations["judge"].get("moved"):
            points = 100 * explanations["judge"]["difference"]
            lines.append(f"the judge moved by {points:+.1f} points on the same answers, so its grades were not judged")
    return [f"{line[0].upper()}{line[1:].rstrip('.')}." for line in lines]


def _attributions(before: Measured, after: Measured, policy: Policy) -> list[dict[str, Any]]:
    whole = [
        paired
        for paired in pair(before, after, policy)
        if paired.measure in ANSWER_MEASURES
        and paired.gating
        and paired.stratum == OVERALL
        and paired.n_clusters >= policy.min_clusters
    ]
    attributions = [(paired.measure, attribute(paired, before, after, policy)) for paired in whole]
    return [attribution_to_dict(each, measure) for measure, each in attributions if each is not None]


def _judge(after: Measured) -> dict[str, Any] | None:
    """The drift of the judge on frozen answers, and the spread of its repeated grades."""
    drift, spread = judge_drift(after.run.anchors), _spread(after)
    drifted = drift._asdict() | {"moved": drift.has_moved, "n_anchors": len(after.run.anchors)} if drift else {}
    return drifted | spread or None


def _spread(after: Measured) -> dict[str, Any]:
    """Standard deviation of a judge's repeated grades of one answer, and their share of the variance of the scores.

    The mean of the repeats is one value for each query, so its noise widens the intervals of the comparison; this is
    the part of that width which more repeats would remove.
    """
    scores = [each.reply.grades.scores for each in after.run.outcomes if each.reply and each.reply.grades]
    repeated = np.array([each for each in scores if len(each) > 1 and len(each) == max(map(len, scores))], np.float64)
    if not len(repeated):
        return {}
    within, total = float(repeated.var(axis=1, ddof=1).mean()), float(repeated.mean(axis=1).var())
    noise = within / repeated.shape[1]
    share = min(noise / total, 1.0) if total else 0.0
    return {"repeats": repeated.shape[1], "repeat_deviation": math.sqrt(within), "noise_share": share}


def _retrieved(measured: Measured, policy: Policy) -> dict[str, bool]:
    windows, ranks = windows_of(measured, policy), ranks_of(measured)
    return {query_id: 1 <= rank <= windows[query_id] for query_id, rank in ranks.items() if query_id in windows}


def _chains(before: Measured, after: Measured, rng: np.random.Generator) -> dict[str, Any] | None:
    """Losses of chains and of hops; success of each hop of a chain and of each chain, before and after."""
    chains = chains_of({query.query_id: query.follows for query in after.suite.queries})
    if not chains:
        return None
    clusters = {query.query_id: f"{query.stratum}\x1f{query.cluster}" for query in after.suite.queries}
    runs = {"before": hop_success(ranks_of(before), CHAIN_CUTOFF), "after": hop_success(ranks_of(after), CHAIN_CUTOFF)}
    losses = compounding(chains, *runs.values(), rng=rng, cluster_of=clusters)
    derived = {"hop_loss": losses.hop_loss, "chain_loss": losses.chain_loss, "factor": losses.factor}
    values = {key: finite(value) for key, value in (asdict(losses) | derived).items()}
    recall = {"before": _recalls(before), "after": _recalls(after)}
    return values | {
        "longest": max(map(len, chains)),
        "success_by_hop": {name: _by_hop(chains, run) for name, run in runs.items()},
        "recall_by_hop": {name: _by_hop(chains, run) for name, run in recall.items()},
        "chain_success": {name: chain_success(chains, run) for name, run in runs.items()},
    }


def _by_hop(chains: Sequence[Chain], values: Mapping[str, float]) -> dict[str, list[float]]:
    """Means by hop: ``own`` with the gold questions, ``chain`` with the answers that the chain produced."""
    own = {query_id: values.get(gold_id(query_id), value) for query_id, value in values.items()}
    return {"own": list(mean_by_hop(chains, own)), "chain": list(mean_by_hop(chains, values))}


def _recalls(measured: Measured) -> dict[str, float]:
    """Recall of each query at the cutoff of chains."""
    values = measured.measurements.get(_RECALL)
    return dict(zip(values.query_ids, values.values.tolist(), strict=True)) if values is not None else {}


def _compounded(chains: Mapping[str, Any]) -> list[str]:
    """The loss of chains beside that of their hops, if chains lost anything beyond chance."""
    if not (chains["chain_loss_interval"] and (chains["chain_loss_interval"][0] or 0) > 0):
        return []
    sentence = (
        f"chains of up to {chains['longest']} hops succeed {chains['chain_loss']:.0%} less often than before, "
        f"and single hops {chains['hop_loss']:.0%}"
    )
    lower, upper = chains["factor_interval"]
    if chains["factor"] is not None and lower is not None:
        sentence += (
            f": the loss compounds by a factor of {chains['factor']:.1f} (95 % interval {lower:.1f} to {upper:.1f})"
        )
    return [re.sub(r"(\d)%", r"\1 %", sentence)]
