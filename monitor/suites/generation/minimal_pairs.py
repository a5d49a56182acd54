"""Minimal pairs from the user's own sentences: the sentence satisfies, its rewrite violates, both have a question."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitor.evaluation.passages.quotes import normalise
from monitor.suites.generation.draft import Refusal
from monitor.suites.generation.parse import one_sentence, parsed, why_unfit
from monitor.suites.generation.restatement import Question, question_about
from monitor.suites.generation.rewrites import REWRITES
from monitor.suites.generation.rewrites.rewrite import Rewrite
from monitor.suites.generation.sampling import Sample
from monitor.suites.reading import Document

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Span

KIND = "minimal-pairs"
DRAWN = 100
"""Documents drawn for each pair of a phenomenon that is wanted."""


@dataclass(frozen=True, slots=True)
class MinimalPair:
    """A sentence of a document and its rewrite, each with the question that it answers."""

    phenomenon: str
    doc_id: str
    title: str
    start: int
    end: int
    """Where the sentence stands in the text of the document."""
    sentence: str
    rewrite: Rewrite
    question: Question
    mirror: Question


class Workshop:
    """Makes pairs of sentences until there are enough of each phenomenon."""

    def __init__(self, nlp: Language, count: int) -> None:
        self._nlp = nlp
        self._missing = dict.fromkeys(REWRITES, count)
        self._asked: set[str] = set()
        self.pairs: list[MinimalPair] = []
        self.refused: Counter[str] = Counter()
        self.n_sentences = 0

    def work(self, documents: Iterable[Document], tell: Callable[[str], None]) -> None:
        """Go through documents, sentence by sentence."""
        drawn = list(documents)
        texts = (document.text for document in drawn)
        for number, (document, doc) in enumerate(zip(drawn, parsed(self._nlp, texts), strict=True), 1):
            for sentence in doc.sents:
                self._look_at(document, sentence)
            if number % 200 == 0:
                tell(f"{number:,} of {len(drawn):,} documents parsed, {len(self.pairs):,} pairs")
            if not self._missing:
                return

    def _look_at(self, document: Document, sentence: Span) -> None:
        self.n_sentences += 1
        unfit = why_unfit(sentence)
        if unfit:
            self.refused[f"sentence: {unfit.reason}"] += 1
            return
        if normalise(sentence.text) in self._asked:
            self.refused["sentence: it was there before"] += 1
            return
        # One pair of each sentence, of the phenomenon that lacks most: near-copies of one sentence would not be judged.
        for phenomenon in sorted(self._missing, key=self._missing.__getitem__, reverse=True):
            made = self._pair(phenomenon, document, sentence)
            if isinstance(made, Refusal):
                self.refused[f"{phenomenon}: {made.reason}"] += 1
            elif made is not None:
                self._take(made)
                return

    def _pair(self, phenomenon: str, document: Document, sentence: Span) -> MinimalPair | Refusal | None:
        rewrite = REWRITES[phenomenon](sentence)
        if not isinstance(rewrite, Rewrite):
            return rewrite
        parse = one_sentence(self._nlp(rewrite.text))
        if parse is None or why_unfit(parse) or not rewrite.holds(parse):
            return Refusal("the rewrite does not parse as was meant")
        question = question_about(sentence, may_ask_subject=rewrite.keeps_subject)
        mirror = question_about(parse, may_ask_subject=rewrite.keeps_subject)
        if normalise(question.text) == normalise(mirror.text):
            return Refusal("both sentences answer the same question")
        start, end = sentence.start_char, sentence.end_char
        place = document.doc_id, document.title, start, end
        return MinimalPair(phenomenon, *place, sentence.text, rewrite, question, mirror)

    def _take(self, pair: MinimalPair) -> None:
        self.pairs.append(pair)
        self._asked |= {normalise(pair.sentence), normalise(pair.rewrite.text)}
        self._missing[pair.phenomenon] -= 1
        if not self._missing[pair.phenomenon]:
            del self._missing[pair.phenomenon]


def drawn(documents: Iterable[Document], count: int, seed: int) -> Iterator[Document]:
    """Documents in random order, enough for so many pairs of each phenomenon."""
    sample = Sample[Document](count * DRAWN, seed, KIND)
    for document in documents:
        sample.offer(document.doc_id, document)
    yield from sample.drawn()
