"""Title queries: the title of a document without its function words."""

from __future__ import annotations

from monitor.evaluation.passages.quotes import normalise
from monitor.suites.generation.draft import Draft, Refusal
from monitor.suites.generation.words import words_of
from monitor.suites.linting import LEAKED_WORDS
from monitor.suites.reading import Document

KIND = "title"
SHORTEST = 2


def draft(document: Document, n_same_title: int) -> Draft | Refusal:
    """A query for one document; ``n_same_title`` documents have the same title."""
    if not document.title.strip():
        return Refusal("no title")
    if n_same_title > 1:
        return Refusal("another document has the same title")
    words = words_of(document.title)
    content = [word for word in words if not word.is_function_word]
    if len(content) < SHORTEST:
        return Refusal(f"a title with fewer than {SHORTEST} content words")
    query = " ".join(word.text for word in content)
    normalised = normalise(query)
    if normalised in normalise(document.full_text) and normalised.count(" ") + 1 >= LEAKED_WORDS:
        return Refusal("a long title without a function word would be a quotation of its document")
    n_left_out = len(words) - len(content)
    rule = f"{n_left_out} function words of the title left out" if n_left_out else "the title unchanged"
    return Draft(kind=KIND, text=query, doc_id=document.doc_id, rule=rule, part="title", end=len(document.title))
