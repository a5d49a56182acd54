"""Quantifier and modality: all, every, some, always, must."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.suites.generation.draft import Refusal
from monitor.suites.generation.edits import Edit, inserted_before, replaced
from monitor.suites.generation.grammar import SUBJECTS, children, is_negated
from monitor.suites.generation.rewrites.rewrite import Outcome, rewritten

if TYPE_CHECKING:
    from spacy.tokens import Span, Token

_QUANTIFIERS = frozenset({"all", "every", "some", "always", "must"})


def rewrite(sentence: Span) -> Outcome:
    """The sentence with a weaker quantity, frequency or obligation."""
    quantifiers = [token for token in sentence if token.lower_ in _QUANTIFIERS]
    if not quantifiers:
        return None
    if is_negated(sentence):
        return Refusal("a negated sentence, whose scope is ambiguous")
    if len(quantifiers) > 1:
        return Refusal("several words of quantity or obligation")
    word = quantifiers[0]
    change = _edit(word)
    if change is None:
        return Refusal("a word of quantity or obligation that cannot be changed here")
    edit, expected = change

    def holds(parse: Span) -> bool:
        words = [token.lower_ for token in parse]
        return all(each in words for each in expected) and bool(children(parse.root, *SUBJECTS))

    rule = f"“{word.lower_}” becomes “{' '.join(expected)}”"
    return rewritten(sentence, [edit], rule, holds, keeps_subject=word.lower_ in ("must", "always"))


def _edit(word: Token) -> tuple[Edit, tuple[str, ...]] | None:
    is_first, of_root = word.i == word.sent.start, word.head == word.sent.root
    is_of_subject = word.dep_ == "det" and word.head.dep_ in SUBJECTS and word.head.head == word.sent.root
    quantifier = word.lower_
    if quantifier == "must" and word.dep_ == "aux" and of_root:
        return replaced(word, word, "need not"), ("need", "not")
    if (
        quantifier == "always"
        and word.dep_ == "advmod"
        and of_root
        and word.nbor(-1).dep_ in ("aux", "auxpass", "ROOT")
    ):
        return inserted_before(word, "not"), ("not", "always")
    if quantifier == "all" and word.dep_ == "det" and word.head.tag_ == "NNS" and not is_of_subject:
        return replaced(word, word, "only some"), ("only", "some")
    if quantifier in ("all", "every") and is_of_subject and is_first:
        return replaced(word, word, f"Not {quantifier}"), ("not", quantifier)
    if quantifier == "some" and is_of_subject and is_first:
        return replaced(word, word, "No"), ("no",)
    return None
