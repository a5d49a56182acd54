"""Minimal pairs from the user's sentences: a sentence and its rewrite, each with a question that only it answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitor.evaluation.passages.quotes import normalise
from monitor.suites.generation.draft import Refusal
from monitor.suites.generation.parse import one_sentence, parsed, why_unfit
from monitor.suites.generation.question_from_sentence import Question, question_about
from monitor.suites.generation.rewrites import REWRITES
from monitor.suites.generation.rewrites.rewrite import Rewrite
from monitor.suites.generation.sampling import Sample
from monitor.suites.reading import Document

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Span

KIND = "minimal-pairs"
OVERSAMPLING = 100
"""Documents sampled for each requested pair of a phenomenon."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MinimalPair:
    """A sentence of a document and its rewrite, each with the question that it answers."""

    phenomenon: str
    doc_id: str
    title: str
    start: int
    end: int
    """``start`` and ``end`` are the character offsets of the sentence in the document."""
    sentence: str
    rewrite: Rewrite
    question: Question
    mirror: Question


class PairGenerator:
    """Generates sentence pairs until there are ``count`` of each phenomenon."""

    def __init__(self, nlp: Language, count: int) -> None:
        self._nlp = nlp
        self._missing = dict.fromkeys(REWRITES, count)
        self._sentences: set[str] = set()
        self.pairs: list[MinimalPair] = []
        self.refused: Counter[str] = Counter()
        self.n_sentences = 0

    def generate(self, documents: Iterable[Document], report_progress: Callable[[str], None]) -> None:
        """Try every sentence of the documents."""
        batch = list(documents)
        texts = (document.text for document in batch)
        for number, (document, doc) in enumerate(zip(batch, parsed(self._nlp, texts), strict=True), 1):
            for sentence in doc.sents:
                self._try(document, sentence)
            if number % 200 == 0:
                report_progress(f"{number:,} of {len(batch):,} documents parsed, {len(self.pairs):,} pairs")
            if not self._missing:
                return

    def _try(self, document: Document, sentence: Span) -> None:
        self.n_sentences += 1
        unfit = why_unfit(sentence)
        if unfit:
            self.refused[f"sentence: {unfit.reason}"] += 1
            return
        if normalise(sentence.text) in self._sentences:
            self.refused["sentence: duplicate"] += 1
            return
        # One pair for each sentence, of the phenomenon with the most missing pairs: near-copies would be unjudged.
        for phenomenon in sorted(self._missing, key=self._missing.__getitem__, reverse=True):
            pair = self._pair(phenomenon, document, sentence)
            if isinstance(pair, Refusal):
                self.refused[f"{phenomenon}: {pair.reason}"] += 1
            elif pair is not None:
                self._add(pair)
                return

    def _pair(self, phenomenon: str, document: Document, sentence: Span) -> MinimalPair | Refusal | None:
        rewrite = REWRITES[phenomenon](sentence)
        if not isinstance(rewrite, Rewrite):
            return rewrite
        parse = one_sentence(self._nlp(rewrite.text))
        if parse is None or why_unfit(parse) or not rewrite.holds(parse):
            return Refusal("the rewrite does not parse as intended")
        question = question_about(sentence, can_ask_for_subject=rewrite.keeps_subject)
        mirror = question_about(parse, can_ask_for_subject=rewrite.keeps_subject)
        if normalise(question.text) == normalise(mirror.text):
            return Refusal("both sentences answer the same question")
        return MinimalPair(
            phenomenon=phenomenon,
            doc_id=document.doc_id,
            title=document.title,
            start=sentence.start_char,
            end=sentence.end_char,
            sentence=sentence.text,
            rewrite=rewrite,
            question=question,
            mirror=mirror,
        )

    def _add(self, pair: MinimalPair) -> None:
        self.pairs.append(pair)
        self._sentences |= {normalise(pair.sentence), normalise(pair.rewrite.text)}
        self._missing[pair.phenomenon] -= 1
        if not self._missing[pair.phenomenon]:
            del self._missing[pair.phenomenon]


def sampled_documents(documents: Iterable[Document], count: int, seed: int) -> Iterator[Document]:
    """A random sample of documents, large enough for ``count`` pairs of each phenomenon."""
    sample = Sample[Document](count * OVERSAMPLING, seed, KIND)
    for document in documents:
        sample.offer(document.doc_id, document)
    yield from sample.items()
