"""Sentence queries: a shortened and partly reworded sentence of a document. That sentence is relevant."""

from __future__ import annotations

import math
import re

from monitor.evaluation.passages.quotes import normalise
from monitor.suites.generation.document_frequency import DocumentFrequencies
from monitor.suites.generation.draft import Draft, Refusal
from monitor.suites.generation.sampling import rng_of
from monitor.suites.generation.words import Stretch, Word, sentences_of, words_of
from monitor.suites.reading import Document

KIND = "sentence"
SHORTEST, LONGEST = 8, 40
"""Limits on the words of a source sentence."""
FEWEST_WORDS = 4
LEFT_OUT_SHARE = 0.25
"""Share of the content words that are removed, the most common first."""

_PHRASES = {
    "a number of": "several",
    "a large number of": "many",
    "is not permitted": "is forbidden",
    "are not permitted": "are forbidden",
    "approximately": "about",
    "additional": "more",
    "obtain": "get",
    "purchase": "buy",
    "purchased": "bought",
    "commence": "begin",
    "commences": "begins",
    "terminate": "end",
    "terminates": "ends",
    "assist": "help",
    "require": "need",
    "requires": "needs",
    "numerous": "many",
    "sufficient": "enough",
    "currently": "now",
    "annually": "every year",
}
"""Formal phrases with plain synonyms."""
_NEGATIONS = frozenset({"no", "not", "neither", "nor", "without", "cannot"})
_FORMAL = re.compile(r"\b(?:" + "|".join(sorted(_PHRASES, key=len, reverse=True)) + r")\b", re.IGNORECASE)


def draft(document: Document, frequencies: DocumentFrequencies, seed: int) -> Draft | Refusal:
    """A query for one sentence of a document."""
    fitting = [each for each in sentences_of(document.text) if _fits(document.text, each)]
    if not fitting:
        return Refusal(f"no sentence of {SHORTEST} to {LONGEST} words")
    place = fitting[int(rng_of(seed, KIND, document.doc_id).integers(len(fitting)))]
    sentence = document.text[place.start : place.end]
    if document.text.count(sentence) > 1:
        return Refusal("the sentence occurs twice in the document")
    query, rule = shortened(sentence, frequencies)
    if len(query.split()) < FEWEST_WORDS:
        return Refusal(f"fewer than {FEWEST_WORDS} words are left")
    if normalise(query) in normalise(document.full_text):
        return Refusal("the query would be a quotation of its document")
    return Draft(
        kind=KIND, text=query, doc_id=document.doc_id, rule=rule, start=place.start, end=place.end, quote=sentence
    )


def shortened(sentence: str, frequencies: DocumentFrequencies) -> tuple[str, str]:
    """A shortened sentence, and a description of the changes."""
    plain, n_replaced = _FORMAL.subn(lambda match: _PHRASES[match.group().lower()], sentence)
    words = words_of(plain)
    content = [word for word in words if not word.is_function_word or word.term in _NEGATIONS]
    n_left_out = max(1, round(LEFT_OUT_SHARE * len(content)))
    left_out = set(sorted(content, key=lambda word: (_meaning(word, frequencies), word.start))[:n_left_out])
    remaining = [word.text for word in content if word not in left_out]
    changes = [f"{len(words) - len(content)} function words and {n_left_out} of {len(content)} others left out"]
    changes += [f"{n_replaced} formal phrases in plain words"] if n_replaced else []
    return " ".join(remaining), "; ".join(changes)


def _meaning(word: Word, frequencies: DocumentFrequencies) -> float:
    """Importance of a word. Numbers and negations are never removed: questions are often about them."""
    is_essential = word.text[:1].isdigit() or word.term in _NEGATIONS
    return math.inf if is_essential else frequencies.inverse_frequency(word.term)


def _fits(text: str, place: Stretch) -> bool:
    sentence = text[place.start : place.end]
    n_words = len(words_of(sentence))
    return SHORTEST <= n_words <= LONGEST and sentence[0].isalnum() and "\n\n" not in sentence
