"""Temporal: before becomes after, and after becomes before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.suites.generation.draft import Refusal
from monitor.suites.generation.edits import replaced
from monitor.suites.generation.grammar import children, is_negated, lemma
from monitor.suites.generation.rewrites.rewrite import Outcome, labels, rewritten
from monitor.suites.generation.words import listed

if TYPE_CHECKING:
    from spacy.tokens import Span, Token

_OPPOSITE = {"before": "after", "after": "before"}
_TIMES = listed(
    "noon midnight dawn dusk sunrise sunset morning evening night day week month year hour deadline start end "
    "beginning completion expiry expiration date time meeting visit arrival departure delivery payment receipt surgery "
    "treatment war election event installation registration approval season winter summer spring autumn "
    "holiday lunch dinner breakfast meal death birth release launch publication signing termination purchase"
)


def rewrite(sentence: Span) -> Outcome:
    """The sentence with the order of two events reversed."""
    order_words = [token for token in sentence if token.lower_ in _OPPOSITE]
    if not order_words:
        return None
    word = order_words[0]
    if len(order_words) > 1:
        return Refusal("several of “before” and “after”")
    if is_negated(sentence):
        return Refusal("a negated sentence, which the reverse order need not contradict")
    if not _is_about_time(word):
        return Refusal("“before” or “after” may not be about time")
    if word.dep_ == "prep" and any(children(child, "nummod") for child in word.children if child.tag_ == "NNS"):
        return Refusal("a length of time and not an event")
    other = _OPPOSITE[word.lower_]
    before = labels(sentence)

    def holds(parse: Span) -> bool:
        return any(token.lower_ == other for token in parse) and labels(parse) == before

    text = other.capitalize() if word.i == sentence.start else other
    return rewritten(sentence, [replaced(word, word, text)], f"“{word.lower_}” becomes “{other}”", holds)


def _is_about_time(word: Token) -> bool:
    if word.dep_ == "mark":
        return word.head.dep_ == "advcl"
    if word.dep_ != "prep":
        return False
    return any(
        child.dep_ == "pcomp" or child.ent_type_ in ("DATE", "TIME", "EVENT") or lemma(child) in _TIMES
        for child in word.children
    )
