"""Numeric: a quantity is replaced by another one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from monitor.suites.generation.draft import Refusal
from monitor.suites.generation.edits import replaced
from monitor.suites.generation.grammar import is_negated
from monitor.suites.generation.rewrites.rewrite import Outcome, labels, rewritten
from monitor.suites.generation.words import listed

if TYPE_CHECKING:
    from spacy.tokens import Span, Token

_WORDS = dict(
    zip(
        ["two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"],
        ["four", "six", "eight", "ten", "three", "nine", "twelve", "three", "five", "six", "four"],
        strict=True,
    )
)
_NUMBER = re.compile(r"([1-9][0-9]{0,2}(?:,[0-9]{3})+|[0-9]+)(\.[0-9]+)?")
_COUNTED = frozenset({"", "CARDINAL", "QUANTITY", "MONEY", "PERCENT"})
_BOUNDS = listed(
    "least most than over under above below up within minimum maximum exceed exceeds exceeding limit limited to "
    "between from least until through"
)
_REACH = 4
"""Tokens before a number that are searched for a bound."""


def rewrite(sentence: Span) -> Outcome:
    """The sentence with its first quantity changed."""
    numbers = [token for token in sentence if token.pos_ == "NUM" and token.dep_ in ("nummod", "quantmod")]
    if not numbers:
        return None
    if is_negated(sentence):
        return Refusal("a negated sentence, which a different number need not contradict")
    refusal: Refusal | None = None
    for number in numbers:
        problem = _why_not(number)
        changed = "" if problem else _changed(number)
        if not changed:
            refusal = refusal or Refusal(problem or "a number that cannot be changed")
            continue
        before = labels(sentence)
        first = changed if number.i != sentence.start else changed.capitalize()
        rule = f"“{number.text}” becomes “{changed}”"

        def holds(parse: Span, changed: str = changed, before: list[str] = before) -> bool:
            return any(token.lower_ == changed and token.pos_ == "NUM" for token in parse) and labels(parse) == before

        keeps_subject = number.head.dep_ not in ("nsubj", "nsubjpass")
        return rewritten(sentence, [replaced(number, number, first)], rule, holds, keeps_subject=keeps_subject)
    return refusal


def _why_not(number: Token) -> str:
    if number.ent_type_ in ("DATE", "TIME"):
        return "a number in a date or a time"
    if number.ent_type_ not in _COUNTED or number.head.pos_ == "PROPN":
        return "a number in a name"
    if number.i > number.head.i:
        return "a number after its noun, which names and does not count"
    beside = number.nbor(1)
    if beside.text in ("-", "–") or beside.lower_.endswith(("ths", "thirds", "quarters", "halves")):
        return "a score, a range or a fraction"
    window = number.doc[max(number.sent.start, number.i - _REACH) : number.i]
    if any(token.lower_ in _BOUNDS for token in window):
        return "a bound or a range, which a different number can satisfy"
    return ""


def _changed(number: Token) -> str:
    """A different quantity in the same form; empty if there is none."""
    if number.lower_ in _WORDS:
        return _WORDS[number.lower_]
    match = _NUMBER.fullmatch(number.text)
    if not match or number.text.startswith("0") or number.text == "1":
        return ""
    whole, fraction = int(match[1].replace(",", "")), match[2] or ""
    is_share = any(
        token.text == "%" or token.lower_ in ("percent", "per") for token in number.doc[number.i : number.i + 3]
    )
    changed = whole // 2 if is_share and whole > 50 else 2 * whole
    return (f"{changed:,}" if "," in match[1] else str(changed)) + fraction
