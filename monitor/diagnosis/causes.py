"""The cause of a change in the results of a target: one of eight, with its evidence and the measured numbers.

There are two levels of access. With vectors, queries and stored documents are compared with their earlier vectors,
which distinguishes models, encoders and the index. With rankings and scores alone, the cause follows from the relation
between the scores of the same query and document, and from the documents that left or entered the rankings. Four pairs
of causes then look alike, and both are named: deleted documents and a filter; a new model and a new query encoder,
unless documents are also queried by their own text; a new model and new hybrid weights, unless the words of queries and
documents are known; a rotation of the whole space and no change.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from math import isfinite
from typing import Any

from monitor.diagnosis.changes import Changes
from monitor.diagnosis.membership import missing_documents, new_documents, new_ids, ranking_lengths
from monitor.diagnosis.snapshot_diff import FEWEST_PAIRS, SAME_VECTOR, measure_changes
from monitor.model.causes import Cause, CauseName
from monitor.model.snapshots import Snapshot

SAME_MODEL = 0.995
"""A smaller change of a vector (a larger median cosine) is noise: MiniLM in eight bits has 0.9996, a weak adapter
0.97."""
OTHER_SPACE = 0.2
"""If changed documents keep their cosines with each other by a larger correlation than those with unchanged documents,
another model embedded them: halved texts keep both."""
MIXED = "another model embedded this part of the index"
NOISE_SHIFT = 0.07
"""Smaller shifts of scores are noise: eight bits shift them by 0.02 of the scale, four by 0.04, a weak adapter by
0.2."""
DIGITS = 1e-4
"""Smaller shifts are rounding."""
ECHO_DROP = 0.05
"""A larger drop of the score of a document for its own text, in units of the scale, means different encoders."""
BY_WORDS = 0.4
"""With a larger partial R², words explain the new scores: hybrid weights have over 0.7, other models under 0.25."""
OTHER_KIND = 5.0
"""Scores whose spread grows or shrinks by a larger factor are scores of another kind."""


def name_cause(before: Snapshot, after: Snapshot) -> Cause:
    """The cause of the difference between two snapshots; causes that cannot be distinguished are listed with it.

    Raises ValueError if no canary query was ranked in both snapshots.

    Examples
    --------
    >>> from monitor.model.runs import Ranking
    >>> three = Ranking(doc_ids=("a", "b", "c"), scores=(0.9, 0.8, 0.7))
    >>> two = Ranking(doc_ids=("a", "b"), scores=(0.9, 0.8))
    >>> name_cause(Snapshot(rankings={"q": three}, depth=3), Snapshot(rankings={"q": two}, depth=3)).name.value
    'configuration_changed'
    """
    if not before.rankings.keys() & after.rankings.keys():
        raise ValueError("no canary query was ranked in both snapshots")
    changes = measure_changes(before, after)
    cause = next(cause for rule in RULES if (cause := rule(changes)))
    answering = _answering(before, after)
    if answering and cause.name.is_swap:
        cause = replace(cause, evidence=cause.evidence + answering.evidence, also=(answering.name,))
    elif answering:
        cause = answering
    return replace(cause, numbers=_numbers(changes))


def _vectors(changes: Changes) -> Cause | None:
    """Changed vectors: a new model, or one new encoder of two."""
    moved = changes.moved
    queries, stored = moved.queries < SAME_MODEL, moved.stored < SAME_MODEL and moved.stored_share > 0.5
    if moved.agreement_before >= SAME_MODEL > moved.agreement_after:
        agreement = f"cosine {moved.agreement_after:.3f}, before {moved.agreement_before:.3f}"
        sentence = f"A stored vector and its own text, encoded like a query, no longer agree: {agreement}."
        return Cause(name=CauseName.ENCODERS_DIVERGED, evidence=(sentence,))
    if queries and stored:
        sentence = (
            f"The vectors of the same texts changed: median cosine {moved.queries:.3f} (queries) and "
            f"{moved.stored:.3f} (documents) with the earlier vectors."
        )
        same = ("The rankings are the same.",) if changes.same_rankings else ()
        return Cause(name=CauseName.MODEL_CHANGED, evidence=(sentence, *same))
    if changes.has_vectors and queries != stored:
        moving, resting = ("queries", "documents") if queries else ("documents", "queries")
        cosine = moved.queries if queries else moved.stored
        sentence = f"The vectors of {moving} changed (median cosine {cosine:.3f}), those of {resting} did not."
        return Cause(name=CauseName.ENCODERS_DIVERGED, evidence=(sentence,))
    return None


def _edited(changes: Changes) -> Cause | None:
    """Scores that changed for some documents, or for some queries, and not for the others."""
    scores, moved = changes.scores, changes.moved
    if 0 < moved.stored_share <= 0.5 and scores.same >= 0.3:
        sentence = f"The stored vectors of {moved.stored_share:.0%} of the documents changed, the others did not."
        if moved.kept_within - moved.kept_across > OTHER_SPACE:
            mixed = f"{sentence} They kept their distances to each other and not to the others: {MIXED}."
            return Cause(name=CauseName.INDEX_CHANGED, evidence=(mixed,), or_else=(CauseName.CORPUS_CHANGED,))
        edited = f"{sentence} Their texts were edited, or {MIXED}."
        return Cause(name=CauseName.CORPUS_CHANGED, evidence=(edited,), or_else=(CauseName.INDEX_CHANGED,))
    if not (0.3 <= scores.same < 1 and scores.shift_of_moved > NOISE_SHIFT):
        return None
    if scores.mixed_documents < min(0.5, scores.mixed_queries):
        sentence = f"Some documents changed all their scores; {scores.same:.0%} of all scores are the same."
        evidence = (f"{sentence} Their texts were edited, or {MIXED}.",)
        return Cause(name=CauseName.CORPUS_CHANGED, evidence=evidence, or_else=(CauseName.INDEX_CHANGED,))
    if scores.mixed_queries < 0.5:
        sentence = f"All scores changed in {scores.moved_queries:.0%} of the rankings, and none in the others"
        return Cause(
            name=CauseName.MODEL_CHANGED,
            evidence=(f"{sentence}: some of the servers have another model.",),
            or_else=(CauseName.ENCODERS_DIVERGED, CauseName.CONFIGURATION_CHANGED),
        )
    return None


def _scoring(changes: Changes) -> Cause | None:
    """Scores that changed for all queries and documents."""
    scores, members = changes.scores, changes.members
    has_scores = scores.n_pairs >= FEWEST_PAIRS
    has_moved = scores.shift > max(NOISE_SHIFT, 3 * changes.noise_shift) if has_scores else members.overlap < 0.5
    if not has_moved:
        return None
    if has_scores and (scores.stretch < 1 / OTHER_KIND or scores.stretch > OTHER_KIND):
        sentence = f"Scores spread {scores.stretch:.3g} times as much as before: they are scores of another kind."
        return Cause(name=CauseName.CONFIGURATION_CHANGED, evidence=(sentence,))
    if scores.by_words >= BY_WORDS:
        sentence = (
            f"The match of words explains {scores.by_words:.0%} of the change of scores: the weights of words and "
            "vectors changed."
        )
        return Cause(name=CauseName.CONFIGURATION_CHANGED, evidence=(sentence,))
    sentence = (
        f"The same queries give the same documents other scores: shift {scores.shift:.2f} of the scale, correlation "
        f"{scores.correlation:.2f}; {members.overlap:.0%} of the documents are the same."
    )
    if changes.has_vectors:
        evidence = (sentence, "The vectors are the same.")
        return Cause(name=CauseName.CONFIGURATION_CHANGED, evidence=evidence, or_else=(CauseName.INDEX_CHANGED,))
    return _model_or_encoder(changes, sentence)


def _model_or_encoder(changes: Changes, sentence: str) -> Cause:
    """Changed scores without vectors: a new model if documents still match their own texts, else one new encoder."""
    echoes, scores = changes.echoes, changes.scores
    weights = () if isfinite(scores.by_words) else (CauseName.CONFIGURATION_CHANGED,)
    if echoes.spread < ECHO_DROP and isfinite(echoes.lost):
        if echoes.drop > ECHO_DROP or echoes.lost > 0.5:
            drop = f"documents score {echoes.drop:.2f} of the scale lower, and {echoes.lost:.0%} are not retrieved"
            evidence = (sentence, f"Queried by their own text, {drop}.")
            return Cause(name=CauseName.ENCODERS_DIVERGED, evidence=evidence, or_else=weights)
        evidence = (sentence, "Queried by their own text, documents score as before.")
        return Cause(name=CauseName.MODEL_CHANGED, evidence=evidence, or_else=weights)
    names = [CauseName.MODEL_CHANGED, CauseName.ENCODERS_DIVERGED]
    if changes.members.overlap < 0.1:
        names.reverse()
    doubt = "Documents were not queried by their own text, which would distinguish the model from one encoder."
    return Cause(name=names[0], evidence=(sentence, doubt), or_else=(names[1], *weights))


def _digits(changes: Changes) -> Cause | None:
    """Noise: small changes everywhere, larger than in an immediate replay."""
    scores, moved = changes.scores, changes.moved
    if scores.shift > max(DIGITS, 3 * changes.noise_shift) or min(moved.queries, moved.stored) < 1 - SAME_VECTOR:
        sentence = (
            f"Scores of the same query and document changed by {scores.shift:.3f} of the scale, correlation "
            f"{scores.correlation:.4f}: the same model with other arithmetic."
        )
        return Cause(name=CauseName.NOISY, evidence=(sentence,))
    return None


def _nothing(changes: Changes) -> Cause | None:
    same = "The rankings are the same." if changes.same_rankings else "Rankings differ no more than in a replay."
    return Cause(name=CauseName.UNCHANGED, evidence=(same,))


def _answering(before: Snapshot, after: Snapshot) -> Cause | None:
    """A new name of the answerer or of the judge."""
    sentences = tuple(
        f"The {role} was {old} and is {new}."
        for role, old, new in (("answerer", before.answerer, after.answerer), ("judge", before.judge, after.judge))
        if old and new and old != new
    )
    return Cause(name=CauseName.ANSWERER_CHANGED, evidence=sentences) if sentences else None


Rule = Callable[[Changes], Cause | None]
RULES: tuple[Rule, ...] = (
    _vectors, new_ids, _edited, _scoring, missing_documents, new_documents, ranking_lengths, _digits, _nothing
)  # fmt: skip
"""Applied in this order; the first rule that returns a cause decides."""


def _numbers(changes: Changes) -> dict[str, float]:
    """The finite numbers among the measured changes, by name."""
    members = changes.members
    parts: dict[str, Any] = {
        "": changes, "scores": changes.scores, "members": members, "losses": members.losses,
        "additions": members.additions, "moved": changes.moved, "echoes": changes.echoes,
    }  # fmt: skip
    values = {
        f"{part}_{each.name}".lstrip("_"): getattr(of, each.name) for part, of in parts.items() for each in fields(of)
    }
    return {name: float(value) for name, value in values.items() if isinstance(value, int | float) and isfinite(value)}
