"""Whether judged quotes stand in the suite's own documents, found while the documents pass by once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from monitor.evaluation.passages.quotes import is_like, normalise
from monitor.model.passages import LabelState, Passage
from monitor.model.suites import Query
from monitor.suites.reading import Document


class Judged(NamedTuple):
    """A judged passage and the query that it is judged for."""

    query_id: str
    passage: Passage


class Evidence:
    """Looks for the quotes of a suite in its documents."""

    def __init__(self, queries: Iterable[Query]) -> None:
        self._by_document: defaultdict[str, list[Judged]] = defaultdict(list)
        self._by_word: defaultdict[str, list[Judged]] = defaultdict(list)
        self._states: dict[Judged, LabelState] = {}
        for each in (Judged(query.query_id, passage) for query in queries for passage in query.passages):
            if each.passage.quote is None:
                continue
            self._states[each] = LabelState.ORPHANED
            if each.passage.doc_id is not None:
                self._by_document[each.passage.doc_id].append(each)
            else:
                # The longest word is the rarest, as a rule: only few quotes are looked for in each document.
                self._by_word[max(normalise(each.passage.quote).split(), key=len)].append(each)

    def look_at(self, document: Document) -> None:
        """See which quotes stand in a document."""
        for each in self._by_document.get(document.doc_id, ()):
            self._states[each] = _state(each.passage, document.text)
        if self._by_word:
            for word in self._by_word.keys() & set(normalise(document.text).split()):
                for each in self._by_word[word]:
                    if self._states[each] is LabelState.ORPHANED:
                        self._states[each] = _state(each.passage, document.text)

    def lost(self) -> Iterator[tuple[Judged, LabelState]]:
        """The passages whose quotes do not stand where they were judged."""
        return ((each, state) for each, state in self._states.items() if not state.is_usable)


def _state(passage: Passage, text: str) -> LabelState:
    wanted = normalise(passage.quote or "")
    if passage.start is not None and wanted in normalise(text[passage.start : passage.end]):
        return LabelState.VALID
    found = normalise(text)
    if wanted in found or is_like(wanted, found):
        return LabelState.VALID if passage.start is None else LabelState.RE_ANCHORABLE
    return LabelState.ORPHANED
