"""Sentence queries: what one sentence of a document says, in fewer and partly other words. The sentence is relevant."""

from __future__ import annotations

import math
import re

from monitor.evaluation.passages.quotes import normalise
from monitor.suites.generation.census import Census
from monitor.suites.generation.draft import Draft, Refusal
from monitor.suites.generation.sampling import rng_of
from monitor.suites.generation.words import Stretch, Word, sentences_of, words_of
from monitor.suites.reading import Document

KIND = "sentence"
SHORTEST, LONGEST = 8, 40
"""Words of a sentence that is long enough to say something, and short enough to be one."""
FEWEST_LEFT = 4
LEFT_OUT_SHARE = 0.25
"""Of the words that carry meaning, the most common ones are left out."""

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
"""Plain English for formal English: the sense stays."""
_DENYING = frozenset({"no", "not", "neither", "nor", "without", "cannot"})
_FORMAL = re.compile(r"\b(?:" + "|".join(sorted(_PHRASES, key=len, reverse=True)) + r")\b", re.IGNORECASE)


def draft(document: Document, census: Census, seed: int) -> Draft | Refusal:
    """A query for one sentence of a document."""
    fitting = [each for each in sentences_of(document.text) if _fits(document.text, each)]
    if not fitting:
        return Refusal(f"no sentence of {SHORTEST} to {LONGEST} words")
    place = fitting[int(rng_of(seed, KIND, document.doc_id).integers(len(fitting)))]
    sentence = document.text[place.start : place.end]
    if document.text.count(sentence) > 1:
        return Refusal("the sentence stands in the document twice")
    query, rule = restate(sentence, census)
    if len(query.split()) < FEWEST_LEFT:
        return Refusal(f"fewer than {FEWEST_LEFT} words are left")
    if normalise(query) in normalise(document.full_text):
        return Refusal("the query would stand word for word in its document")
    return Draft(KIND, query, document.doc_id, rule, start=place.start, end=place.end, quote=sentence)


def restate(sentence: str, census: Census) -> tuple[str, str]:
    """A sentence in fewer words, and what was done to it."""
    plain, n_replaced = _FORMAL.subn(lambda found: _PHRASES[found.group().lower()], sentence)
    words = words_of(plain)
    content = [word for word in words if not word.is_function_word or word.term in _DENYING]
    n_left_out = max(1, round(LEFT_OUT_SHARE * len(content)))
    left_out = set(sorted(content, key=lambda word: (_tells(word, census), word.start))[:n_left_out])
    kept = [word.text for word in content if word not in left_out]
    done = [f"{len(words) - len(content)} function words and {n_left_out} of {len(content)} others left out"]
    done += [f"{n_replaced} formal phrases in plain words"] if n_replaced else []
    return " ".join(kept), "; ".join(done)


def _tells(word: Word, census: Census) -> float:
    """Numbers and denials are kept: they are what a question is often about."""
    is_kept = word.text[:1].isdigit() or word.term in _DENYING
    return math.inf if is_kept else census.rarity(word.term)


def _fits(text: str, place: Stretch) -> bool:
    sentence = text[place.start : place.end]
    n_words = len(words_of(sentence))
    return SHORTEST <= n_words <= LONGEST and sentence[0].isalnum() and "\n\n" not in sentence
