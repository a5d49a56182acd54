"""The change of recall headroom: evidence that leaves the context window, and hits that a threshold cuts off."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from scipy import stats

from monitor.diagnosis.plain import finite
from monitor.evaluation.headroom import Headroom, Zone, headroom, last_ranks, shift
from monitor.model.measurements import Measured
from monitor.model.policies import Policy
from monitor.model.runs import Ranking

BINS = ((1, 1), (2, 3), (4, 5), (6, 10), (11, 20), (21, None))
"""First and last rank of each bin of the distribution."""
SIGNIFICANT, LEAST_LOSS = 0.01, 0.02
"""A loss of headroom is a sentence of the summary below this p-value and from this share of the queries."""
MOST_LISTED = 20


def headroom_change(before: Measured, after: Measured, policy: Policy) -> dict[str, Any] | None:
    """Shares of the queries by zone and the ranks of their evidence, before and after; None without judged rankings.

    Without answers, every query has the context window of the policy. ``cut`` describes a retriever that returns fewer
    hits than requested, as one does that cuts by score: the hits of each run, and the relevant documents that were
    returned before and are missing in a shorter ranking now.
    """
    rooms = [headroom(ranks_of(run), windows_of(run, policy) or policy.context_window) for run in (before, after)]
    old, new = rooms
    if not new.query_ids:
        return None
    moved = shift(old, new)
    lost = sum(count for (since, to), count in moved.moved.items() if since is Zone.INSIDE and to is not Zone.INSIDE)
    won = sum(count for (since, to), count in moved.moved.items() if since is not Zone.INSIDE and to is Zone.INSIDE)
    return {
        "window": float(np.median(new.windows)),
        "n_queries": len(new.query_ids),
        "shares": {str(zone): finite(new.shares[zone]) for zone in Zone},
        "shares_before": {str(zone): finite(old.shares[zone]) for zone in Zone},
        "differences": {str(zone): finite(moved.differences[zone]) for zone in Zone},
        "left_window": lost,
        "entered_window": won,
        "p_lost": float(stats.binomtest(lost, lost + won, 0.5, alternative="greater").pvalue) if lost + won else 1.0,
        "ranks": {"before": _distribution(old), "after": _distribution(new)},
        "cut": _cut(before, after),
    }


def headroom_sentences(change: Mapping[str, Any]) -> Iterator[str]:
    """The sentences about evidence that left the context window, and about hits below a threshold."""
    inside = (change.get("differences") or {}).get(str(Zone.INSIDE)) or 0.0
    if change.get("p_lost", 1.0) <= SIGNIFICANT and inside <= -LEAST_LOSS:
        then, now = change["shares_before"][str(Zone.INSIDE)], change["shares"][str(Zone.INSIDE)]
        sentence = (
            f"the evidence of {change['left_window']} queries left the {change['window']:.0f} contexts that an answer "
            f"reads: {now:.0%} have all of it there, {then:.0%} before"
        )
        yield re.sub(r"(\d)%", r"\1 %", sentence)
    cut = change.get("cut")
    if cut and cut["n_documents"]:
        yield (
            f"the retriever returns {cut['hits']:.1f} hits for a query instead of {cut['hits_before']:.1f}, and "
            f"{cut['n_documents']} relevant documents are no longer among them"
        )


def ranks_of(measured: Measured) -> dict[str, int]:
    """Rank of the last needed evidence of each query, 0 if it was not retrieved."""
    rankings: dict[str, Ranking] = {each.query_id: each.ranking for each in measured.run.outcomes if each.ranking}
    return last_ranks(measured.suite, rankings)


def windows_of(measured: Measured, policy: Policy) -> dict[str, int]:
    """Number of contexts of each answer, as the answerer reports it, else as the policy sets it."""
    return {
        outcome.query_id: max(len(answer.doc_ids), 1) if answer.doc_ids is not None else policy.context_window
        for outcome in measured.run.outcomes
        if outcome.reply and (answer := outcome.reply.answer)
    }


def _distribution(room: Headroom) -> dict[str, int]:
    """Number of queries by the rank of their last needed evidence."""
    ranks = room.ranks
    counts = {
        _name(first, last): int(((ranks >= first) & (ranks <= (last or ranks.max(initial=0)))).sum())
        for first, last in BINS
    }
    return counts | {str(Zone.UNRETRIEVED): int((ranks == 0).sum())}


def _name(first: int, last: int | None) -> str:
    if last is None:
        return f"{first}+"
    return f"{first}" if first == last else f"{first}-{last}"


def _cut(before: Measured, after: Measured) -> dict[str, Any] | None:
    """Hits of both runs, if the second one has rankings that are shorter than requested."""
    old, new = ({each.query_id: each.ranking for each in run.run.outcomes if each.ranking} for run in (before, after))
    shared = old.keys() & new.keys()
    short = [query_id for query_id in shared if len(new[query_id].doc_ids) < after.run.depth]
    if not short:
        return None
    relevant = {
        query.query_id: [doc_id for doc_id, grade in query.grades.items() if grade > 0] for query in after.suite.queries
    }
    documents = sorted(
        {
            doc_id
            for query_id in short
            for doc_id in relevant[query_id]
            if doc_id in old[query_id].doc_ids and doc_id not in new[query_id].doc_ids
        }
    )
    return {
        "hits_before": float(np.mean([len(old[query_id].doc_ids) for query_id in shared])),
        "hits": float(np.mean([len(new[query_id].doc_ids) for query_id in shared])),
        "short_rankings": len(short),
        "n_documents": len(documents),
        "documents": documents[:MOST_LISTED],
    }
