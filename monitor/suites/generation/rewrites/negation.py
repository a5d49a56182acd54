"""Negation: the main clause is negated, unless it is negative already or negation would change another meaning."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.suites.generation.draft import Refusal
from monitor.suites.generation.edits import inserted_after, replaced
from monitor.suites.generation.grammar import auxiliaries, children, is_negated, lemma, subject_of
from monitor.suites.generation.rewrites.rewrite import Outcome, rewritten
from monitor.suites.generation.words import listed

if TYPE_CHECKING:
    from spacy.tokens import Span

_SUPPORT = {"VBZ": "does", "VBP": "do", "VBD": "did"}
_SHIFTING = listed(
    "some something someone already too also still only all both every each always either any anything just even "
    "most many several often usually sometimes almost about"
)
"""Words that change their meaning or become ungrammatical under a negation."""
_POSSIBLE = frozenset({"may", "might", "could"})


def rewrite(sentence: Span) -> Outcome:
    """The sentence with “not” in its main clause."""
    verb, subject = sentence.root, subject_of(sentence)
    if subject is None:
        return None
    if is_negated(sentence):
        return Refusal("a negated sentence")
    if any(token.lower_ in _SHIFTING for token in sentence):
        return Refusal("a word that changes its meaning under a negation")
    if children(verb, "conj"):
        return Refusal("several verbs, of which any could be negated")
    before = auxiliaries(verb)
    if before and before[0].lower_ in _POSSIBLE:
        return Refusal("“may” and “may not” can both be true")
    first = before[0] if before else verb
    if before or lemma(verb) == "be":
        is_can = first.lower_ == "can"
        edit = replaced(first, first, "cannot") if is_can else inserted_after(first, "not")
        rule = f"“not” after “{first.lower_}”"
        if first.text.startswith(("'", "’")) or first.lower_ in ("ca", "wo", "sha"):
            return Refusal("a contracted verb")
    elif verb.tag_ in _SUPPORT:
        support = f"{_SUPPORT[verb.tag_]} not"
        edit, rule = replaced(verb, verb, f"{support} {lemma(verb)}"), f"“{support}” before the verb"
    else:
        return Refusal("no finite verb to negate")
    stem, head = lemma(verb), lemma(subject)

    def holds(parse: Span) -> bool:
        parsed_subject = subject_of(parse)
        is_same_clause = lemma(parse.root) == stem and parsed_subject is not None and lemma(parsed_subject) == head
        return is_same_clause and len(children(parse.root, "neg")) == 1

    return rewritten(sentence, [edit], rule, holds)
