"""Conjunction: “A and B” becomes “A but not B”, and “A or B” becomes “neither A nor B”."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.suites.generation.draft import Refusal
from monitor.suites.generation.edits import Edit, inserted_before, replaced, subtree_of
from monitor.suites.generation.grammar import children, is_negated, lemma
from monitor.suites.generation.rewrites.rewrite import Outcome, rewritten
from monitor.suites.generation.words import listed

if TYPE_CHECKING:
    from spacy.tokens import Span, Token

_RECIPROCAL = listed(
    "combine mix separate compare connect link merge join match balance distinguish differentiate divide share "
    "unite exchange alternate range vary"
)
"""Verbs that need both things."""
_JOINING_WORDS = listed("between among both either together alike versus from")


def rewrite(sentence: Span) -> Outcome:
    """The sentence with one or both of two coordinated things negated."""
    heads = [token for token in sentence if token.dep_ in ("dobj", "attr", "acomp") and token.head == sentence.root]
    coordinated = [(head, conjuncts[0]) for head in heads if (conjuncts := children(head, "conj"))]
    if not coordinated:
        return None
    head, other = coordinated[0]
    words = children(head, "cc")
    if is_negated(sentence):
        return Refusal("a negated sentence, whose scope is ambiguous")
    if len(words) != 1 or children(other, "conj") or words[0].lower_ not in ("and", "or"):
        return Refusal("not two things with one “and” or “or” between them")
    if lemma(sentence.root) in _RECIPROCAL or any(token.lower_ in _JOINING_WORDS for token in sentence):
        return Refusal("both are connected by more than “and” or “or”")
    is_shared = bool(children(head, "det")) != bool(children(other, "det"))
    if head.pos_ != other.pos_ or is_shared or children(sentence.root, "conj"):
        return Refusal("two things of different kinds")
    edits, rule = _edits(head, words[0])
    first_lemma, second_lemma = lemma(head), lemma(other)

    def holds(parse: Span) -> bool:
        lemmas = {lemma(token) for token in parse}
        has_negation = any(token.lower_ in ("not", "nor") for token in parse)
        return {first_lemma, second_lemma} <= lemmas and lemma(parse.root) == lemma(sentence.root) and has_negation

    return rewritten(sentence, edits, rule, holds)


def _edits(head: Token, word: Token) -> tuple[list[Edit], str]:
    if word.lower_ == "and":
        return [replaced(word, word, "but not")], "“and” becomes “but not”"
    first, _ = subtree_of(head)
    return [inserted_before(first, "neither"), replaced(word, word, "nor")], "“or” becomes “neither … nor”"
