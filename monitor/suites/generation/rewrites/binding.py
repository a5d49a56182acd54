"""Modifier binding: two nouns exchange their adjectives."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from monitor.suites.generation.draft import Refusal
from monitor.suites.generation.edits import Edit, replaced
from monitor.suites.generation.grammar import article_before, children, is_negated, lemma
from monitor.suites.generation.rewrites.rewrite import Outcome, labels, rewritten
from monitor.suites.generation.words import listed

if TYPE_CHECKING:
    from spacy.tokens import Span, Token

_NOT_BOUND = listed("other same such own many several few more most first last next certain various different")
"""Words that count or point instead of describing."""


def rewrite(sentence: Span) -> Outcome:
    """The sentence with two adjectives swapped."""
    bound = [
        (noun, adjectives[0])
        for noun in sentence
        if noun.pos_ == "NOUN" and len(adjectives := children(noun, "amod")) == 1
    ]
    if len(bound) < 2:
        return None
    if is_negated(sentence):
        return Refusal("a negated sentence, which other adjectives need not contradict")
    refusal: Refusal | None = None
    for (noun, adjective), (other_noun, other_adjective) in combinations(bound, 2):
        problem = _why_not(noun, adjective, other_noun, other_adjective)
        if problem:
            refusal = refusal or Refusal(problem)
            continue
        edits = [*_swapped(adjective, other_adjective), *_swapped(other_adjective, adjective)]
        now = (lemma(other_adjective), lemma(noun)), (lemma(adjective), lemma(other_noun))
        before = labels(sentence)

        def holds(parse: Span, now: tuple[tuple[str, str], tuple[str, str]] = now, before: list[str] = before) -> bool:
            bindings = {(lemma(token), lemma(token.head)) for token in parse if token.dep_ == "amod"}
            return set(now) <= bindings and labels(parse) == before

        rule = f"“{adjective.text}” and “{other_adjective.text}” exchange their nouns"
        return rewritten(sentence, edits, rule, holds)
    return refusal


def _why_not(noun: Token, adjective: Token, other_noun: Token, other_adjective: Token) -> str:
    if any(each.tag_ != "JJ" or list(each.children) for each in (adjective, other_adjective)):
        return "an adjective that compares, is a participle or has dependents"
    if any(lemma(each) in _NOT_BOUND for each in (adjective, other_adjective)):
        return "an adjective that counts or points instead of describing"
    if any(each.ent_type_ for each in (adjective, other_adjective, noun, other_noun)):
        return "an adjective or a noun that is part of a name"
    if lemma(adjective) == lemma(other_adjective) or lemma(noun) == lemma(other_noun):
        return "both nouns or both adjectives are the same word"
    if any(each.i + 1 != each.head.i for each in (adjective, other_adjective)):
        return "an adjective that is not before its noun"
    return ""


def _swapped(adjective: Token, other: Token) -> list[Edit]:
    """The edits that replace an adjective by the other one, with its article."""
    if adjective.i == adjective.sent.start:
        return [replaced(adjective, adjective, other.text)]
    text = other.text.lower() if other.i == other.sent.start else other.text
    edits = [replaced(adjective, adjective, text)]
    article = adjective.nbor(-1)
    if article.lower_ in ("a", "an") and article.dep_ == "det":
        edits.append(replaced(article, article, article_before(text)))
    return edits
