"""Naming why a target answers otherwise than before: one of eight causes, with the evidence and the numbers for it.

Two levels of access. With vectors, queries and stored documents are compared with their former selves, which tells
models, encoders and the index apart. With rankings and scores alone, causes are told by how the scores of the same
query and document relate and by which documents left or came. Then four pairs look alike, and both are named: deleted
documents and a filter; a model and an encoder that was swapped alone, unless documents are asked for by their own text;
a model and other hybrid weights, unless the words of queries and documents are known; a model whose space is the old
one rotated, and nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from math import isfinite
from typing import Any

from monitor.diagnosis.changes import Changes
from monitor.diagnosis.snapshot_diff import FEWEST_PAIRS, SAME_VECTOR, measure_changes
from monitor.model.causes import Cause, CauseName
from monitor.model.snapshots import Snapshot

SAME_MODEL = 0.995
"""From this median cosine on a moved vector is noise: MiniLM in eight bits has 0.9996, a weak adapter 0.97."""
NOISE_SHIFT = 0.07
"""Up to this shift of scores it is noise: eight bits give 0.02 of the scale, four 0.04, a weak adapter 0.2."""
DIGITS = 1e-4
"""Smaller shifts are rounding that nobody can do anything about."""
ECHO_DROP = 0.05
"""A document that scores lower for its own text by this much of the scale is encoded otherwise than its text."""
BY_WORDS = 0.4
"""From this partial R² on words explain the new scores: hybrid weights have over 0.7, other models under 0.25."""
LENGTHS = 0.005
"""More rankings than this share end elsewhere where the number of hits is limited otherwise."""
OTHER_KIND = 5.0
"""Scores that spread so many times more, or less, are scores of another kind."""


def name_cause(before: Snapshot, after: Snapshot) -> Cause:
    """The cause of what differs between two snapshots; where two cannot be told apart, the likelier with the other.

    Raises ValueError if no canary query was ranked in both: then nothing can be said.

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
    found = next(cause for rule in RULES if (cause := rule(changes)))
    answering = _answering(before, after)
    if answering and found.name.is_swap:
        found = replace(found, evidence=found.evidence + answering.evidence, also=(answering.name,))
    elif answering:
        found = answering
    return replace(found, numbers=_numbers(changes))


def _vectors(changes: Changes) -> Cause | None:
    """What moved vectors tell: the model, or one of two encoders."""
    moved = changes.moved
    queries, stored = moved.queries < SAME_MODEL, moved.stored < SAME_MODEL and moved.stored_share > 0.5
    if moved.agreement_before >= SAME_MODEL > moved.agreement_after:
        told = f"A stored vector has cosine {moved.agreement_after:.3f} with its own text as queries are encoded now"
        return Cause(name=CauseName.ENCODERS_DIVERGED, evidence=(f"{told}, before {moved.agreement_before:.3f}.",))
    if queries and stored:
        return Cause(
            name=CauseName.MODEL_CHANGED,
            evidence=(
                f"Vectors of the same texts have median cosine {moved.queries:.3f} (queries) and {moved.stored:.3f} "
                "(documents) with their former selves.",
                *(("The rankings are the same.",) if changes.same_rankings else ()),
            ),
        )
    if changes.has_vectors and queries != stored:
        moving, resting = ("queries", "documents") if queries else ("documents", "queries")
        cosine = moved.queries if queries else moved.stored
        told = f"The vectors of {moving} moved (median cosine {cosine:.3f}), those of {resting} did not."
        return Cause(name=CauseName.ENCODERS_DIVERGED, evidence=(told,))
    return None


def _other_ids(changes: Changes) -> Cause | None:
    """What identifiers tell: the index was written anew, perhaps in other pieces."""
    members = changes.members
    before, after = _ids(changes.before), _ids(changes.after)
    gone, came = before - after, after - before
    pieces = _pieces(gone, came) | _pieces(came, gone)
    if pieces and (members.lost.ids or members.found.ids):
        told = f"Documents come in other pieces: {_some(tuple(pieces))}."
        return Cause(
            name=CauseName.CORPUS_CHANGED, evidence=(told, *_unseen_model(changes)), or_else=_unless_vectors(changes)
        )
    if members.known == 0.0:
        told = "Not one document that comes back was seen before: the index was written anew."
        return Cause(
            name=CauseName.CORPUS_CHANGED, evidence=(told, *_unseen_model(changes)), or_else=_unless_vectors(changes)
        )
    if not after:
        return Cause(
            name=CauseName.CORPUS_CHANGED,
            evidence=("Nothing comes back at all.",),
            or_else=(CauseName.CONFIGURATION_CHANGED,),
        )
    return None


def _ids(snapshot: Snapshot) -> set[str]:
    return {doc_id for each in snapshot.rankings.values() for doc_id in each.doc_ids}


def _indexed(snapshot: Snapshot) -> set[str]:
    """Documents that the index is known to hold, whether they are served or not."""
    exact = {doc_id for each in snapshot.exact.values() for doc_id in each.doc_ids}
    return exact | set(snapshot.stored.ids if snapshot.stored else ())


def _pieces(wholes: set[str], parts: set[str]) -> set[str]:
    """Of the ids, those that are a whole id with the number of a piece behind it."""
    stems = {part.rstrip("0123456789").rstrip("#:/@_-.~ ") for part in parts}
    return wholes & stems


def _unseen_model(changes: Changes) -> tuple[str, ...]:
    few = changes.scores.n_pairs == 0
    return ("No score can be compared: the model may have changed as well.",) if few else ()


def _unless_vectors(changes: Changes) -> tuple[CauseName, ...]:
    unsure = changes.scores.n_pairs == 0 and not (changes.has_vectors)
    return (CauseName.MODEL_CHANGED,) if unsure else ()


def _edited(changes: Changes) -> Cause | None:
    """Scores that moved for some documents, or for some queries, and are the same for all others."""
    scores, moved = changes.scores, changes.moved
    if 0 < moved.stored_share <= 0.5 and scores.same >= 0.3:
        told = f"The stored vectors of {moved.stored_share:.0%} of the documents moved, all others did not."
        return Cause(name=CauseName.CORPUS_CHANGED, evidence=(f"{told} Their texts were edited.",))
    if not (0.3 <= scores.same < 1 and scores.shift_of_moved > NOISE_SHIFT):
        return None
    if scores.mixed_documents < min(0.5, scores.mixed_queries):
        told = f"The scores of some documents moved, always; {scores.same:.0%} of the others' are the same."
        return Cause(name=CauseName.CORPUS_CHANGED, evidence=(f"{told} Their texts were edited.",))
    if scores.mixed_queries < 0.5:
        told = f"All scores moved in {scores.moved_queries:.0%} of the rankings, and none in the others"
        return Cause(name=CauseName.MODEL_CHANGED, evidence=(f"{told}: some of the servers have another model.",),
                     or_else=(CauseName.ENCODERS_DIVERGED, CauseName.CONFIGURATION_CHANGED))  # fmt: skip
    return None


def _scoring(changes: Changes) -> Cause | None:
    """What scores tell that moved for everything."""
    scores, members = changes.scores, changes.members
    is_told = scores.n_pairs >= FEWEST_PAIRS
    is_moved = scores.shift > max(NOISE_SHIFT, 3 * changes.noise_shift) if is_told else members.overlap < 0.5
    if not is_moved:
        return None
    if is_told and (scores.stretch < 1 / OTHER_KIND or scores.stretch > OTHER_KIND):
        told = f"Scores spread {scores.stretch:.3g} times as much as before: they are of another kind."
        return Cause(name=CauseName.CONFIGURATION_CHANGED, evidence=(told,))
    if scores.by_words >= BY_WORDS:
        told = f"How well words match explains {scores.by_words:.0%} of what the former scores do not: other weights."
        return Cause(name=CauseName.CONFIGURATION_CHANGED, evidence=(f"{told} of words and vectors.",))
    shift = f"The same query gives the same document another score: shift {scores.shift:.2f} of the scale"
    told = f"{shift}, correlation {scores.correlation:.2f}; {members.overlap:.0%} of the documents are the same."
    if changes.has_vectors:
        return Cause(
            name=CauseName.CONFIGURATION_CHANGED,
            evidence=(told, "The vectors are the same."),
            or_else=(CauseName.INDEX_CHANGED,),
        )
    return _model_or_encoder(changes, told)


def _model_or_encoder(changes: Changes, told: str) -> Cause:
    """Whether documents still find themselves by their own text as well as before: then both encoders changed."""
    echoes, scores = changes.echoes, changes.scores
    weights = () if isfinite(scores.by_words) else (CauseName.CONFIGURATION_CHANGED,)
    if echoes.spread < ECHO_DROP and isfinite(echoes.lost):
        own = f"by their own text documents score {echoes.drop:.2f} of the scale lower, and {echoes.lost:.0%} are lost"
        if echoes.drop > ECHO_DROP or echoes.lost > 0.5:
            return Cause(name=CauseName.ENCODERS_DIVERGED, evidence=(told, f"Asked for {own}."), or_else=weights)
        return Cause(
            name=CauseName.MODEL_CHANGED,
            evidence=(told, "Asked for by their own text, documents score as before."),
            or_else=weights,
        )
    either = [CauseName.MODEL_CHANGED, CauseName.ENCODERS_DIVERGED]
    if changes.members.overlap < 0.1:
        either.reverse()
    return Cause(
        name=either[0],
        evidence=(told, "Documents were not asked for by their own text: which of both is open."),
        or_else=(either[1], *weights),
    )


def _missing(changes: Changes) -> Cause | None:
    """What lost documents tell: an index that misses, a filter, or deletions."""
    members, noise = changes.members, changes.noise
    lost = members.lost
    if not lost.exceeds(noise.lost):
        return None
    told = f"{lost.count} of {lost.expected} places were lost though worse documents stayed"
    if lost.scatters(noise.lost):
        recall = f" Recall against exact search {changes.recall_after:.3f}, before {changes.recall_before:.3f}."
        exact = recall if isfinite(changes.recall_after) else ""
        return Cause(
            name=CauseName.INDEX_CHANGED, evidence=(f"{told}; the same documents still come for other queries.{exact}",)
        )
    told = f"{told}: {_some(lost.ids)} never come back."
    if members.shorter > 0.05 and not changes.has_vectors:
        told = f"{told} {members.shorter:.0%} of the rankings became shorter: something is left out after the search."
        return Cause(name=CauseName.CONFIGURATION_CHANGED, evidence=(told,), or_else=(CauseName.CORPUS_CHANGED,))
    return _filtered(told, set(lost.ids), changes, without=changes.after, having=changes.before)


def _arrivals(changes: Changes) -> Cause | None:
    """What found documents tell: an index that misses less, a filter that was lifted, or additions."""
    found, noise = changes.members.found, changes.noise
    if not found.exceeds(noise.found):
        return None
    told = f"{found.count} of {found.expected} places are taken by documents that were not there before"
    if found.scatters(noise.found):
        return Cause(
            name=CauseName.INDEX_CHANGED, evidence=(f"{told}, but came for other queries: the index misses less.",)
        )
    told = f"{told}: {_some(found.ids)} were never seen."
    return _filtered(told, set(found.ids), changes, without=changes.before, having=changes.after)


def _filtered(told: str, doc_ids: set[str], changes: Changes, *, without: Snapshot, having: Snapshot) -> Cause:
    """Whether documents that only one snapshot serves are in the other's index, too, and are filtered there."""
    held = doc_ids & _indexed(without)
    absent = (doc_ids & _indexed(having)) - held
    if held or absent:
        name = CauseName.CONFIGURATION_CHANGED if len(held) > len(absent) else CauseName.CORPUS_CHANGED
        return Cause(
            name=name,
            evidence=(told, f"Of those that were looked for, both indexes hold {len(held)}, one {len(absent)}."),
        )
    if groups := _whole_groups(doc_ids, _ids(without), changes.before.groups):
        told = f"{told} They are all there is of {_some(tuple(groups))}: a filter, or else just that was written."
        return Cause(name=CauseName.CONFIGURATION_CHANGED, evidence=(told,), or_else=(CauseName.CORPUS_CHANGED,))
    return Cause(name=CauseName.CORPUS_CHANGED, evidence=(told,), or_else=(CauseName.CONFIGURATION_CHANGED,))


def _whole_groups(doc_ids: set[str], others: set[str], groups: Mapping[str, str]) -> set[str]:
    """The groups to which nearly all documents belong and none of the others does; empty if there are none."""
    left = {groups[doc_id] for doc_id in others & groups.keys()}
    known = doc_ids & groups.keys()
    whole = [groups[doc_id] for doc_id in known if groups[doc_id] not in left]
    return set(whole) if len(whole) >= max(5, 0.9 * len(known)) else set()


def _some(names: Sequence[str]) -> str:
    """How many, and the first of them."""
    shown = ", ".join(sorted(names)[:3])
    return f"{len(names)} ({shown}{', …' if len(names) > 3 else ''})"


def _lengths(changes: Changes) -> Cause | None:
    """What the number of hits tells: k, or a bar for scores."""
    members, noise = changes.members, changes.noise
    usual = 3 * max(noise.shorter, noise.longer)
    if members.shorter > usual + LENGTHS:
        told = f"{members.shorter:.0%} of the rankings end earlier, and nothing better than their end is missing."
        return Cause(name=CauseName.CONFIGURATION_CHANGED, evidence=(told,))
    if members.longer > usual + LENGTHS:
        return Cause(
            name=CauseName.CONFIGURATION_CHANGED, evidence=(f"{members.longer:.0%} of the rankings go on for longer.",)
        )
    return None


def _digits(changes: Changes) -> Cause | None:
    """Noise: what moved a little, everywhere, and more than in an immediate replay."""
    scores, moved = changes.scores, changes.moved
    if scores.shift > max(DIGITS, 3 * changes.noise_shift) or min(moved.queries, moved.stored) < 1 - SAME_VECTOR:
        told = f"Scores of the same query and document moved by {scores.shift:.3f} of the scale, correlation"
        return Cause(
            name=CauseName.NOISY, evidence=(f"{told} {scores.correlation:.4f}: the same model, computed otherwise.",)
        )
    return None


def _nothing(changes: Changes) -> Cause | None:
    told = "The rankings are the same." if changes.same_rankings else "Rankings differ no more than in a replay."
    return Cause(name=CauseName.UNCHANGED, evidence=(told,))


def _answering(before: Snapshot, after: Snapshot) -> Cause | None:
    """A change of the names of what answers or grades."""
    told = tuple(
        f"The {role} was {old} and is {new}."
        for role, old, new in (("answerer", before.answerer, after.answerer), ("judge", before.judge, after.judge))
        if old and new and old != new
    )
    return Cause(name=CauseName.ANSWERER_CHANGED, evidence=told) if told else None


Rule = Callable[[Changes], Cause | None]
RULES: tuple[Rule, ...] = (
    _vectors, _other_ids, _edited, _scoring, _missing, _arrivals, _lengths, _digits, _nothing
)  # fmt: skip
"""In this order; the first that has something to say names the cause."""


def _numbers(changes: Changes) -> dict[str, float]:
    """What was measured and is a number, by name."""
    members = changes.members
    parts: dict[str, Any] = {
        "": changes, "scores": changes.scores, "members": members, "lost": members.lost,
        "found": members.found, "moved": changes.moved, "echoes": changes.echoes,
    }  # fmt: skip
    told = {
        f"{part}_{each.name}".lstrip("_"): getattr(of, each.name) for part, of in parts.items() for each in fields(of)
    }
    return {name: float(value) for name, value in told.items() if isinstance(value, int | float) and isfinite(value)}
