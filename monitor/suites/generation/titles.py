"""Title queries: the title of a document, without its function words, as somebody would search for it."""

from __future__ import annotations

from monitor.evaluation.passages.quotes import normalise
from monitor.suites.generation.draft import Draft, Refusal
from monitor.suites.generation.words import words_of
from monitor.suites.linting import LEAKED_WORDS
from monitor.suites.reading import Document

KIND = "title"
SHORTEST = 2


def draft(document: Document, n_titled_so: int) -> Draft | Refusal:
    """A query for one document, of whose title there are so many."""
    if not document.title.strip():
        return Refusal("no title")
    if n_titled_so > 1:
        return Refusal("another document has the same title")
    words = words_of(document.title)
    content = [word for word in words if not word.is_function_word]
    if len(content) < SHORTEST:
        return Refusal(f"a title of fewer than {SHORTEST} words that carry meaning")
    query = " ".join(word.text for word in content)
    asked = normalise(query)
    if asked in normalise(document.full_text) and asked.count(" ") + 1 >= LEAKED_WORDS:
        return Refusal("a long title without a function word: it would stand word for word in its document")
    n_left_out = len(words) - len(content)
    rule = f"{n_left_out} function words of the title left out" if n_left_out else "the title as it stands"
    return Draft(KIND, query, document.doc_id, rule, part="title", end=len(document.title))
