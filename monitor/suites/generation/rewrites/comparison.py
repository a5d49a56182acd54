"""Comparative: more becomes less, higher becomes lower."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.suites.generation.draft import Refusal
from monitor.suites.generation.edits import replaced
from monitor.suites.generation.grammar import is_negated
from monitor.suites.generation.rewrites.rewrite import Outcome, labels, rewritten

if TYPE_CHECKING:
    from spacy.tokens import Span, Token

_PAIRS = (
    "higher lower, larger smaller, bigger smaller, greater smaller, longer shorter, taller shorter, faster slower, "
    "quicker slower, older younger, cheaper dearer, stronger weaker, heavier lighter, better worse, earlier later, "
    "warmer cooler, hotter colder, wider narrower, deeper shallower, richer poorer, safer riskier, easier harder, "
    "nearer farther, closer farther, thicker thinner, louder quieter, sooner later, brighter dimmer, newer older"
)
_OPPOSITE: dict[str, str] = {}
for _pair in _PAIRS.split(", "):
    _one, _other = _pair.split()
    _OPPOSITE.setdefault(_one, _other)
    _OPPOSITE.setdefault(_other, _one)


def rewrite(sentence: Span) -> Outcome:
    """The sentence with its comparison reversed."""
    comparatives = [token for token in sentence if token.tag_ in ("JJR", "RBR") and _is_compared(token)]
    if not comparatives:
        return None
    if len(comparatives) > 1:
        return Refusal("several comparisons")
    if is_negated(sentence):
        return Refusal("a negated comparison, whose opposite need not contradict it")
    word = comparatives[0]
    other = _opposite(word)
    if not other:
        return Refusal("a comparative without a known opposite")
    before = labels(sentence)

    def holds(parse: Span) -> bool:
        return any(token.lower_ == other for token in parse) and labels(parse) == before

    text = other.capitalize() if word.i == sentence.start else other
    return rewritten(sentence, [replaced(word, word, text)], f"“{word.lower_}” becomes “{other}”", holds)


def _is_compared(token: Token) -> bool:
    """Whether “than” follows within four tokens: without it, “more” can mean “further” or “rather”."""
    rest = token.doc[token.i + 1 : min(token.sent.end, token.i + 5)]
    return any(token.lower_ == "than" for token in rest)


def _opposite(word: Token) -> str:
    comparative = word.lower_
    follows = word.nbor(1)
    if comparative == "more":
        return "fewer" if follows.tag_ == "NNS" and word.dep_ == "amod" else "less"
    if comparative in ("less", "fewer"):
        return "more"
    return _OPPOSITE.get(comparative, "")
