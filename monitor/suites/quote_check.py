"""Check that judged quotes are in the suite's own documents, in one pass over the documents."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from monitor.evaluation.passages.quotes import is_like, normalise
from monitor.model.passages import LabelState, Passage
from monitor.model.suites import Query
from monitor.suites.reading import Document


class JudgedPassage(NamedTuple):
    """A judged passage and its query."""

    query_id: str
    passage: Passage


class QuoteCheck:
    """Searches the documents of a suite for its judged quotes."""

    def __init__(self, queries: Iterable[Query]) -> None:
        self._by_document: defaultdict[str, list[JudgedPassage]] = defaultdict(list)
        self._by_word: defaultdict[str, list[JudgedPassage]] = defaultdict(list)
        self._states: dict[JudgedPassage, LabelState] = {}
        for judged in (JudgedPassage(query.query_id, passage) for query in queries for passage in query.passages):
            passage = judged.passage
            if passage.quote is None:
                continue
            self._states[judged] = LabelState.ORPHANED
            if passage.doc_id is not None:
                self._by_document[passage.doc_id].append(judged)
            else:
                # The longest word is usually the rarest, so that few quotes are searched for in each document.
                self._by_word[max(normalise(passage.quote).split(), key=len)].append(judged)

    def search(self, document: Document) -> None:
        """Search one document for the quotes."""
        for judged in self._by_document.get(document.doc_id, ()):
            self._states[judged] = _state(judged.passage, document.text)
        if self._by_word:
            for word in self._by_word.keys() & set(normalise(document.text).split()):
                for judged in self._by_word[word]:
                    if self._states[judged] is LabelState.ORPHANED:
                        self._states[judged] = _state(judged.passage, document.text)

    def lost(self) -> Iterator[tuple[JudgedPassage, LabelState]]:
        """The passages whose quotes are not at the judged place."""
        return ((judged, state) for judged, state in self._states.items() if not state.is_usable)


def _state(passage: Passage, text: str) -> LabelState:
    quote = normalise(passage.quote or "")
    if passage.start is not None and quote in normalise(text[passage.start : passage.end]):
        return LabelState.VALID
    document = normalise(text)
    if quote in document or is_like(quote, document):
        return LabelState.VALID if passage.start is None else LabelState.RE_ANCHORABLE
    return LabelState.ORPHANED
