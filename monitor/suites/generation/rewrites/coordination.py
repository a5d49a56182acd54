"""Conjunction: “A and B” becomes “A but not B”, and “A or B” becomes “neither A nor B”."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.suites.generation.draft import Refusal
from monitor.suites.generation.edits import Edit, inserted_before, replaced, subtree_of
from monitor.suites.generation.grammar import children, is_denied, lemma
from monitor.suites.generation.rewrites.rewrite import Outcome, rewritten
from monitor.suites.generation.words import listed

if TYPE_CHECKING:
    from spacy.tokens import Span, Token

_JOINING = listed(
    "combine mix separate compare connect link merge join match balance distinguish differentiate divide share "
    "unite exchange alternate range vary"
)
"""Verbs that need both."""
_JOINING_WORDS = listed("between among both either together alike versus from")


def rewrite(sentence: Span) -> Outcome:
    """The sentence without one or both of two things that it joins."""
    heads = [token for token in sentence if token.dep_ in ("dobj", "attr", "acomp") and token.head == sentence.root]
    joined = [(head, found[0]) for head in heads if (found := children(head, "conj"))]
    if not joined:
        return None
    head, other = joined[0]
    words = children(head, "cc")
    if is_denied(sentence):
        return Refusal("it is negated already, and it is open what of")
    if len(words) != 1 or children(other, "conj") or words[0].lower_ not in ("and", "or"):
        return Refusal("not two things with one “and” or “or” between them")
    if lemma(sentence.root) in _JOINING or any(token.lower_ in _JOINING_WORDS for token in sentence):
        return Refusal("both are joined by more than “and” or “or”")
    is_shared = bool(children(head, "det")) != bool(children(other, "det"))
    if head.pos_ != other.pos_ or is_shared or children(sentence.root, "conj"):
        return Refusal("two things of different kinds")
    edits, rule = _edits(head, words[0])
    kept, left_out = lemma(head), lemma(other)

    def holds(parse: Span) -> bool:
        told = {lemma(token) for token in parse}
        is_denied_now = any(token.lower_ in ("not", "nor") for token in parse)
        return {kept, left_out} <= told and lemma(parse.root) == lemma(sentence.root) and is_denied_now

    return rewritten(sentence, edits, rule, holds)


def _edits(head: Token, word: Token) -> tuple[list[Edit], str]:
    if word.lower_ == "and":
        return [replaced(word, word, "but not")], "“and” becomes “but not”"
    first, _ = subtree_of(head)
    return [inserted_before(first, "neither"), replaced(word, word, "nor")], "“or” becomes “neither … nor”"
