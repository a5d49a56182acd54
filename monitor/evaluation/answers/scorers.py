"""Scores of answers without a language model: one number in [0, 1] for each answer and measure.

A measure that does not apply to the references of an answer (no number in them, no references at all) is NaN and is in
no mean. The references alone decide which measures apply, so that a worse answer cannot leave the comparison.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import wraps

from monitor.evaluation.answers.abstention import is_abstention, is_empty
from monitor.evaluation.answers.tokens import bag, normalise, phrase, words
from monitor.model.answers import Grades

LONGEST_COMPARED = 10_000
"""Maximum number of words of an answer and of a reference that ROUGE-L reads."""

Scorer = Callable[[str, Sequence[str]], float]
"""The answer and its references to a number in [0, 1]; NaN where the scorer does not apply."""


def exact_match(text: str, references: Sequence[str]) -> float:
    """1 where the normalised answer is a normalised reference, else 0; NaN without references.

    Equal to the SQuAD v1.1 evaluation of the texts in Unicode's form NFC.

    Examples
    --------
    >>> exact_match("The Denver Broncos.", ["Denver Broncos", "Broncos"])
    1.0
    """
    if not references:
        return math.nan
    answer = normalise(text)
    return float(any(normalise(reference) == answer for reference in references))


def token_f1(text: str, references: Sequence[str]) -> float:
    """F1 over the bags of words, at the best reference, in [0, 1]; NaN without references.

    The harmonic mean of precision and recall. Equal to the SQuAD v1.1 evaluation of the texts in Unicode's form NFC; 0
    if either text has no words.

    Examples
    --------
    Two of three words are correct, and they are both words of the reference:

    >>> token_f1("the old Denver Broncos", ["Denver Broncos"])
    0.8
    """
    if not references:
        return math.nan
    answer = bag(text)
    return max(
        _f1(_in_common(answer, reference), answer.total(), reference.total()) for reference in map(bag, references)
    )


def containment(text: str, references: Sequence[str]) -> float:
    """1 where the answer contains the words of a normalised reference in sequence, else 0.

    A reference that is empty after normalisation (“the”) does not count; NaN if none is left. In a script without
    spaces, letters replace words.

    Examples
    --------
    >>> containment("It was won by the Denver Broncos in 2016.", ["Denver Broncos"])
    1.0
    """
    phrases = [each for each in map(phrase, references) if not each.isspace()]
    if not phrases:
        return math.nan
    answer = phrase(text)
    return float(any(each in answer for each in phrases))


def rouge_l(text: str, references: Sequence[str]) -> float:
    """F1 of the longest common subsequence of words, at the best reference, in [0, 1].

    On ASCII text equal to rouge-score's ``rougeL`` without a stemmer. Only the first `LONGEST_COMPARED` words count.
    NaN without references; 0 if either text has no words.

    References
    ----------
    Lin 2004, ROUGE, equations 2 to 4 with β = 1.

    Examples
    --------
    >>> rouge_l("police killed the gunman", ["police kill the gunman"])
    0.75
    """
    if not references:
        return math.nan
    answer = words(text)[:LONGEST_COMPARED]
    expected = [words(reference)[:LONGEST_COMPARED] for reference in references]
    return max(_f1(common_subsequence(answer, each), len(answer), len(each)) for each in expected)


def citation_precision(citations: Collection[str], grades: Mapping[str, int]) -> float:
    """Share of the cited documents that are relevant, in [0, 1]; NaN without citations or relevant documents.

    A citation without a judgement counts as irrelevant, as an unjudged hit does.

    Examples
    --------
    >>> citation_precision(["a", "b"], {"a": 1, "c": 2})
    0.5
    """
    relevant = _relevant(grades)
    return len(relevant & set(citations)) / len(set(citations)) if relevant and citations else math.nan


def citation_recall(citations: Collection[str], grades: Mapping[str, int]) -> float:
    """Share of the relevant documents that are cited, in [0, 1]; NaN without relevant documents.

    Examples
    --------
    >>> citation_recall([], {"a": 1, "c": 2})
    0.0
    """
    relevant = _relevant(grades)
    return len(relevant & set(citations)) / len(relevant) if relevant else math.nan


def context_recall(doc_ids: Collection[str], grades: Mapping[str, int]) -> float:
    """Share of the relevant documents among the contexts of the answer, in [0, 1]; NaN without relevant documents.

    Examples
    --------
    >>> context_recall(["a", "b"], {"a": 1, "c": 2})
    0.5
    """
    return citation_recall(doc_ids, grades)


def zero_unless_answered(scorer: Scorer) -> Scorer:
    """The scorer, with 0 for empty texts and abstentions, which runs also count separately.

    If a reference is itself an abstention, an abstention is scored like any other text.
    """

    @wraps(scorer)
    def score(text: str, references: Sequence[str]) -> float:
        value = scorer(text, references)
        if math.isnan(value) or not value:
            return value
        if is_empty(text) or (is_abstention(text, references) and not any(map(is_abstention, references))):
            return 0.0
        return value

    return score


def mean_grade(grades: Grades) -> float:
    """Mean grade that a judge gave one answer over its repeats, in [0, 1].

    Examples
    --------
    >>> mean_grade(Grades("judge", (1.0, 0.5)))
    0.75
    """
    return grades.mean


def common_subsequence(left: Sequence[str], right: Sequence[str]) -> int:
    """Length of the longest common subsequence.

    One bit for each word of the shorter side, and one pass over the longer one: two texts of 10,000 words take a few
    hundredths of a second.

    References
    ----------
    Crochemore et al. 2001, A fast and practical bit-vector algorithm for the longest common subsequence problem;
    in the form of Hyyrö 2004.

    Examples
    --------
    >>> common_subsequence("police killed the gunman".split(), "the gunman police killed".split())
    2
    """
    shorter, longer = sorted((left, right), key=len)
    places: dict[str, int] = {}
    for position, word in enumerate(shorter):
        places[word] = places.get(word, 0) | 1 << position
    whole = (1 << len(shorter)) - 1
    open_places = whole
    for word in longer:
        if matching := open_places & places.get(word, 0):
            open_places = (open_places + matching | open_places - matching) & whole
    return len(shorter) - open_places.bit_count()


def _in_common(left: Counter[str], right: Counter[str]) -> int:
    return sum(min(left[word], right[word]) for word in left.keys() & right.keys())


def _f1(n_common: int, n_answer: int, n_reference: int) -> float:
    if not n_common:
        return 0.0
    precision, recall = n_common / n_answer, n_common / n_reference
    return 2 * precision * recall / (precision + recall)


def _relevant(grades: Mapping[str, int]) -> set[str]:
    return {doc_id for doc_id, grade in grades.items() if grade > 0}
