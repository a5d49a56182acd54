"""Extractive answers without a language model: select a sentence first, then a span in it.

A sentence is selected by the rare words that it shares with the question; sentence vectors improved F1 by less than a
point. A span is selected by the kind of answer that the question needs, and by its distance from the words of the
question, which it should not contain. The weights were tuned by hand on half of the questions of XQuAD.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from monitor.demo.spans import (
    ANYTHING,
    DATE,
    NAME,
    NUMBER,
    PHRASE,
    Sentence,
    Span,
    content_stems,
    kind_of_answer,
    parse,
)

SENTENCES_READ = 3
"""The number of sentences, best first, whose spans are scored."""
OVERLAP = 1.05
"""The weight of words that a sentence shares with the question."""
NEAR, OWN, CUT = 0.7, 0.7, 0.09
"""Weights of the question's words near a span, inside it, and of content words cut off at its ends."""
REACH = 4.0
"""The distance, in words, at which a word of the question has about a third of its weight beside the span."""
KINDS = {
    (NUMBER, NUMBER): 1.2, (NUMBER, DATE): 0.24,
    (DATE, DATE): 1.2, (DATE, NUMBER): 0.36,
    (NAME, NAME): 1.2, (NAME, NUMBER): -0.6, (NAME, DATE): -0.6,
    (PHRASE, PHRASE): 0.36, (PHRASE, NAME): 0.36, (PHRASE, NUMBER): -0.36, (PHRASE, DATE): -0.6,
    (ANYTHING, PHRASE): 0.36, (ANYTHING, NAME): 0.36, (ANYTHING, NUMBER): 0.6, (ANYTHING, DATE): 0.36,
}  # fmt: skip
"""The score of a span of the second kind for a question of the first kind; 0 for other pairs."""

_SENTENCE_END = re.compile(r"(?<=[.!?])[\"”’)\]]*\s+(?=[\"“‘(\[]?[A-Z0-9])")
_ABBREVIATION = re.compile(r"\b(?:[A-Z]|Dr|Mr|Mrs|Ms|St|Jr|Sr|No|vs|etc|ca|e\.g|i\.e|U\.S|approx|Prof|Gen|Col)\.$")


class Reader:
    """Extracts answers; a corpus defines how rare each word is."""

    def __init__(self, corpus: Iterable[str]) -> None:
        sentences = {sentence for text in corpus for sentence in split(text)}
        self._n_sentences = len(sentences)
        self._frequency = Counter(stem for sentence in sentences for stem in content_stems(sentence))

    def read(self, question: str, contexts: Sequence[str]) -> str:
        """An answer to the question from its contexts; empty if they contain no words."""
        shares, kind = self._shares(question), kind_of_answer(question)
        sentences = dict.fromkeys(sentence for text in contexts for sentence in split(text))
        ranked = sorted(((_score(shares, each), each) for each in sentences), key=_first, reverse=True)
        scored_spans = (
            (score + _fit(span, parsed, kind, shares), span.text)
            for score, parsed in ((score, parse(sentence)) for score, sentence in ranked[:SENTENCES_READ])
            for span in parsed.spans
        )
        return max(scored_spans, key=_first, default=(0.0, ranked[0][1] if ranked else ""))[1]

    def _shares(self, question: str) -> dict[str, float]:
        """The weight of each word of the question by its rarity; the weights add up to 1."""
        rarities = {
            stem: math.log((self._n_sentences + 2) / (self._frequency[stem] + 1)) for stem in content_stems(question)
        }
        whole = sum(rarities.values())
        return {stem: rarity / whole for stem, rarity in rarities.items()} if whole else {}


def split(text: str) -> list[str]:
    """The sentences of a text.

    >>> split("Dr. Lee left. She came back in 1990.")
    ['Dr. Lee left.', 'She came back in 1990.']
    """
    sentences: list[str] = []
    for part in _SENTENCE_END.split(text.strip()):
        if sentences and _ABBREVIATION.search(sentences[-1]):
            sentences[-1] += f" {part}"
        elif part:
            sentences.append(part)
    return sentences


def _score(shares: Mapping[str, float], sentence: str) -> float:
    return OVERLAP * sum(shares[stem] for stem in shares.keys() & content_stems(sentence))


def _fit(span: Span, sentence: Sentence, kind: str, shares: Mapping[str, float]) -> float:
    near = sum(share * _nearness(span, sentence.places.get(stem, ())) for stem, share in shares.items())
    own = sum(stem in shares for stem in span.stems) / max(1, len(span.stems))
    cut = sum(stem not in shares for stem in span.cut)
    return KINDS.get((kind, span.kind), 0.0) + span.shape + NEAR * near - OWN * own - CUT * cut


def _nearness(span: Span, places: tuple[int, ...]) -> float:
    """1 beside the span, decreasing with distance; 0 if the word is in the span or not in the sentence."""
    outside = [max(span.first - place, place - span.last) for place in places if not span.first <= place <= span.last]
    return math.exp((1 - min(outside)) / REACH) if outside else 0.0


def _first(pair: tuple[float, str]) -> float:
    return pair[0]
