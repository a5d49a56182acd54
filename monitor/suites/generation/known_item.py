"""Known-item queries: a few words that tell a document from the others, as somebody would type who looks for it again.

Azzopardi & de Rijke 2006, Automatic construction of known-item finding test beds: words are drawn by how much they
discriminate. Here that is their weight in BM25.
"""

from __future__ import annotations

from monitor.evaluation.passages.quotes import normalise
from monitor.suites.generation.census import Census
from monitor.suites.generation.draft import Draft, Refusal
from monitor.suites.generation.sampling import rng_of
from monitor.suites.generation.words import Word, words_of
from monitor.suites.reading import Document

KIND = "known-item"
TELLING = 10
"""Words with the most weight, of which those of the query are drawn."""
SHORTEST, LONGEST = 3, 5


def draft(document: Document, census: Census, seed: int) -> Draft | Refusal:
    """A query for one document."""
    first: dict[str, Word] = {}
    words = [word for word in words_of(document.text) if not word.is_function_word]
    for word in words:
        first.setdefault(word.term, word)
    weights = census.weights(words)
    telling = sorted(filter(_is_word, weights), key=lambda term: (-weights[term], term))
    unique = [term for term in telling if census.frequency(term) == 1]
    # With one word that no other document has, finding it is no longer a question of ranking; one such word may be in.
    telling = [term for term in telling if term not in unique[1:]][:TELLING]
    if len(telling) < SHORTEST:
        return Refusal(f"fewer than {SHORTEST} words that other documents have too")
    rng = rng_of(seed, KIND, document.doc_id)
    n_words = int(rng.integers(SHORTEST, min(LONGEST, len(telling)) + 1))
    shares = [weights[term] for term in telling]
    drawn = rng.choice(telling, n_words, replace=False, p=[share / sum(shares) for share in shares])
    chosen = sorted((first[str(term)] for term in drawn), key=lambda word: word.start)
    query = " ".join(word.term for word in chosen)
    if normalise(query) in normalise(document.full_text):
        return Refusal("the words stand side by side in the document")
    rule = f"{n_words} of the {len(telling)} words with the most BM25 weight, drawn by weight"
    return Draft(KIND, query, document.doc_id, rule, start=chosen[0].start, end=chosen[-1].end)


def _is_word(term: str) -> bool:
    return len(term) > 2 and any(map(str.isalpha, term))
