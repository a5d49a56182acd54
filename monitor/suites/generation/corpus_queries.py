"""Generate queries of several kinds from a corpus, which is read at most twice. Only sampled documents are held."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

from monitor.evaluation.passages.quotes import normalise
from monitor.suites.generation import known_item, questions, sentences, titles
from monitor.suites.generation.document_frequency import DocumentFrequencies
from monitor.suites.generation.draft import Draft, Refusal
from monitor.suites.generation.sampling import Sample
from monitor.suites.generation.words import words_of
from monitor.suites.reading import Document

OVERSAMPLING = 4
"""Documents sampled for each requested query: some are refused."""

Progress = Callable[[str], None]
"""Receives progress messages."""

MakeDraft = Callable[[Document], Draft | Refusal]


@dataclass(frozen=True, slots=True)
class Generated:
    """Generated queries and the counts of refusals."""

    drafts: list[Draft]
    refused: Counter[str] = field(default_factory=Counter)
    """Count by reason; each reason starts with the kind of query."""


class CorpusScan:
    """One pass over the documents: document frequencies, titles, and a sample of documents for each kind."""

    def __init__(self, kinds: Sequence[str], count: int, seed: int) -> None:
        self.frequencies = DocumentFrequencies()
        self.n_documents = 0
        self._seed = seed
        self._titles: Counter[bytes] = Counter()
        self._samples = {kind: Sample[Document](count * OVERSAMPLING, seed, kind) for kind in kinds}

    def read(self, documents: Iterable[Document], report_progress: Progress) -> None:
        """Count and sample all documents."""
        for document in documents:
            self.n_documents += 1
            self.frequencies.count(words_of(document.text))
            self._titles[_hashed(document.title)] += 1
            for sample in self._samples.values():
                sample.offer(document.doc_id, document)
            if self.n_documents % 10_000 == 0:
                report_progress(f"{self.n_documents:,} documents read")

    def sampled(self, kind: str) -> list[Document]:
        """The sampled documents of a kind, in random order."""
        return self._samples[kind].items()

    def maker(self, kind: str) -> MakeDraft:
        """The function that drafts a query of a kind from a document."""
        return {
            known_item.KIND: lambda document: known_item.draft(document, self.frequencies, self._seed),
            titles.KIND: lambda document: titles.draft(document, self._titles[_hashed(document.title)]),
            sentences.KIND: lambda document: sentences.draft(document, self.frequencies, self._seed),
        }[kind]


KINDS = (known_item.KIND, titles.KIND, sentences.KIND)
ALL_KINDS = (*KINDS, questions.KIND)


class DraftCollector:
    """Collects up to ``count`` drafts of a kind. Duplicate queries are refused: no ranking could satisfy both."""

    def __init__(self, result: Generated, kind: str, count: int) -> None:
        self._result, self._kind, self._missing = result, kind, count
        self._texts = {normalise(draft.text) for draft in result.drafts}

    @property
    def is_done(self) -> bool:
        """Whether ``count`` drafts were collected."""
        return self._missing == 0

    def take(self, draft: Draft | Refusal) -> None:
        """Add a draft, or count its refusal."""
        if isinstance(draft, Refusal):
            self._result.refused[f"{self._kind}: {draft.reason}"] += 1
        elif normalise(draft.text) in self._texts:
            self._result.refused[f"{self._kind}: duplicate of another query"] += 1
        else:
            self._texts.add(normalise(draft.text))
            self._result.drafts.append(draft)
            self._missing -= 1


def generate(scan: CorpusScan, kinds: Iterable[str], count: int) -> Generated:
    """Up to ``count`` queries of each kind; fewer if the sampled documents do not yield more."""
    result = Generated([])
    for kind in kinds:
        collector, make = DraftCollector(result, kind, count), scan.maker(kind)
        for document in scan.sampled(kind):
            if collector.is_done:
                break
            collector.take(make(document))
    return result


def _hashed(title: str) -> bytes:
    """A title as eight bytes, because there may be millions of titles."""
    return blake2b(normalise(title).encode(), digest_size=8).digest()
