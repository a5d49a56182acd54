"""Negation: the main clause is denied, unless it is denied already, or denying it would change something else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.suites.generation.draft import Refusal
from monitor.suites.generation.edits import inserted_after, replaced
from monitor.suites.generation.grammar import auxiliaries, children, is_denied, lemma, subject_of
from monitor.suites.generation.rewrites.rewrite import Outcome, rewritten
from monitor.suites.generation.words import listed

if TYPE_CHECKING:
    from spacy.tokens import Span

_SUPPORT = {"VBZ": "does", "VBP": "do", "VBD": "did"}
_SHIFTING = listed(
    "some something someone already too also still only all both every each always either any anything just even "
    "most many several often usually sometimes almost about"
)
"""Words that come to mean something else, or stand at fault, below a negation."""
_POSSIBLE = frozenset({"may", "might", "could"})


def rewrite(sentence: Span) -> Outcome:
    """The sentence with “not” in its main clause."""
    verb, subject = sentence.root, subject_of(sentence)
    if subject is None:
        return None
    if is_denied(sentence):
        return Refusal("it is negated already")
    if any(token.lower_ in _SHIFTING for token in sentence):
        return Refusal("it has a word that means something else below a negation")
    if children(verb, "conj"):
        return Refusal("several verbs: it is open which of them would be negated")
    before = auxiliaries(verb)
    if before and before[0].lower_ in _POSSIBLE:
        return Refusal("what may be and what may not be can both be true")
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
        return Refusal("no finite verb that a negation could go to")
    stem, head = lemma(verb), lemma(subject)

    def holds(parse: Span) -> bool:
        found = subject_of(parse)
        same = lemma(parse.root) == stem and found is not None and lemma(found) == head
        return same and len(children(parse.root, "neg")) == 1

    return rewritten(sentence, [edit], rule, holds)
