"""Causes that follow from the documents in the rankings: new ids, losses, additions and lengths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite

from monitor.diagnosis.changes import Changes
from monitor.model.causes import Cause, CauseName
from monitor.model.snapshots import Snapshot

LENGTHS = 0.005
"""If the length changed in a larger share of the rankings, the limit on the number of hits changed."""


def new_ids(changes: Changes) -> Cause | None:
    """New identifiers: the index was rebuilt, perhaps with other chunks."""
    members = changes.members
    before, after = _ids(changes.before), _ids(changes.after)
    left, entered = before - after, after - before
    chunked = _wholes(left, entered) | _wholes(entered, left)
    sentence = ""
    if chunked and (members.losses.ids or members.additions.ids):
        sentence = f"Documents are cut into other pieces: {_some(tuple(chunked))}."
    elif members.known_share == 0.0:
        sentence = "All returned documents have new ids: the index was rebuilt."
    if sentence:
        return _rebuilt(changes, sentence)
    if not after:
        evidence = ("The target returns no hits at all.",)
        return Cause(name=CauseName.CORPUS_CHANGED, evidence=evidence, or_else=(CauseName.CONFIGURATION_CHANGED,))
    return None


def missing_documents(changes: Changes) -> Cause | None:
    """Lost documents: an index that misses neighbours, a filter, or deletions."""
    members, noise = changes.members, changes.noise
    losses = members.losses
    if not losses.exceeds(noise.losses):
        return None
    sentence = f"{losses.count} of {losses.expected} documents disappeared although worse documents stayed"
    if losses.scatters(noise.losses):
        recall = f" Recall against exact search {changes.recall_after:.3f}, before {changes.recall_before:.3f}."
        exact = recall if isfinite(changes.recall_after) else ""
        evidence = (f"{sentence}; other queries still return them.{exact}",)
        return Cause(name=CauseName.INDEX_CHANGED, evidence=evidence)
    sentence = f"{sentence}: no query returns {_some(losses.ids)}."
    if members.shorter > 0.05 and not changes.has_vectors:
        evidence = (f"{sentence} {members.shorter:.0%} of the rankings became shorter: a filter follows the search.",)
        return Cause(name=CauseName.CONFIGURATION_CHANGED, evidence=evidence, or_else=(CauseName.CORPUS_CHANGED,))
    return _filter_or_corpus(sentence, set(losses.ids), changes, without=changes.after, having=changes.before)


def new_documents(changes: Changes) -> Cause | None:
    """Additional documents: an index that misses less, the end of a filter, or additions to the corpus."""
    additions, noise = changes.members.additions, changes.noise
    if not additions.exceeds(noise.additions):
        return None
    sentence = f"{additions.count} of {additions.expected} documents are new in their rankings"
    if additions.scatters(noise.additions):
        evidence = (f"{sentence}, but other queries returned them before: the index misses fewer neighbours.",)
        return Cause(name=CauseName.INDEX_CHANGED, evidence=evidence)
    sentence = f"{sentence}: no query returned {_some(additions.ids)} before."
    return _filter_or_corpus(sentence, set(additions.ids), changes, without=changes.before, having=changes.after)


def ranking_lengths(changes: Changes) -> Cause | None:
    """Another number of hits: k or a threshold on scores changed."""
    members, noise = changes.members, changes.noise
    usual = 3 * max(noise.shorter, noise.longer)
    sentence = ""
    if members.shorter > usual + LENGTHS:
        sentence = f"{members.shorter:.0%} of the rankings are shorter, and only their lowest ranks are missing."
    elif members.longer > usual + LENGTHS:
        sentence = f"{members.longer:.0%} of the rankings are longer."
    return Cause(name=CauseName.CONFIGURATION_CHANGED, evidence=(sentence,)) if sentence else None


def _rebuilt(changes: Changes, sentence: str) -> Cause:
    is_blind = changes.scores.n_pairs == 0
    doubt = ("No score can be compared: the model may have changed as well.",) if is_blind else ()
    or_else = (CauseName.MODEL_CHANGED,) if is_blind and not changes.has_vectors else ()
    return Cause(name=CauseName.CORPUS_CHANGED, evidence=(sentence, *doubt), or_else=or_else)


def _filter_or_corpus(
    sentence: str, doc_ids: set[str], changes: Changes, *, without: Snapshot, having: Snapshot
) -> Cause:
    """A filter if documents that only one snapshot returns are in both indexes, else a change of the corpus."""
    in_both = doc_ids & _indexed(without)
    in_one = (doc_ids & _indexed(having)) - in_both
    if in_both or in_one:
        name = CauseName.CONFIGURATION_CHANGED if len(in_both) > len(in_one) else CauseName.CORPUS_CHANGED
        counts = f"Of these documents, {len(in_both)} are in both indexes and {len(in_one)} in only one."
        return Cause(name=name, evidence=(sentence, counts))
    if groups := _whole_groups(doc_ids, _ids(without), changes.before.groups):
        evidence = (f"{sentence} They are complete groups: {_some(tuple(groups))}; this suggests a filter.",)
        return Cause(name=CauseName.CONFIGURATION_CHANGED, evidence=evidence, or_else=(CauseName.CORPUS_CHANGED,))
    # Documents that another model embedded again disappear like deleted ones.
    alternatives = (CauseName.CONFIGURATION_CHANGED, CauseName.INDEX_CHANGED)
    return Cause(name=CauseName.CORPUS_CHANGED, evidence=(sentence,), or_else=alternatives)


def _ids(snapshot: Snapshot) -> set[str]:
    return {doc_id for ranking in snapshot.rankings.values() for doc_id in ranking.doc_ids}


def _indexed(snapshot: Snapshot) -> set[str]:
    """Documents that are certainly in the index, whether a query returns them or not."""
    exact = {doc_id for ranking in snapshot.exact.values() for doc_id in ranking.doc_ids}
    return exact | set(snapshot.stored.ids if snapshot.stored else ())


def _wholes(wholes: set[str], parts: set[str]) -> set[str]:
    """The ids among ``wholes`` that, followed by a number, are ids among ``parts``."""
    stems = {part.rstrip("0123456789").rstrip("#:/@_-.~ ") for part in parts}
    return wholes & stems


def _whole_groups(doc_ids: set[str], others: set[str], groups: Mapping[str, str]) -> set[str]:
    """The groups of nearly all of these documents, if no other document is in them; else empty."""
    remaining = {groups[doc_id] for doc_id in others & groups.keys()}
    grouped = doc_ids & groups.keys()
    whole = [groups[doc_id] for doc_id in grouped if groups[doc_id] not in remaining]
    return set(whole) if len(whole) >= max(5, 0.9 * len(grouped)) else set()


def _some(names: Sequence[str]) -> str:
    """The number of names and the first three of them."""
    first = ", ".join(sorted(names)[:3])
    return f"{len(names)} ({first}{', …' if len(names) > 3 else ''})"
