"""Queries of several kinds from a corpus that passes by twice at most; only what is drawn is held."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

from monitor.evaluation.passages.quotes import normalise
from monitor.suites.generation import known_item, questions, sentences, titles
from monitor.suites.generation.census import Census
from monitor.suites.generation.draft import Draft, Refusal
from monitor.suites.generation.sampling import Sample
from monitor.suites.generation.words import words_of
from monitor.suites.reading import Document

DRAWN = 4
"""Documents drawn for each query that is wanted: some are refused."""

Tell = Callable[[str], None]
"""Says how far the work is."""

Make = Callable[[Document], Draft | Refusal]


@dataclass(frozen=True, slots=True)
class Generated:
    """What came of the corpus."""

    drafts: list[Draft]
    refused: Counter[str] = field(default_factory=Counter)
    """Reason to count, each behind its kind."""


class Survey:
    """One pass over the documents: how common words and titles are, and documents drawn for each kind."""

    def __init__(self, kinds: Sequence[str], count: int, seed: int) -> None:
        self.census = Census()
        self.n_documents = 0
        self._seed = seed
        self._titles: Counter[bytes] = Counter()
        self._samples = {kind: Sample[Document](count * DRAWN, seed, kind) for kind in kinds}

    def look_at(self, documents: Iterable[Document], tell: Tell) -> None:
        """Take every document into account."""
        for document in documents:
            self.n_documents += 1
            self.census.count(words_of(document.text))
            self._titles[_hashed(document.title)] += 1
            for sample in self._samples.values():
                sample.offer(document.doc_id, document)
            if self.n_documents % 10_000 == 0:
                tell(f"{self.n_documents:,} documents read")

    def drawn(self, kind: str) -> list[Document]:
        """The documents drawn for a kind, in random order."""
        return self._samples[kind].drawn()

    def maker(self, kind: str) -> Make:
        """What makes a query of a document."""
        return {
            known_item.KIND: lambda document: known_item.draft(document, self.census, self._seed),
            titles.KIND: lambda document: titles.draft(document, self._titles[_hashed(document.title)]),
            sentences.KIND: lambda document: sentences.draft(document, self.census, self._seed),
        }[kind]


KINDS = (known_item.KIND, titles.KIND, sentences.KIND)
ALL_KINDS = (*KINDS, questions.KIND)


class Taker:
    """Adds up to ``count`` drafts of a kind. No two queries ask the same: no ranking could satisfy both."""

    def __init__(self, made: Generated, kind: str, count: int) -> None:
        self._made, self._kind, self._missing = made, kind, count
        self._asked = {normalise(draft.text) for draft in made.drafts}

    @property
    def is_done(self) -> bool:
        """Whether there are enough."""
        return self._missing == 0

    def take(self, draft: Draft | Refusal) -> None:
        """Add one, or count why not."""
        if isinstance(draft, Refusal):
            self._made.refused[f"{self._kind}: {draft.reason}"] += 1
        elif normalise(draft.text) in self._asked:
            self._made.refused[f"{self._kind}: another query asks the same"] += 1
        else:
            self._asked.add(normalise(draft.text))
            self._made.drafts.append(draft)
            self._missing -= 1


def generate(survey: Survey, kinds: Iterable[str], count: int) -> Generated:
    """As many queries of each kind as are wanted, or as the drawn documents give."""
    made = Generated([])
    for kind in kinds:
        taker, make = Taker(made, kind, count), survey.maker(kind)
        for document in survey.drawn(kind):
            if taker.is_done:
                break
            taker.take(make(document))
    return made


def _hashed(title: str) -> bytes:
    """A title as eight bytes: there may be millions."""
    return blake2b(normalise(title).encode(), digest_size=8).digest()
