"""Known-item queries: a few words that distinguish a document from the others.

Azzopardi & de Rijke 2006, Automatic construction of known-item finding test beds: words are sampled by
their discriminative power. Here that is their BM25 weight.
"""

from __future__ import annotations

from monitor.evaluation.passages.quotes import normalise
from monitor.suites.generation.document_frequency import DocumentFrequencies
from monitor.suites.generation.draft import Draft, Refusal
from monitor.suites.generation.sampling import rng_of
from monitor.suites.generation.words import Word, words_of
from monitor.suites.reading import Document

KIND = "known-item"
N_CANDIDATES = 10
"""The words of a query are sampled from so many words with the highest weights."""
SHORTEST, LONGEST = 3, 5


def draft(document: Document, frequencies: DocumentFrequencies, seed: int) -> Draft | Refusal:
    """A query for one document."""
    first: dict[str, Word] = {}
    words = [word for word in words_of(document.text) if not word.is_function_word]
    for word in words:
        first.setdefault(word.term, word)
    weights = frequencies.weights(words)
    candidates = sorted(filter(_is_word, weights), key=lambda term: (-weights[term], term))
    unique = [term for term in candidates if frequencies.frequency(term) == 1]
    # Two words that no other document contains would make the query trivial. One such word is allowed.
    candidates = [term for term in candidates if term not in unique[1:]][:N_CANDIDATES]
    if len(candidates) < SHORTEST:
        return Refusal(f"fewer than {SHORTEST} words that other documents contain, too")
    rng = rng_of(seed, KIND, document.doc_id)
    n_words = int(rng.integers(SHORTEST, min(LONGEST, len(candidates)) + 1))
    shares = [weights[term] for term in candidates]
    terms = rng.choice(candidates, n_words, replace=False, p=[share / sum(shares) for share in shares])
    query_words = sorted((first[str(term)] for term in terms), key=lambda word: word.start)
    query = " ".join(word.term for word in query_words)
    if normalise(query) in normalise(document.full_text):
        return Refusal("the words are adjacent in the document")
    rule = f"{n_words} of the {len(candidates)} words with the most BM25 weight, drawn by weight"
    return Draft(
        kind=KIND, text=query, doc_id=document.doc_id, rule=rule, start=query_words[0].start, end=query_words[-1].end
    )


def _is_word(term: str) -> bool:
    return len(term) > 2 and any(map(str.isalpha, term))
